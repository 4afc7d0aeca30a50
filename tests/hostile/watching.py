"""Shows messages as the chat does, and tells how long the window's loop stood still."""

from __future__ import annotations

import time

from PySide6.QtCore import QEventLoop, QTimer
from PySide6.QtWidgets import QApplication, QScrollArea, QVBoxLayout, QWidget

from app.core.chat.conversation import Turn
from app.ui.chat.answer_view import AnswerView
from app.ui.chat.message import UserMessage

QUIET_BEATS = 12
MOST_S = 20.0


class Stage:
    """A scroll area of a chat's width in which one message at a time is shown."""

    def __init__(self) -> None:
        self.area = QScrollArea()
        self.area.setWidgetResizable(True)
        self.area.resize(420, 720)
        self.area.show()

    def close(self) -> None:
        self.area.close()
        self.area.deleteLater()
        QApplication.processEvents()

    def longest_pause(self, text: str, *, answer: bool) -> float:
        """The longest time in seconds that the loop's thread was busy at a stretch, from showing to settling.

        Of the thread's own processor time: what other programs take meanwhile does not count.
        """
        page = QWidget()
        column = QVBoxLayout(page)
        self.area.setWidget(page)
        QApplication.processEvents()
        loop, heart = QEventLoop(), QTimer()
        last = time.thread_time()
        pauses: list[float] = []
        ends = time.monotonic() + MOST_S

        def beat() -> None:
            nonlocal last
            now = time.thread_time()
            pauses.append(now - last)
            last = now
            quiet = len(pauses) > QUIET_BEATS and max(pauses[-QUIET_BEATS:]) < 0.003
            if quiet or time.monotonic() > ends:
                loop.quit()

        def show() -> None:
            if answer:
                view = AnswerView()
                column.addWidget(view)
                view.show_finished(Turn("assistant", text))
            else:
                column.addWidget(UserMessage(text))
            column.addStretch(1)

        heart.timeout.connect(beat)
        heart.start(8)
        QTimer.singleShot(0, show)
        loop.exec()
        heart.stop()
        self.area.takeWidget().deleteLater()
        QApplication.processEvents()
        return max(pauses)

"""Shows messages in a conversation as the chat does, and tells how long the window's loop stood still."""

from __future__ import annotations

import time

from PySide6.QtCore import QEventLoop, QTimer
from PySide6.QtWidgets import QApplication

from app.core.chat.conversation import Turn
from app.ui.chat.answer_view import AnswerView
from app.ui.chat.message import UserMessage
from app.ui.chat.rows import MessageView
from app.ui.chat.transcript import EmptyState, Transcript

QUIET_BEATS = 12
MOST_S = 20.0


class Stage:
    """A conversation of a chat's width in which one message at a time is shown."""

    def __init__(self) -> None:
        self.area = Transcript(EmptyState(()))
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
        self.area.clear()
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

        def make(hurried: bool) -> MessageView:
            if not answer:
                return UserMessage(text)
            view = AnswerView()
            view.show_finished(Turn("assistant", text), hurried)
            return view

        def show() -> None:
            self.area.add(text, make)
            self.area.show_rows()

        heart.timeout.connect(beat)
        heart.start(8)
        QTimer.singleShot(0, show)
        loop.exec()
        heart.stop()
        self.area.clear()
        QApplication.processEvents()
        return max(pauses)

"""Follows what happens and tells it: in the activity always, by the system where the window is not looked at."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from app.core.snapshot import Level, Snapshot
from app.core.text import phrase
from app.ui.desktop.notices import Notice, Seen, of_answer, of_library, of_nodes

if TYPE_CHECKING:
    from app.core.chat.conversation import Conversation
    from app.core.library.library import LibraryView
    from app.ui.window import MainWindow

LEVELS = {"info": Level.INFO, "warning": Level.WARNING, "error": Level.ERROR}


class Notifier(QObject):
    """looked_at: whether the window is in front of its owner. Signals: wanted(Notice), which the system is to show."""

    wanted = Signal(object)

    def __init__(self, window: MainWindow, looked_at: Callable[[], bool]) -> None:
        super().__init__(window)
        self._bridge = window.bridge
        self._looked_at = looked_at
        self._seen = Seen()
        self._before = window.bridge.snapshot
        window.bridge.snapshot_changed.connect(self._on_snapshot)
        window.bridge.ready.connect(self._follow_library)
        window.chat.desk.over.connect(self._on_answer)

    def tell(self, notice: Notice) -> None:
        if not notice.logged:
            message = phrase("{title}: {text}", title=notice.title, text=notice.text)
            self._bridge.run(lambda controller: controller.note(LEVELS[notice.kind], "", message))
        if not self._looked_at():
            self.wanted.emit(notice)

    def _on_snapshot(self, snapshot: Snapshot) -> None:
        before, self._before = self._before, snapshot
        self._seen, notices = of_nodes(self._seen, before, snapshot)
        for notice in notices:
            self.tell(notice)

    def _follow_library(self) -> None:
        stream = self._bridge.stream(lambda controller: controller.library.watch())
        stream.updates.connect(self._on_library)

    def _on_library(self, views: tuple[LibraryView, ...]) -> None:
        for view in views:
            self._seen, notices = of_library(self._seen, view)
            for notice in notices:
                self.tell(notice)

    def _on_answer(self, conversation: Conversation) -> None:
        answer = conversation.shown[-1] if conversation.shown else None
        if answer is None or answer.role != "assistant" or answer.outcome == "cancelled":
            return
        problem = answer.problem.cause if answer.problem else ""
        self.tell(of_answer(conversation.title, answer.figures.completion_tokens, answer.figures.tokens_per_s, problem))

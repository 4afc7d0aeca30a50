"""Work of the conversation that is left over, done in turn: a little in each frame, so that the view can move."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import shiboken6
from PySide6.QtCore import QObject, QTimer

FRAME_MS: Final = 16
NO_MORE_AFTER_S: Final = 0.004  # in one frame; a slice that has begun takes about twice that

Work = Callable[[], object]


class Pace(QObject):
    """Calls what was asked for, the oldest first. work: a method of a QObject; one that is gone is left out."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._waiting: dict[Work, None] = {}
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(FRAME_MS)
        self._timer.timeout.connect(self._go_on)

    def ask(self, work: Work) -> None:
        """It is called once, in one of the frames to come; it may ask again."""
        self._waiting[work] = None
        if not self._timer.isActive():
            self._timer.start()

    def waits(self, work: Work) -> bool:
        return work in self._waiting

    def _go_on(self) -> None:
        until = time.thread_time() + NO_MORE_AFTER_S
        try:
            while self._waiting and time.thread_time() < until:
                work = next(iter(self._waiting))
                del self._waiting[work]
                owner = getattr(work, "__self__", None)
                if not isinstance(owner, QObject) or shiboken6.isValid(owner):
                    work()
        finally:
            if self._waiting:
                self._timer.start()

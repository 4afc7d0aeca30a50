"""What happened, in sentences, for the activity log: the latest entries in memory."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from app.core.snapshot import ActivityEntry, Level

KEPT = 1000


class ActivityLog:
    def __init__(self) -> None:
        self._entries: deque[ActivityEntry] = deque(maxlen=KEPT)
        self._number = 0
        self._listeners: list[Callable[[ActivityEntry], None]] = []

    @property
    def entries(self) -> tuple[ActivityEntry, ...]:
        return tuple(self._entries)

    def add(self, level: Level, node: str, message: str) -> None:
        self._number += 1
        entry = ActivityEntry(self._number, time.time(), level, node, message)
        self._entries.append(entry)
        for listener in list(self._listeners):
            listener(entry)

    def subscribe(self, on_entry: Callable[[ActivityEntry], None]) -> Callable[[], None]:
        self._listeners.append(on_entry)
        return lambda: self._listeners.remove(on_entry) if on_entry in self._listeners else None

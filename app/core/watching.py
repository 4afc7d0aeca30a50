"""A value that changes, followed by any number of readers: each gets the latest, and none holds up another."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Watched(Generic[T]):
    """For one loop. read: the value as it is now."""

    def __init__(self, read: Callable[[], T]) -> None:
        self._read = read
        self._watchers: set[asyncio.Event] = set()

    def changed(self) -> None:
        for watcher in self._watchers:
            watcher.set()

    async def watch(self) -> AsyncIterator[T]:
        """The value now, and again after every change."""
        watcher = asyncio.Event()
        self._watchers.add(watcher)
        try:
            while True:
                watcher.clear()
                yield self._read()
                await watcher.wait()
        finally:
            self._watchers.discard(watcher)

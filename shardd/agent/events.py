"""Stage events for whoever listens; a listener that stops reading loses the oldest, never the others' time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Generator
from typing import TypeAlias

from shardd.agent.records import StageRecord

KEPT = 256

StageChange: TypeAlias = tuple[StageRecord, str]


class EventHub:
    def __init__(self) -> None:
        self._queues: set[asyncio.Queue[StageChange]] = set()

    def publish(self, record: StageRecord, message: str) -> None:
        for queue in self._queues:
            if queue.full():
                queue.get_nowait()
            queue.put_nowait((record, message))

    @contextlib.contextmanager
    def subscribe(self) -> Generator[asyncio.Queue[StageChange]]:
        queue: asyncio.Queue[StageChange] = asyncio.Queue(KEPT)
        self._queues.add(queue)
        try:
            yield queue
        finally:
            self._queues.discard(queue)

"""One interruption of a deployment, as the answers that it interrupted follow it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass

from app.core.generation.pipeline import Pipeline


@dataclass(frozen=True, slots=True)
class News:
    """kind: "stage_lost", "moved", "waiting", "failed"."""

    kind: str
    node: str
    message: str


class Loss:
    """From the first sign of it until answers can go on, by `pipeline`, or cannot: then that is None.

    parts: seconds, of what was done. how: what was done, as the middle of a sentence. wanted: an answer waits for it.
    planned: nothing was lost, layers were moved.
    """

    def __init__(self) -> None:
        self.node = ""
        self.cause = ""
        self.known_at: float | None = None  # time.monotonic
        self.wanted = False
        self.planned = False
        self.over = False
        self.pipeline: Pipeline | None = None
        self.how = ""
        self.parts: Mapping[str, float] = {}
        self._news: list[News] = []
        self._came = asyncio.Event()

    def name(self, node: str, cause: str, kind: str = "stage_lost") -> None:
        """Says what was lost and why, the first time."""
        if self.known_at is None:
            self.node, self.cause, self.known_at = node, cause, time.monotonic()
            self.tell(kind, node, cause)

    def tell(self, kind: str, node: str, message: str) -> None:
        news = News(kind, node, message)
        if news not in self._news:
            self._news.append(news)
            self._wake()

    def finish(self, pipeline: Pipeline, how: str, parts: Mapping[str, float]) -> None:
        self.pipeline, self.how, self.parts, self.over = pipeline, how, parts, True
        self._wake()

    def give_up(self, cause: str) -> None:
        """Answers end with this cause."""
        if not self.over:
            self.tell("failed", self.node, cause)
            self.over = True
            self._wake()

    async def follow(self) -> AsyncIterator[News]:
        """What there is to tell, until it is over."""
        told = 0
        while True:
            while told < len(self._news):
                told += 1
                yield self._news[told - 1]
            if self.over:
                return
            await self._came.wait()

    def _wake(self) -> None:
        came, self._came = self._came, asyncio.Event()
        came.set()


Recover = Callable[[Pipeline], Loss]
"""What an answer calls when its lanes broke."""

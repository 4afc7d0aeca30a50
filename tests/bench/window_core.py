"""A core for the window's bench: it answers from a script and tells made-up readings of machines."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable

from app.core.generation.request import GenerationRequest, GenerationUpdate, PrefillProgress, StageTiming, TokenEvent
from app.core.snapshot import MemoryView, ModelView, NodeView, Snapshot, SpreadView, StageView
from tests.made_up_models import GB, model
from tests.made_up_nodes import node
from tests.ui.chat.fakes import ScriptedController, result

LAYER_BYTES = 400_000_000


def made_up_model(layers: int) -> ModelView:
    inventory = model([LAYER_BYTES] * layers, kv=[4096] * layers, context=32_768)
    return ModelView("made-up", "/models/made-up", inventory)


def machines(count: int, layers: int, tick: int) -> tuple[NodeView, ...]:
    """Readings that differ at each tick, as real ones do."""
    share = layers // count
    found: list[NodeView] = []
    for number in range(count):
        wave = 1 + 0.2 * math.sin(tick / 3 + number)
        weights, kv = share * LAYER_BYTES, int(GB * wave / 4)
        others = int(6 * GB * wave)
        memory = MemoryView(24 * GB, weights, kv, others, 24 * GB - weights - kv - others, 12 * GB)
        first = number * share
        stage = StageView(
            f"s{number}", number, count, first, first + share - 1, "ready", "", weights, kv, weights + kv, 2, 1,
            SpreadView(4 * wave, 6 * wave), SpreadView(0.1 * wave, 0.4), SpreadView(0.5 * wave, 0.9),
        )  # fmt: skip
        found.append(
            node(
                f"mini-{number + 1}",
                address=f"10.0.0.{number + 1}:7420",
                fingerprint=f"{number:064x}",
                chip="M4 Pro",
                os="macOS 26",
                versions={"shardd": "0.1.0"},
                memory=memory,
                swap_used=0,
                cpu_percent=30 * wave,
                disk_free=200 * GB,
                round_trip_ms=1.5 * wave,
                stage=stage,
            )
        )
    return tuple(found)


class ScriptedCore(ScriptedController):
    """Writes `text` at `rate` tokens a second until it is stopped. sent: tokens so far."""

    def __init__(self, first: Snapshot, text: str, rate: int) -> None:
        super().__init__((), first)
        self._pieces = [text[at : at + 4] for at in range(0, len(text), 4)]
        self._rate = rate
        self._loop: asyncio.AbstractEventLoop | None = None
        self._telling: asyncio.Task[None] | None = None
        self.sent = 0

    async def start(self) -> None:
        self._loop = asyncio.get_running_loop()

    async def close(self) -> None:
        if self._telling is not None:
            self._telling.cancel()

    def telemetry(self, hertz: float, make: Callable[[int], Snapshot]) -> None:
        """Publishes make(0), make(1) … so often; 0 ends it. Called from any thread."""
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._tell, hertz, make)

    def _tell(self, hertz: float, make: Callable[[int], Snapshot]) -> None:
        if self._telling is not None:
            self._telling.cancel()
            self._telling = None

        async def run() -> None:
            tick = 0
            while True:
                tick += 1
                self.publish(make(tick))
                await asyncio.sleep(1 / hertz)

        if hertz:
            self._telling = asyncio.ensure_future(run())

    async def generate(self, request: GenerationRequest) -> AsyncIterator[GenerationUpdate]:
        loop = asyncio.get_running_loop()
        timings = tuple(StageTiming(stage, 0.4, 0.1, 2.0, 0.1, 4096) for stage in range(16))
        yield PrefillProgress(100, 100)
        began = loop.time()
        self.sent = 0
        for number, piece in enumerate(self._pieces):
            due = began + number / self._rate
            if (ahead := due - loop.time()) > 0:
                await asyncio.sleep(ahead)
            at = (loop.time() - began) * 1000
            self.sent += 1
            yield TokenEvent(7, piece, timings, at, sent_ms=at)
        yield result("", len(self._pieces))

"""A controller that answers from a script, for tests of widgets: real updates, no model."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

from app.core.controller import Controller
from app.core.generation.request import (
    GenerationRequest,
    GenerationResult,
    GenerationUpdate,
    Message,
    PrefillProgress,
    StageReport,
    StageTiming,
    TokenEvent,
)
from app.core.placement.placement import Placement, StageRange
from app.core.snapshot import ActivityEntry, DeploymentState, DeploymentView, Snapshot

TIMINGS = tuple(StageTiming(stage, 0.4, 0.1, 12.0, 0.1, 4096) for stage in range(3))
STAGES = tuple(StageReport(name, 0, 3, 1, 1, None, None, None) for name in ("studio-a", "mini-1", "mini-2"))


class Gate:
    """A step that is passed when `open` becomes True."""

    def __init__(self) -> None:
        self.open = False


Step = GenerationUpdate | BaseException | float | Gate  # a number: wait so many seconds


PLACED = Placement(
    12, tuple(StageRange(name, 4 * n, 4 * n + 3) for n, name in enumerate(("studio-a", "mini-1", "mini-2")))
)


def deployed(
    state: DeploymentState = DeploymentState.READY,
    text: str = "",
    context: int = 8192,
    placement: Placement | None = None,
) -> Snapshot:
    return Snapshot(deployment=DeploymentView(state, text, 1, "tinychat", placement, context))


def measured(text: str, size: int = 5, lap_ms: float = 47.0) -> list[Step]:
    """An answer whose tokens carry times that differ, as real ones do."""
    steps: list[Step] = [PrefillProgress(1098, 1098)]
    at = 412.0
    for number, start in enumerate(range(0, len(text), size)):
        wave = 1 + (number * 7 % 11) / 10
        timings = tuple(StageTiming(s, 2.0 * wave, 0.6 * wave, (4 + 5 * s) * wave, 0.5, 4096) for s in range(3))
        at += sum(t.hop_ms + t.queue_ms + t.compute_ms + t.serialise_ms for t in timings) * 1.06
        steps.append(TokenEvent(7, text[start : start + size], timings, at, sent_ms=at))
    return [*steps, result(text, len(steps) - 1)]


def token(text: str, at_ms: float = 412.0) -> TokenEvent:
    return TokenEvent(7, text, TIMINGS, at_ms)


def result(text: str, tokens: int = 186, reason: str = "stop", **more: object) -> GenerationResult:
    return GenerationResult(
        text=text,
        token_ids=(7,) * tokens,
        prompt_tokens=1098,
        completion_tokens=tokens,
        finish_reason=reason,
        ttft_ms=412.0,
        prefill_tokens_per_s=900.0,
        decode_tokens_per_s=21.3,
        stages=STAGES,
        events=more.get("events", ()),  # type: ignore[arg-type]
    )


def whole(text: str, size: int = 5) -> list[Step]:
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    steps: list[Step] = [PrefillProgress(512, 1098), PrefillProgress(1098, 1098)]
    steps += [token(piece, 412 + 47 * number) for number, piece in enumerate(pieces)]
    return [*steps, result(text, len(pieces))]


class Words:
    """A tokenizer that makes a token of each word."""

    def render(self, messages: Sequence[Message], continue_last: bool = False) -> list[int]:
        return [7 for message in messages for _ in message.content.split()]


class ScriptedController(Controller):
    """Answers each request with the next script; the last one again and again."""

    def __init__(self, scripts: Sequence[Sequence[Step]] = (), snapshot: Snapshot | None = None) -> None:
        self.scripts = [list(script) for script in scripts]
        self.requests: list[GenerationRequest] = []
        self.closed_early = 0
        self._snapshot = snapshot or deployed()
        self._listeners: list[Callable[[Snapshot], None]] = []
        self._activity_listeners: list[Callable[[ActivityEntry], None]] = []

    def snapshot(self) -> Snapshot:
        return self._snapshot

    def publish(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        for listener in self._listeners:
            listener(snapshot)

    def log(self, entry: ActivityEntry) -> None:
        for listener in self._activity_listeners:
            listener(entry)

    def subscribe(self, on_snapshot: Callable[[Snapshot], None]) -> Callable[[], None]:
        self._listeners.append(on_snapshot)
        return lambda: self._listeners.remove(on_snapshot)

    def activity(self) -> tuple[ActivityEntry, ...]:
        return ()

    def subscribe_activity(self, on_entry: Callable[[ActivityEntry], None]) -> Callable[[], None]:
        self._activity_listeners.append(on_entry)
        return lambda: self._activity_listeners.remove(on_entry)

    async def start(self) -> None: ...

    async def close(self) -> None: ...

    async def tokenizer(self) -> Words:  # type: ignore[override]
        return Words()

    async def generate(self, request: GenerationRequest) -> AsyncIterator[GenerationUpdate]:
        self.requests.append(request)
        script = self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]
        ended = False
        try:
            for step in script:
                if isinstance(step, BaseException):
                    raise step
                if isinstance(step, Gate):
                    while not step.open:
                        await asyncio.sleep(0.005)
                elif isinstance(step, (int, float)):
                    await asyncio.sleep(step)
                else:
                    await asyncio.sleep(0)
                    yield step
            ended = True
        finally:
            self.closed_early += not ended

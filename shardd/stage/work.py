"""What the engine works with: events, sequences, steps, settings and measurements.

What is made for every frame is no frozen dataclass, which takes five times as long to make.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Protocol, TypeAlias

from shardd.rpc import lane_pb2
from shardd.stage.frames import Buffer, Frame
from shardd.stage.orders import PipelineOptions, Place
from shardd.stage.scheduler import Waiting
from shardd.stage.timings import Recent

Header: TypeAlias = lane_pb2.FrameHeader

NEXT = "next"  # the lane to the next stage, where a controller's lane has its id and the previous stage's has ""


def failed(
    sequence_id: int,
    message: str,
    reply_to: str = "",
    *,
    broken: bool = False,
    unheld: bool = False,
    refusal: lane_pb2.Refusal = lane_pb2.REFUSAL_UNSPECIFIED,
) -> Header:
    """The frame that tells everybody of a sequence which cannot go on."""
    return Header(
        kind=lane_pb2.FAIL,
        sequence=sequence_id,
        message=message,
        reply_to=reply_to,
        broken=broken,
        unheld=unheld,
        refusal=refusal,
    )


class Sender(Protocol):
    """One direction of a lane, as the engine sees it."""

    def post(self, header: Header, payload: list[Buffer] = ...) -> None: ...
    def send(self, header: Header, payload: list[Buffer] = ...) -> None: ...


class Arrived(NamedTuple):
    """A frame. source: "" from the previous stage (the tail, for the head), else a controller's lane."""

    frame: Frame
    source: str


@dataclass(frozen=True, slots=True)
class Lost:
    """A lane ended. source as in Arrived, or NEXT."""

    source: str


class Halt:
    """Ends the engine's loop."""


@dataclass(frozen=True, slots=True)
class Task:
    """Something to be done in the compute thread."""

    run: Callable[[], None]


Event = Arrived | Lost | Halt | Task


class Row(NamedTuple):
    """One sequence in a step, and the position of its first token there."""

    sequence: int
    position: int


@dataclass(slots=True)
class Step:
    """Work for the compute thread: a prefill chunk of one sequence, or a decode step of one or several.

    count: tokens of each row. tokens: the head's input, a tuple a row. frame: the others' input. proposals: the
    tokens after the first in the only row of a step that verifies them.
    """

    rows: tuple[Row, ...]
    count: int
    sample: bool
    tokens: tuple[tuple[int, ...], ...] = ()
    proposals: tuple[int, ...] = ()
    frame: Frame | None = None
    arrived_ns: int = 0
    hop_us: int = 0

    @property
    def waiting(self) -> Waiting:
        return Waiting(tuple(row.sequence for row in self.rows), chunk=not self.sample)


def step_of(frame: Frame, rows: tuple[Row, ...]) -> Step:
    """What the previous stage asks for. rows: those of the frame."""
    header = frame.header
    return Step(
        rows,
        header.count,
        header.sample,
        proposals=tuple(header.rows[0].tokens),
        frame=frame,
        arrived_ns=frame.arrived_ns,
        hop_us=frame.hop_us,
    )


@dataclass
class Measurements:
    """What the telemetry reports. Times in milliseconds, of decode steps."""

    compute_ms: Recent = field(default_factory=Recent)
    queue_ms: Recent = field(default_factory=Recent)
    hop_ms: Recent = field(default_factory=Recent)
    steps: int = 0

    def add(self, timing: lane_pb2.StepTiming, hop_us: int, *, decoded: bool) -> None:
        self.steps += 1
        if decoded:
            self.compute_ms.add(timing.compute_us / 1000)
            self.queue_ms.add(timing.queue_us / 1000)
            if hop_us:
                self.hop_ms.add(hop_us / 1000)


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """A stage's place in its pipeline. prefill_chunk_tokens: fixed size of chunks; 0: from what is measured."""

    stage_index: int
    stage_count: int
    context_tokens: int
    prefill_chunk_tokens: int
    options: PipelineOptions = field(default_factory=PipelineOptions)

    @property
    def capacity(self) -> int:
        """Tokens that all caches together may hold."""
        return self.options.kv_tokens or 4 * self.context_tokens

    def holds(self, opened: lane_pb2.Open) -> bool:
        """Whether this stage is one of those that have the cache of an interrupted sequence."""
        return opened.resumes != 0 and self.stage_index >= opened.held_from

    def placed(self, order: Place) -> EngineSettings:
        """The same in another place."""
        options = replace(self.options, kv_tokens=order.kv_tokens)
        return replace(self, stage_index=order.stage_index, stage_count=order.stage_count, options=options)

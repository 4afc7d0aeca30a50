"""What the engine works with: events, sequences, steps, settings and measurements."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from shardd.rpc import lane_pb2
from shardd.stage.frames import Buffer, Frame
from shardd.stage.orders import PipelineOptions
from shardd.stage.scheduler import Waiting
from shardd.stage.timings import Recent

Header: TypeAlias = lane_pb2.FrameHeader

NEXT = "next"  # the lane to the next stage, where a controller's lane has its id and the previous stage's has ""


def failed(sequence_id: int, message: str, reply_to: str = "", *, broken: bool = False) -> Header:
    """The frame that tells everybody of a sequence which cannot go on."""
    return Header(kind=lane_pb2.FAIL, sequence=sequence_id, message=message, reply_to=reply_to, broken=broken)


class Sender(Protocol):
    """One direction of a lane, as the engine sees it."""

    def post(self, header: Header, payload: list[Buffer] = ...) -> None: ...
    def send(self, header: Header, payload: list[Buffer] = ...) -> None: ...


@dataclass(frozen=True, slots=True)
class Arrived:
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


@dataclass(frozen=True, slots=True)
class Row:
    """One sequence in a step, and the position of its first token there."""

    sequence: int
    position: int


@dataclass(frozen=True, slots=True)
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


@dataclass
class Measurements:
    """What the telemetry reports. Times in milliseconds, of decode steps."""

    compute_ms: Recent = field(default_factory=Recent)
    queue_ms: Recent = field(default_factory=Recent)
    hop_ms: Recent = field(default_factory=Recent)
    steps: int = 0


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """A stage's place in its pipeline. prefill_chunk_tokens: fixed size of chunks; 0: from what is measured."""

    stage_index: int
    stage_count: int
    context_tokens: int
    prefill_chunk_tokens: int
    options: PipelineOptions = field(default_factory=PipelineOptions)

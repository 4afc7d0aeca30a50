"""What the engine works with: events, sequences, steps and measurements."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from shardd.rpc import lane_pb2
from shardd.stage.frames import Buffer, Frame
from shardd.stage.sampling import Sampler
from shardd.stage.scheduler import Waiting
from shardd.stage.timings import Recent

Header: TypeAlias = lane_pb2.FrameHeader

NEXT = "next"  # the lane to the next stage, where a controller's lane has its id and the previous stage's has ""


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


Event = Arrived | Lost | Halt


@dataclass(slots=True)
class Sequence:
    """One generation on this stage."""

    id: int
    opened: lane_pb2.Open
    source: str  # the head: the controller's lane it came by
    cache: Any
    position: int = 0  # tokens that this stage's cache holds
    prompt: list[int] = field(default_factory=list[int])
    planned: int = 0  # the head: prompt tokens that are queued or sent
    chunks_in_flight: int = 0
    sampler: Sampler | None = None
    generated: int = 0
    kv_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """Work for the compute thread."""

    sequence: int
    position: int
    count: int
    sample: bool
    tokens: tuple[int, ...] = ()  # the head's input
    frame: Frame | None = None  # the others' input
    arrived_ns: int = 0
    hop_us: int = 0

    @property
    def waiting(self) -> Waiting:
        return Waiting(self.sequence, chunk=not self.sample)


@dataclass
class Measurements:
    """What the telemetry reports. Times in milliseconds, of decode steps."""

    compute_ms: Recent = field(default_factory=Recent)
    queue_ms: Recent = field(default_factory=Recent)
    hop_ms: Recent = field(default_factory=Recent)
    steps: int = 0


@dataclass(frozen=True, slots=True)
class EngineSettings:
    stage_index: int
    stage_count: int
    context_tokens: int
    prefill_chunk_tokens: int
    layer_delay_ms: float = 0.0

"""What an agent tells a stage's process, and what it hears back: one JSON object per line on stdin and stdout.

The process ends when its stdin ends, so a stage never outlives its agent, not even an agent that was killed.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from typing import Any, TypeVar

MAX_LINE_BYTES = 4 * 1024 * 1024
DRAFTED_SEQUENCES = 2  # that a draft guesses for at the same time: placement reserves memory for so many caches


@dataclass(frozen=True, slots=True)
class PipelineOptions:
    """How a pipeline is driven, the same for all its stages.

    max_batch: sequences that may share a step. kv_tokens: tokens that all caches together may hold; 0: four times
    the context. speculate: whether the head may propose tokens. wire_bits: 0 sends activations as they are, 8 in
    groups of 64 with a scale. layer_delay_ms, token_delay_ms: bench only, each layer also waits so long, the latter for
    each token. link: bench only, LinkShape in words; "" for none.

    kept_share: what caches kept for the next turn may take of kv_tokens, where running answers leave it. kept_bits: 0
    keeps them as they are, 8 or 4 in groups with a scale. spill_bytes: what they may take on each node's disk; 0, the
    default: nothing, for they hold conversations, and writing gigabytes after each turn wears a disk.
    """

    max_batch: int = 16
    kv_tokens: int = 0
    speculate: bool = True
    wire_bits: int = 0
    layer_delay_ms: float = 0.0
    token_delay_ms: float = 0.0
    link: str = ""
    kept_share: float = 0.5
    kept_bits: int = 0
    spill_bytes: int = 0


@dataclass(frozen=True, slots=True)
class DraftFiles:
    """A whole small model for the head, whose guesses the pipeline verifies. context_tokens: up to where it guesses."""

    blueprint: str  # path
    units: list[str]  # paths
    layer_count: int
    context_tokens: int


@dataclass(frozen=True, slots=True)
class Start:
    """The first order: what to load, and as whom. Whom its lanes let in, each Grant says."""

    epoch: int
    stage_index: int
    stage_count: int
    first: int
    last: int
    blueprint: str  # path
    units: list[str]  # paths, in order
    host: str
    certificate_pem: str
    key_pem: str
    context_tokens: int
    prefill_chunk_tokens: int
    options: PipelineOptions = field(default_factory=PipelineOptions)
    draft: DraftFiles | None = None
    spill_folder: str = ""  # path, for the kept caches of exactly this stage; "": none

    def __post_init__(self) -> None:
        options: Any = self.options  # from a line it comes as a table
        if isinstance(options, dict):
            object.__setattr__(self, "options", PipelineOptions(**options))
        draft: Any = self.draft
        if isinstance(draft, dict):
            object.__setattr__(self, "draft", DraftFiles(**draft))


@dataclass(frozen=True, slots=True)
class Connect:
    """Dial the next stage. max_batch: sequences that may share a step, known when all stages are loaded."""

    addresses: list[str]
    port: int
    token: str  # hex
    certificate_pem: str
    max_batch: int = 1


@dataclass(frozen=True, slots=True)
class Grant:
    """Accept one dialler that presents this token and this certificate: a controller, or the previous stage."""

    token: str  # hex
    certificate_pem: str
    controller: bool


@dataclass(frozen=True, slots=True)
class Place:
    """Take this place in another deployment of the same model: lanes and sequences end, the weights stay."""

    epoch: int
    stage_index: int
    stage_count: int
    kv_tokens: int  # as in PipelineOptions


@dataclass(frozen=True, slots=True)
class Loading:
    done_bytes: int
    total_bytes: int


@dataclass(frozen=True, slots=True)
class Ready:
    """batchable: whether steps of several sequences can be computed as one."""

    lane_port: int
    weights_bytes: int
    batchable: bool = False


@dataclass(frozen=True, slots=True)
class Connected:
    pass


@dataclass(frozen=True, slots=True)
class Failed:
    """A sentence for a person. fatal: the process ends after this. joining: it is the answer to a Connect."""

    cause: str
    fatal: bool = True
    joining: bool = False


@dataclass(frozen=True, slots=True)
class Ring:
    """Whether the lanes from the stage before and to the next one stand; told at every change."""

    whole: bool


@dataclass(frozen=True, slots=True)
class Reading:
    """Telemetry, several times a second. Times are (p50, p95) in milliseconds over the latest decode steps."""

    weights_bytes: int
    kv_bytes: int
    queue_depth: int
    sequences: int
    steps: int
    compute_ms: list[float] = field(default_factory=list[float])
    queue_ms: list[float] = field(default_factory=list[float])
    hop_ms: list[float] = field(default_factory=list[float])
    samples: int = 0


Order = Start | Connect | Grant | Place
Report = Loading | Ready | Connected | Failed | Reading | Ring

_ORDERS: dict[str, type[Any]] = {kind.__name__: kind for kind in (Start, Connect, Grant, Place)}
_REPORTS: dict[str, type[Any]] = {kind.__name__: kind for kind in (Loading, Ready, Connected, Failed, Reading, Ring)}

Message = TypeVar("Message")


def to_line(message: Order | Report) -> bytes:
    return json.dumps({"kind": type(message).__name__} | dataclasses.asdict(message)).encode() + b"\n"


def order_from(line: bytes) -> Order:
    return _from(line, _ORDERS)


def report_from(line: bytes) -> Report:
    return _from(line, _REPORTS)


def _from(line: bytes, kinds: dict[str, type[Any]]) -> Any:
    """Raises ValueError for a line that is none of the kinds."""
    if len(line) > MAX_LINE_BYTES:
        raise ValueError(f"a line of {len(line)} bytes")
    try:
        fields: Any = json.loads(line)
    except RecursionError as error:
        raise ValueError("a line that is nested too deeply") from error
    kind = kinds.get(str(fields.pop("kind", ""))) if isinstance(fields, dict) else None
    if kind is None:
        raise ValueError("a line of an unknown kind")
    try:
        return kind(**fields)
    except TypeError as error:
        raise ValueError(str(error)) from error

"""What an agent tells a stage's process, and what it hears back: one JSON object per line on stdin and stdout.

The process ends when its stdin ends, so a stage never outlives its agent, not even an agent that was killed.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from typing import Any, TypeVar

MAX_LINE_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Start:
    """The first order: what to load and whom to trust."""

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
    trusted_pems: list[str]
    inbound_token: str  # hex; "" for the only stage
    context_tokens: int
    prefill_chunk_tokens: int
    layer_delay_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Connect:
    """Dial the next stage."""

    addresses: list[str]
    port: int
    token: str  # hex
    certificate_pem: str


@dataclass(frozen=True, slots=True)
class Grant:
    """Accept one dialler that presents this token and this certificate: a controller, or the previous stage."""

    token: str  # hex
    certificate_pem: str
    controller: bool


@dataclass(frozen=True, slots=True)
class Loading:
    done_bytes: int
    total_bytes: int


@dataclass(frozen=True, slots=True)
class Ready:
    lane_port: int
    weights_bytes: int


@dataclass(frozen=True, slots=True)
class Connected:
    pass


@dataclass(frozen=True, slots=True)
class Failed:
    """A sentence for a person. fatal: the process ends after this."""

    cause: str
    fatal: bool = True


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


Order = Start | Connect | Grant
Report = Loading | Ready | Connected | Failed | Reading

_ORDERS: dict[str, type[Any]] = {kind.__name__: kind for kind in (Start, Connect, Grant)}
_REPORTS: dict[str, type[Any]] = {kind.__name__: kind for kind in (Loading, Ready, Connected, Failed, Reading)}

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
    fields: dict[str, Any] = json.loads(line)
    kind = kinds.get(fields.pop("kind", ""))
    if kind is None:
        raise ValueError("a line of an unknown kind")
    try:
        return kind(**fields)
    except TypeError as error:
        raise ValueError(str(error)) from error

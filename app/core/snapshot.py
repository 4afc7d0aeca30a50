"""What the controller shows: immutable facts that the window and the command line render.

A new Snapshot is made whenever something changes; nothing in it is ever edited. Sizes are bytes, times milliseconds;
None means "not measured yet" and is shown as such, never as zero.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from app.core.placement.placement import Placement
from app.core.placement.saved import SavedPlacement
from app.core.text import phrase

if TYPE_CHECKING:
    from shardd.model.inventory import Inventory


class NodeState(enum.Enum):
    """How the controller stands with a node. The value is the word shown."""

    CONNECTING = phrase("connecting")
    READY = phrase("ready")
    SUSPECT = phrase("not answering")
    LOST = phrase("lost")
    NOT_PAIRED = phrase("not paired")
    INCOMPATIBLE = phrase("needs an update")


@dataclass(frozen=True, slots=True)
class MemoryView:
    """A machine's memory, in bytes. total = weights + kv + others + free."""

    total: int
    weights: int
    kv: int
    others: int
    free: int
    shard_available: int  # what the owner allows new shards to take, less what is reserved; at most free
    reserved: int = 0  # what the settings keep free there


@dataclass(frozen=True, slots=True)
class SpreadView:
    p50: float
    p95: float


@dataclass(frozen=True, slots=True)
class StageView:
    """A stage as a node reports it."""

    stage_id: str
    index: int
    count: int
    first: int
    last: int
    state: str  # "loading", "ready", "failed"
    cause: str  # why, where it failed
    weights_bytes: int
    kv_bytes: int
    process_bytes: int
    sequences: int
    queue_depth: int
    compute_ms: SpreadView | None
    queue_ms: SpreadView | None
    hop_ms: SpreadView | None  # the hop into this stage


@dataclass(frozen=True, slots=True)
class TransferView:
    """A push or a load under way on a node."""

    phase: str  # "preparing", "sending", "loading"
    done_bytes: int
    total_bytes: int
    bytes_per_s: float | None


@dataclass(frozen=True, slots=True)
class ShardView:
    shard_id: str
    model: str
    first: int
    last: int
    bytes: int
    loaded: bool
    spare: bool = False  # kept there in case another machine is lost


@dataclass(frozen=True, slots=True)
class NodeView:
    name: str
    address: str  # "host:port" as it is dialled
    fingerprint: str
    local: bool  # an agent that this controller started itself
    state: NodeState
    state_text: str  # one sentence: what the state means here and what to do
    chip: str
    os: str
    versions: Mapping[str, str]
    memory: MemoryView | None
    swap_used: int | None
    cpu_percent: float | None
    disk_free: int | None
    round_trip_ms: float | None  # controller to agent, control plane
    stage: StageView | None
    shards: tuple[ShardView, ...]
    transfer: TransferView | None


@dataclass(frozen=True, slots=True)
class DiscoveredAgent:
    """An agent that announces itself on the network and is not a node yet."""

    name: str
    address: str
    fingerprint: str
    version: str


@dataclass(frozen=True, slots=True)
class ModelView:
    name: str
    directory: str
    inventory: Inventory


@dataclass(frozen=True, slots=True)
class MachineFigures:
    """What was measured of a machine, also in earlier runs; None: not measured. seconds_per_byte: decode time per byte
    of weights in its last runs. hop_ms: the last hop into it. push_bytes_per_s: of the last push. read_bytes_per_s,
    flops_per_s: the quick reading, no model involved."""

    seconds_per_byte: float | None = None
    hop_ms: float | None = None
    push_bytes_per_s: float | None = None
    read_bytes_per_s: float | None = None
    flops_per_s: float | None = None


class DeploymentState(enum.Enum):
    NONE = phrase("nothing is deployed")
    DEPLOYING = "deploying"
    READY = "ready"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class DeploymentView:
    state: DeploymentState
    text: str  # one sentence; the cause where it failed
    epoch: int
    model: str
    placement: Placement | None
    context_tokens: int
    coming: Placement | None = None  # what is prepared beside it, while it goes on answering


@dataclass(frozen=True, slots=True)
class SpareView:
    """A second copy of one stage's units on another node's disk."""

    node: str  # whose disk
    first: int
    last: int
    runs_on: str
    bytes: int
    there: bool  # False: on its way


@dataclass(frozen=True, slots=True)
class SparesView:
    wanted: bool = False
    text: str = ""  # one sentence; "" where none are wanted
    spares: tuple[SpareView, ...] = ()


class Level(enum.Enum):
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class ActivityEntry:
    number: int  # grows by one per entry
    at: float  # seconds since the epoch
    level: Level
    node: str  # "" for the controller itself
    message: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    nodes: tuple[NodeView, ...] = ()
    discovered: tuple[DiscoveredAgent, ...] = ()
    discovery_problem: str = ""  # why discovery does not work here, in words; "" when it does
    default_context: int = 4096  # tokens that a new placement begins with
    model: ModelView | None = None
    models: tuple[str, ...] = ()  # names of the models on this machine's disk
    deployment: DeploymentView = field(
        default_factory=lambda: DeploymentView(DeploymentState.NONE, phrase("Nothing is deployed."), 0, "", None, 0)
    )
    spares: SparesView = field(default_factory=SparesView)
    seconds_per_byte: Mapping[str, float] = field(
        default_factory=dict[str, float]
    )  # measured on each node's last steps
    figures: Mapping[str, MachineFigures] = field(default_factory=dict[str, MachineFigures])  # by machine
    saved: tuple[SavedPlacement, ...] = ()  # of the chosen model

    def node(self, name: str) -> NodeView | None:
        return next((node for node in self.nodes if node.name == name), None)

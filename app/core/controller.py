"""The controller: nodes, models, one deployment and its answers, behind commands and snapshots.

Everything here runs on one asyncio loop. A window calls it through app.ui.bridge, the command line directly.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from app.core.generation.request import GenerationRequest, GenerationUpdate
from app.core.placement.placement import Placement
from app.core.snapshot import ActivityEntry, Snapshot

Unsubscribe = Callable[[], None]


@dataclass(frozen=True, slots=True)
class ProbedAgent:
    """What answers at an address before anything is trusted."""

    address: str  # "host:port"
    fingerprint: str
    trusted: bool  # this controller has pinned it
    trusts_us: bool  # it has this controller's certificate
    advice: str  # what to do next where it is not both; "" otherwise


@dataclass(frozen=True, slots=True)
class NodeMove:
    """What a deployment would do to one node."""

    node: str
    send_bytes: int  # units that the node lacks
    load_bytes: int
    first: int
    last: int


class Controller:
    def snapshot(self) -> Snapshot:
        raise NotImplementedError

    def subscribe(self, on_snapshot: Callable[[Snapshot], None]) -> Unsubscribe:
        """Calls back on the loop with every new snapshot, at most 20 a second, the latest always."""
        raise NotImplementedError

    def activity(self) -> tuple[ActivityEntry, ...]:
        """The latest entries (at most 1,000), oldest first."""
        raise NotImplementedError

    def subscribe_activity(self, on_entry: Callable[[ActivityEntry], None]) -> Unsubscribe:
        raise NotImplementedError

    async def start(self) -> None:
        """Connects to the known nodes and begins to look for agents. Returns at once; states arrive by snapshot."""
        raise NotImplementedError

    async def close(self) -> None:
        raise NotImplementedError

    async def choose_model(self, name_or_directory: str) -> None:
        """Reads what the model holds; the snapshot's model changes. Raises ModelError or ShardboardError."""
        raise NotImplementedError

    async def probe_agent(self, address: str) -> ProbedAgent:
        """Looks who answers at HOST or HOST:PORT. Raises ShardboardError in words when nobody does."""
        raise NotImplementedError

    async def add_node(self, address: str, fingerprint: str) -> None:
        """Pins the agent with this fingerprint and connects. Raises ShardboardError when it is another one."""
        raise NotImplementedError

    async def forget_node(self, name: str) -> None:
        raise NotImplementedError

    def preview(self, placement: Placement) -> tuple[NodeMove, ...]:
        """What deploying this would send and load, from what is known now; nothing is touched."""
        raise NotImplementedError

    async def deploy(self, placement: Placement, context_tokens: int) -> None:
        """Pushes what is missing, loads every stage, joins the lanes. Raises before anything is changed when the
        placement has a problem; on a failure under way the snapshot's deployment says which node and why."""
        raise NotImplementedError

    async def undeploy(self) -> None:
        raise NotImplementedError

    async def restart_stage(self, node: str) -> None:
        raise NotImplementedError

    def generate(self, request: GenerationRequest) -> AsyncIterator[GenerationUpdate]:
        """Updates of one answer; the last is a GenerationResult. Closing the iterator stops it at the next token."""
        raise NotImplementedError

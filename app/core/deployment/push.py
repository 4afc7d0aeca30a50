"""Bringing every node the units that it lacks, and nothing else: from the controller, or from a node that has them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic

import grpc

from app.core.cluster.client import AgentError
from app.core.cluster.node import Node, addresses_of
from app.core.deployment.source import Blob, ModelSource
from app.core.deployment.sources import Round, Wanted, plan_rounds
from app.core.errors import ShardboardError
from app.core.snapshot import NodeState, TransferView
from app.core.text import phrase
from shardd.host import format_bytes
from shardd.model.inventory import Inventory
from shardd.rpc import agent_pb2

AT_ONCE = 3  # units on their way to one node: while one is verified, the next already flow
OFFER = 500  # digests in one question
SHOW_S = 0.1
BACK_S = 10.0  # how long a node may be away in the middle of a push, and a unit be tried again without a byte moved
TRIES = 30  # of one unit, however often its bytes move: an end to what can't succeed
PAUSE_S = 0.5  # the node may not have noticed yet that the last try is over
AWAY = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.INTERNAL,  # what gRPC says of a connection that broke while it was written to
    grpc.StatusCode.UNKNOWN,
    grpc.StatusCode.ABORTED,  # the unit is still arriving by the connection that broke
)


@dataclass(slots=True)
class Transfer:
    """What one node's shard took. already_bytes: was there before. fetched_bytes: came from other nodes."""

    node: str
    units: int = 0
    already_bytes: int = 0
    sent_bytes: int = 0
    fetched_bytes: int = 0
    retries: int = 0
    seconds: float = 0.0


class Meter:
    """Progress of one node's shard, shown on its card."""

    def __init__(self, node: Node, total: int) -> None:
        self._node = node
        self._total = total
        self._done = 0
        self._began = monotonic()
        self._shown = 0.0

    def add(self, count: int) -> None:
        self._done += count
        now = monotonic()
        if now - self._shown >= SHOW_S:
            self._shown = now
            elapsed = now - self._began
            rate = self._done / elapsed if elapsed > SHOW_S else None
            self._node.show_transfer(TransferView("sending", self._done, self._total, rate))


class TransferFailed(ShardboardError):
    """node: whose shard it was."""

    def __init__(self, node: str, cause: str, remedy: str = "") -> None:
        super().__init__(cause, remedy)
        self.node = node


@dataclass(frozen=True, slots=True)
class ShardOrder:
    """What one node is to hold."""

    node: Node
    first: int
    last: int
    blobs: tuple[Blob, ...]


def shard_orders(
    nodes: Sequence[Node], ranges: Sequence[tuple[int, int]], inventory: Inventory, source: ModelSource
) -> list[ShardOrder]:
    """One order a node, for these inclusive layer ranges."""
    orders: list[ShardOrder] = []
    for node, (first, last) in zip(nodes, ranges, strict=True):
        units = inventory.units_for(first, last)
        blobs = (source.blueprint, *(source.units[unit.name] for unit in units))
        orders.append(ShardOrder(node, first, last, blobs))
    return orders


async def bring_shards(
    model: str, inventory: Inventory, orders: Sequence[ShardOrder], others: Sequence[Node]
) -> tuple[list[str], list[Transfer]]:
    """Makes sure that every node holds its shard; the shards' ids and what each took.

    others: further nodes that may hold units. Raises TransferFailed naming a node.
    """
    began = monotonic()
    states = await ask_nodes(orders, others)
    missing: dict[str, list[Wanted]] = {}
    transfers = {order.node.name: Transfer(order.node.name, len(order.blobs)) for order in orders}
    meters: dict[str, Meter] = {}
    for order in orders:
        here, room = states[order.node.name]
        lacking = [
            Wanted(blob.digest, blob.size, here[blob.digest].have_bytes)
            for blob in order.blobs
            if not here[blob.digest].whole
        ]
        total = sum(unit.left for unit in lacking)
        transfers[order.node.name].already_bytes = sum(blob.size for blob in order.blobs) - total
        if total > room:
            raise TransferFailed(
                order.node.name,
                phrase(
                    "{name} lacks {total} of disk space for its layers.",
                    name=order.node.name,
                    total=format_bytes(total - room),
                ),
                phrase("Free some there, or give it fewer layers."),
            )
        missing[order.node.name] = lacking
        meters[order.node.name] = Meter(order.node, total)
    digests = {unit.digest for units in missing.values() for unit in units}
    holders = {d: {name for name, (here, _) in states.items() if d in here and here[d].whole} for d in digests}
    nodes = {node.name: node for node in (*others, *(order.node for order in orders))}
    work = _Work(nodes, {blob.digest: blob for order in orders for blob in order.blobs}, transfers, meters)
    for round_ in plan_rounds(missing, holders):
        await work.run(round_)
    ids: list[str] = []
    for order in orders:
        ids.append(await order.node.client.put_shard(_manifest(model, inventory, order)))
        transfers[order.node.name].seconds = monotonic() - began
    return ids, list(transfers.values())


def _manifest(model: str, inventory: Inventory, order: ShardOrder) -> agent_pb2.ShardManifest:
    blueprint, *units = order.blobs
    return agent_pb2.ShardManifest(
        model=model,
        blueprint=blueprint.digest,
        first=order.first,
        last=order.last,
        layer_count=inventory.layer_count,
        units=[agent_pb2.UnitReference(name=blob.name, digest=blob.digest, bytes=blob.size) for blob in units],
    )


async def ask_nodes(
    orders: Sequence[ShardOrder], others: Sequence[Node]
) -> dict[str, tuple[dict[str, agent_pb2.UnitState], int]]:
    """What each node holds of the units that somebody needs, and its room on the disk."""
    everything = list(dict.fromkeys(blob.digest for order in orders for blob in order.blobs))

    async def ask(node: Node) -> tuple[dict[str, agent_pb2.UnitState], int]:
        states: dict[str, agent_pb2.UnitState] = {}
        room = 0
        for start in range(0, len(everything), OFFER):
            reply = await node.client.offer_units(everything[start : start + OFFER])
            states |= {state.digest: state for state in reply.states}
            room = reply.disk_free
        return states, room

    async def ask_other(node: Node) -> tuple[dict[str, agent_pb2.UnitState], int]:
        try:
            return await ask(node)
        except AgentError:
            return {}, 0

    needed = [order.node for order in orders]
    spare = [node for node in others if node.state is NodeState.READY and node not in needed]
    answers = await asyncio.gather(*(ask(node) for node in needed), *(ask_other(node) for node in spare))
    return {node.name: answer for node, answer in zip((*needed, *spare), answers, strict=True)}


class _Work:
    """Carries out rounds."""

    def __init__(
        self,
        nodes: Mapping[str, Node],
        blobs: Mapping[str, Blob],
        transfers: Mapping[str, Transfer],
        meters: Mapping[str, Meter],
    ) -> None:
        self._nodes = nodes
        self._blobs = blobs
        self._transfers = transfers
        self._meters = meters
        self._slots = {name: asyncio.Semaphore(AT_ONCE) for name in nodes}

    async def run(self, round_: Round) -> None:
        """Everything of a round at the same time. The first failure ends the others."""
        try:
            async with asyncio.TaskGroup() as group:
                for name, digests in round_.pushes.items():
                    for digest in digests:
                        group.create_task(self._push(name, digest))
                for (name, holder), digests in round_.fetches.items():
                    group.create_task(self._fetch(name, holder, digests))
        except* TransferFailed as failures:
            raise failures.exceptions[0] from None

    async def _push(self, name: str, digest: str) -> None:
        """One unit from the controller, again where the node was away for a while."""
        node, blob, transfer = self._nodes[name], self._blobs[digest], self._transfers[name]
        async with self._slots[name]:
            failing_since: float | None = None

            def sent(count: int) -> None:
                nonlocal failing_since
                failing_since = None
                transfer.sent_bytes += count
                self._meters[name].add(count)

            for attempt in range(TRIES):
                try:
                    await self._push_once(node, blob, sent)
                    return
                except AgentError as error:
                    if blob.changed():
                        raise TransferFailed(
                            name,
                            phrase(
                                "The model's files changed while {name} was sent to {name_2}.",
                                name=blob.name,
                                name_2=name,
                            ),
                            phrase("Deploy again when nothing writes to them any more."),
                        ) from error
                    failing_since = failing_since or monotonic()
                    if error.code not in AWAY or monotonic() - failing_since > BACK_S or attempt == TRIES - 1:
                        raise TransferFailed(name, error.cause, error.remedy) from error
                    transfer.retries += 1
                    await asyncio.sleep(PAUSE_S)
                    await self._wait_for(node)

    async def _push_once(self, node: Node, blob: Blob, sent: Callable[[int], None]) -> None:
        reply = await node.client.offer_units([blob.digest])
        state = reply.states[0]
        if state.whole:
            return
        pieces = blob.pieces(state.have_bytes)
        await node.client.push_unit(blob.digest, blob.size, state.have_bytes, lambda: _next(pieces), sent)

    async def _fetch(self, name: str, holder: str, digests: Sequence[str]) -> None:
        """Units from another node; what it cannot give comes from the controller."""
        node, transfer = self._nodes[name], self._transfers[name]
        left = dict.fromkeys(digests)
        try:
            token = await self._nodes[holder].client.grant_units(digests, node.known.certificate_pem)
            blobs = [self._blobs[digest] for digest in digests]
            seen: dict[str, int] = {}
            async for progress in node.client.fetch_units(
                addresses_of(self._nodes[holder]),
                self._nodes[holder].address.port,
                self._nodes[holder].known.certificate_pem,
                token,
                blobs,
            ):
                count = progress.done_bytes - seen.get(progress.digest, 0)
                seen[progress.digest] = progress.done_bytes
                transfer.fetched_bytes += count
                self._meters[name].add(count)
                if progress.whole:
                    left.pop(progress.digest, None)
        except AgentError:
            pass  # whatever is left is pushed; a node that is away itself says so there
        if left:
            transfer.retries += 1
        await asyncio.gather(*(self._push(name, digest) for digest in left))

    async def _wait_for(self, node: Node) -> None:
        try:
            await node.wait_ready(BACK_S)
        except AgentError as error:
            raise TransferFailed(node.name, error.cause, error.remedy) from error


def _next(pieces: Iterator[bytes]) -> bytes | None:
    return next(pieces, None)

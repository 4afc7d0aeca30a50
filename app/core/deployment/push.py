"""Sending a node the units that it lacks, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from time import monotonic

from app.core.cluster.node import Node
from app.core.deployment.source import Blob, ModelSource
from app.core.errors import ShardboardError
from app.core.snapshot import TransferView
from shardd.host import format_bytes
from shardd.model.inventory import Inventory
from shardd.rpc import agent_pb2

AT_ONCE = 2  # units on their way to one node: while one is verified, the next already flows
OFFER = 500  # digests in one question
SHOW_S = 0.1


class Meter:
    """Progress of one node's push, shown on its card."""

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


async def push_shard(
    node: Node, model: str, inventory: Inventory, source: ModelSource, first: int, last: int
) -> tuple[str, int]:
    """Makes sure that the node holds the shard of these layers. Answers its id and the bytes that were sent."""
    units = inventory.units_for(first, last)
    blobs = [source.blueprint, *(source.units[unit.name] for unit in units)]
    sent = await _push_missing(node, blobs)
    manifest = agent_pb2.ShardManifest(
        model=model,
        blueprint=source.blueprint.digest,
        first=first,
        last=last,
        layer_count=inventory.layer_count,
        units=[
            agent_pb2.UnitReference(
                name=unit.name, digest=source.units[unit.name].digest, bytes=source.units[unit.name].size
            )
            for unit in units
        ],
    )
    return await node.client.put_shard(manifest), sent


async def _push_missing(node: Node, blobs: Sequence[Blob]) -> int:
    states: dict[str, agent_pb2.UnitState] = {}
    disk_free = 0
    for start in range(0, len(blobs), OFFER):
        reply = await node.client.offer_units([blob.digest for blob in blobs[start : start + OFFER]])
        states |= {state.digest: state for state in reply.states}
        disk_free = reply.disk_free
    missing = [blob for blob in blobs if not states[blob.digest].whole]
    total = sum(blob.size - states[blob.digest].have_bytes for blob in missing)
    if total > disk_free:
        raise ShardboardError(
            f"{node.name} lacks {format_bytes(total - disk_free)} of disk space for its layers.",
            "Free some there, or give it fewer layers.",
        )
    meter = Meter(node, total)
    slots = asyncio.Semaphore(AT_ONCE)

    async def push(blob: Blob) -> None:
        async with slots:
            offset = states[blob.digest].have_bytes
            pieces = blob.pieces(offset)
            await node.client.push_unit(blob.digest, blob.size, offset, lambda: _next(pieces), meter.add)

    async with asyncio.TaskGroup() as group:
        for blob in missing:
            group.create_task(push(blob))
    return total


def _next(pieces: Iterator[bytes]) -> bytes | None:
    return next(pieces, None)

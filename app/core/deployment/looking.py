"""How each stage of a deployment stands just now, asked of its machine."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace

from app.core.cluster.client import AgentError
from app.core.cluster.node import Node
from app.core.deployment.deployment import Deployment, LiveStage
from app.core.deployment.losses import Fate, Seen
from app.core.snapshot import NodeState
from app.core.text import joined, phrase
from shardd.rpc import agent_pb2

ASK_S = 2.0
PARTED = 2  # times that a stage did not reach the next one, though both are there
GONE = (NodeState.LOST, NodeState.NOT_PAIRED, NodeState.INCOMPATIBLE, NodeState.CONNECTING)


async def look(deployment: Deployment, nodes: Mapping[str, Node]) -> list[Seen]:
    """One for each stage, in order."""
    return list(await asyncio.gather(*(_look_at(stage, deployment.epoch, nodes) for stage in deployment.stages)))


async def _look_at(stage: LiveStage, epoch: int, nodes: Mapping[str, Node]) -> Seen:
    node = nodes.get(stage.node)

    def seen(fate: Fate, cause: str = "") -> Seen:
        return Seen(stage.node, stage.first, stage.last, fate, cause)

    if not stage.stage_id:
        return seen(Fate.AWAY, phrase("No machine has loaded {layers}.", layers=seen(Fate.AWAY).layers))
    if node is None or node.state in GONE:
        return seen(Fate.AWAY, node.state_text if node else phrase("{node} was forgotten.", node=stage.node))
    try:
        async with asyncio.timeout(ASK_S):
            await node.refresh_stages()
    except (AgentError, TimeoutError):
        return seen(Fate.DOUBTFUL)
    found = node.stages.get(stage.stage_id) or node.released.get(stage.stage_id)
    if found is None:
        return seen(Fate.MISSING, phrase("{node} was started again.", node=stage.node))
    if found.released:
        return seen(Fate.RELEASED, released_text(stage.node, found))
    if found.epoch > epoch:
        return seen(Fate.TAKEN)
    if found.state == agent_pb2.STAGE_STATE_FAILED:
        return seen(Fate.ENDED, stopped_text(stage.node, found))
    return seen(Fate.READY if found.state == agent_pb2.STAGE_STATE_READY else Fate.DOUBTFUL)


def released_text(node: str, stage: agent_pb2.Stage) -> str:
    """Why a stage is not there, of one that its machine unloaded by itself."""
    return phrase("On {node}: {cause}", node=node, cause=stage.cause)


def or_parted(seen: Seen, failed: Mapping[str, int]) -> Seen:
    """A stage that is there and could not be joined so often: its layers go where the way is open. failed: by node."""
    if seen.fate is not Fate.READY or failed.get(seen.node, 0) < PARTED:
        return seen
    return replace(seen, fate=Fate.PARTED, cause=parted_text(seen.node))


def parted_text(node: str) -> str:
    """Of a stage that is there and whose lane to the next one cannot be opened."""
    return phrase("{node} does not reach the next stage. Look at the network between the two.", node=node)


def stopped_text(node: str, stage: agent_pb2.Stage) -> str:
    """What became of a stage whose process ended, and why."""
    where = phrase("Layers {first} to {last} on {node} stopped.", first=stage.first, last=stage.last, node=node)
    return joined((where, stage.cause))

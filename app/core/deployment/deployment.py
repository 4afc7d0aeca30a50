"""A placement made live: stages loaded on their nodes and joined in a ring."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, TypeVar

from app.core.cluster.client import AgentError
from app.core.cluster.node import Node
from app.core.deployment.push import push_shard
from app.core.deployment.source import ModelSource
from app.core.errors import SentenceError, ShardboardError
from app.core.placement.placement import Placement, StageRange
from app.core.snapshot import TransferView
from shardd.model.inventory import Inventory
from shardd.rpc import agent_pb2
from shardd.stage.orders import PipelineOptions

MAX_BATCH = 16

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class LiveStage:
    """One loaded stage."""

    node: str
    stage_id: str
    first: int
    last: int
    lane_port: int
    batchable: bool = False


@dataclass(frozen=True, slots=True)
class Deployment:
    """What is live. load_bytes, load_seconds: weights loaded on all nodes, from the first order to the last ready."""

    epoch: int
    model: str
    placement: Placement
    context_tokens: int
    stages: tuple[LiveStage, ...]
    sent_bytes: int = 0
    load_bytes: int = 0
    load_seconds: float = 0.0
    max_batch: int = MAX_BATCH


class DeploymentFailed(ShardboardError):
    """A deployment stopped half-way; what it had loaded was unloaded again."""

    def __init__(self, node: str, cause: str, remedy: str = "") -> None:
        super().__init__(cause, remedy)
        self.node = node


@dataclass(frozen=True, slots=True)
class DeployOrder:
    """Everything that a deployment needs to know."""

    model: str
    inventory: Inventory
    source: ModelSource
    placement: Placement
    context_tokens: int
    options: PipelineOptions = field(default_factory=PipelineOptions)
    prefill_chunk_tokens: int = 0  # 0: the head chooses from what it measures


async def deploy(order: DeployOrder, nodes: Mapping[str, Node]) -> Deployment:
    """Pushes, loads and joins. Raises DeploymentFailed naming the node; nothing stays loaded then."""
    placed = [nodes[stage.node] for stage in order.placement.stages]
    epoch = time.time_ns() // 1000
    loaded: list[LiveStage] = []
    try:
        pushed = await _on_each(placed, [_push(order, node, stage) for node, stage in _pairs(order, placed)])
        began = time.monotonic()
        tokens = [secrets.token_bytes(32) for _ in placed]  # tokens[i] opens the lane into stage i
        shard_ids = [shard_id for shard_id, _ in pushed]
        loads = [
            _load(order, epoch, placed, index, shard_ids[index], tokens[index], loaded) for index in range(len(placed))
        ]
        stages = await _on_each(placed, loads)
        seconds = time.monotonic() - began
        await join(placed, stages, tokens, order.options.max_batch)
    except BaseException:
        await asyncio.shield(unload(loaded, nodes))
        raise
    finally:
        for node in placed:
            node.show_transfer(None)
    return Deployment(
        epoch=epoch,
        model=order.model,
        placement=order.placement,
        context_tokens=order.context_tokens,
        stages=tuple(stages),
        sent_bytes=sum(sent for _, sent in pushed),
        load_bytes=sum(order.inventory.weights_bytes(stage.first, stage.last) for stage in order.placement.stages),
        load_seconds=seconds,
        max_batch=order.options.max_batch,
    )


async def join(nodes: Sequence[Node], stages: Sequence[LiveStage], tokens: Sequence[bytes], max_batch: int) -> None:
    """Has every stage dial the next one; the tail dials the head. One stage alone needs no lane."""
    if len(stages) > 1:
        await _on_each(nodes, [connect(nodes, stages, index, tokens, max_batch) for index in range(len(stages))])


async def connect(
    nodes: Sequence[Node], stages: Sequence[LiveStage], index: int, tokens: Sequence[bytes], max_batch: int
) -> None:
    """Has one stage dial the next."""
    following = (index + 1) % len(stages)
    request = agent_pb2.ConnectStageRequest(
        stage_id=stages[index].stage_id,
        addresses=lane_addresses(nodes[following]),
        port=stages[following].lane_port,
        outbound_token=tokens[following],
        certificate=nodes[following].known.certificate_pem,
        max_batch=max_batch if all(stage.batchable for stage in stages) else 1,
    )
    await nodes[index].client.connect_stage(request)


def lane_addresses(node: Node) -> list[str]:
    """Where other machines try to reach a node: as we do, then as it describes itself."""
    described = list(node.description.addresses) if node.description else []
    return list(dict.fromkeys([node.address.host, *described]))


async def restart(deployment: Deployment, index: int, nodes: Mapping[str, Node]) -> Deployment:
    """Starts one stage's process again and joins it to its neighbours. Raises DeploymentFailed."""
    placed = [nodes[stage.node] for stage in deployment.stages]
    node, count = placed[index], len(placed)
    stages = list(deployment.stages)
    tokens = [secrets.token_bytes(32) for _ in placed]
    try:
        async for progress in node.client.restart_stage(stages[index].stage_id, tokens[index] if count > 1 else b""):
            node.show_transfer(TransferView("loading", progress.done_bytes, progress.total_bytes, None))
            stages[index] = replace(stages[index], lane_port=progress.lane_port, batchable=progress.batchable)
        if count > 1:
            following = (index + 1) % count
            grant = await placed[following].client.grant_lane(stages[following].stage_id, node.known.certificate_pem)
            tokens[following] = grant.token
            await connect(placed, stages, (index - 1) % count, tokens, deployment.max_batch)
            await connect(placed, stages, index, tokens, deployment.max_batch)
    except AgentError as error:
        raise DeploymentFailed(node.name, error.cause, error.remedy) from error
    finally:
        node.show_transfer(None)
    return replace(deployment, stages=tuple(stages))


async def unload(stages: Sequence[LiveStage], nodes: Mapping[str, Node]) -> None:
    """Unloads what can be reached; a node that is gone frees its memory by itself."""

    async def one(stage: LiveStage) -> None:
        node = nodes.get(stage.node)
        if node is not None:
            await node.client.unload_stage(stage.stage_id)

    await asyncio.gather(*(one(stage) for stage in stages), return_exceptions=True)


def _pairs(order: DeployOrder, placed: Sequence[Node]) -> list[tuple[Node, StageRange]]:
    return list(zip(placed, order.placement.stages, strict=True))


async def _push(order: DeployOrder, node: Node, stage: StageRange) -> tuple[str, int]:
    return await push_shard(node, order.model, order.inventory, order.source, stage.first, stage.last)


async def _load(
    order: DeployOrder,
    epoch: int,
    placed: Sequence[Node],
    index: int,
    shard_id: str,
    token: bytes,
    loaded: list[LiveStage],
) -> LiveStage:
    node, stage = placed[index], order.placement.stages[index]
    request = agent_pb2.LoadStageRequest(
        epoch=epoch,
        shard_id=shard_id,
        stage_index=index,
        stage_count=len(placed),
        context_tokens=order.context_tokens,
        prefill_chunk_tokens=order.prefill_chunk_tokens,
        peer_certificates=list(dict.fromkeys(peer.known.certificate_pem for peer in placed)),
        inbound_token=token if len(placed) > 1 else b"",
        options=agent_pb2.PipelineOptions(**asdict(order.options)),
    )
    live = LiveStage(node.name, "", stage.first, stage.last, 0)
    began = time.monotonic()
    async for progress in node.client.load_stage(request):
        if not live.stage_id:
            live = replace(live, stage_id=progress.stage_id)
            loaded.append(live)
        elapsed = time.monotonic() - began
        rate = progress.done_bytes / elapsed if elapsed > 0.2 else None
        node.show_transfer(TransferView("loading", progress.done_bytes, progress.total_bytes, rate))
        live = replace(live, lane_port=progress.lane_port, batchable=progress.batchable)
    return live


async def _on_each(nodes: Sequence[Node], jobs: Sequence[Coroutine[Any, Any, Result]]) -> list[Result]:
    """Runs one job per node at once. The first failure cancels the others and is raised with its node's name."""

    async def named(node: Node, job: Coroutine[Any, Any, Result]) -> Result:
        try:
            return await job
        except SentenceError as error:
            raise DeploymentFailed(node.name, error.cause, error.remedy) from error

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(named(node, job)) for node, job in zip(nodes, jobs, strict=True)]
    except* DeploymentFailed as failures:
        raise failures.exceptions[0] from None
    return [task.result() for task in tasks]

"""A placement made live: stages loaded on their nodes and joined in a ring."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, TypeVar

from app.core.cluster.client import AgentError
from app.core.cluster.node import Node, addresses_of
from app.core.deployment.drafting import DraftOrder
from app.core.deployment.push import ShardOrder, Transfer, TransferFailed, bring_shards, shard_orders
from app.core.deployment.source import ModelSource
from app.core.errors import SentenceError, ShardboardError
from app.core.placement.placement import Placement
from app.core.snapshot import NodeState, TransferView
from shardd.model.inventory import Inventory
from shardd.rpc import agent_pb2
from shardd.stage.orders import PipelineOptions

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
    shard_id: str = ""


@dataclass(frozen=True, slots=True)
class Deployment:
    """What is live. load_bytes, load_seconds: weights loaded on all nodes, from the first order to the last ready."""

    epoch: int
    model: str
    placement: Placement
    context_tokens: int
    stages: tuple[LiveStage, ...]
    transfers: tuple[Transfer, ...] = ()
    load_bytes: int = 0
    load_seconds: float = 0.0
    options: PipelineOptions = field(default_factory=PipelineOptions)
    prefill_chunk_tokens: int = 0
    draft: str = ""  # the model that drafts; "" for none

    def has(self, stage_id: str) -> bool:
        return any(stage.stage_id == stage_id for stage in self.stages)

    @property
    def sent_bytes(self) -> int:
        """What this controller sent for it."""
        return sum(transfer.sent_bytes for transfer in self.transfers)

    @property
    def fetched_bytes(self) -> int:
        """What nodes fetched from each other for it."""
        return sum(transfer.fetched_bytes for transfer in self.transfers)


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
    draft: DraftOrder | None = None


async def deploy(order: DeployOrder, nodes: Mapping[str, Node]) -> Deployment:
    """Pushes, loads and joins. Raises DeploymentFailed naming the node; nothing stays loaded then."""
    deployment = await prepare(order, nodes)
    try:
        await rejoin(deployment, nodes)
    except BaseException:
        await asyncio.shield(unload(deployment.stages, nodes))
        raise
    return deployment


async def prepare(order: DeployOrder, nodes: Mapping[str, Node], running: Deployment | None = None) -> Deployment:
    """Pushes and loads, beside what is running; its stages that can stay as they are become part of the new deployment.
    It is not joined yet. Raises DeploymentFailed naming the node; what was loaded is unloaded again then."""
    placed = [nodes[stage.node] for stage in order.placement.stages]
    epoch = _next_epoch(nodes)
    loaded: list[LiveStage] = []
    try:
        others = [node for node in nodes.values() if node not in placed]
        shard_ids, transfers = await _bring(order, placed, others)
        draft_id = await bring_draft(order.draft, placed[0], [*placed[1:], *others], transfers) if order.draft else ""
        stages = staying(order, running, shard_ids) if running else {}
        fresh = [index for index in range(len(placed)) if index not in stages]
        began = time.monotonic()
        loads = [_load(order, epoch, placed, index, (shard_ids[index], draft_id), loaded) for index in fresh]
        stages |= zip(fresh, await _on_each([placed[index] for index in fresh], loads), strict=True)
        seconds = time.monotonic() - began
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
        stages=tuple(stages[index] for index in range(len(placed))),
        transfers=tuple(transfers),
        load_bytes=sum(order.inventory.weights_bytes(stages[index].first, stages[index].last) for index in fresh),
        load_seconds=seconds,
        options=order.options,
        prefill_chunk_tokens=order.prefill_chunk_tokens,
        draft=order.draft.model.name if order.draft else "",
    )


def driven_alike(order: DeployOrder, running: Deployment) -> bool:
    """Whether a stage of the running deployment would be loaded with the same settings; kv_tokens can be told it."""
    return (
        running.context_tokens == order.context_tokens
        and running.prefill_chunk_tokens == order.prefill_chunk_tokens
        and replace(running.options, kv_tokens=order.options.kv_tokens) == order.options
    )


def staying(order: DeployOrder, running: Deployment, shard_ids: Sequence[str]) -> dict[int, LiveStage]:
    """The running stages that the order has on the same node with the same weights, by their new index. Pure."""
    if not driven_alike(order, running):
        return {}
    there = {(stage.node, stage.shard_id): stage for stage in running.stages}
    found = {
        index: there[stage.node, shard_id]
        for index, (stage, shard_id) in enumerate(zip(order.placement.stages, shard_ids, strict=True))
        if (stage.node, shard_id) in there
    }
    if (order.draft.model.name if order.draft else "") != running.draft:  # it is in the head's process
        found.pop(0, None)
    return found


def held_from(before: Deployment, after: Deployment) -> int | None:
    """From which stage of the second on all are processes of the first, with their caches; None: not even the last.
    A stage that is loaded again has another port. Pure."""
    there = {(stage.node, stage.stage_id, stage.lane_port) for stage in before.stages}
    fresh = [i for i, stage in enumerate(after.stages) if (stage.node, stage.stage_id, stage.lane_port) not in there]
    first = max(fresh, default=-1) + 1
    return first if first < len(after.stages) else None


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
        addresses=addresses_of(nodes[following]),
        port=stages[following].lane_port,
        outbound_token=tokens[following],
        certificate=nodes[following].known.certificate_pem,
        max_batch=max_batch if all(stage.batchable for stage in stages) else 1,
    )
    await nodes[index].client.connect_stage(request)


async def restart(deployment: Deployment, index: int, nodes: Mapping[str, Node]) -> Deployment:
    """Starts one stage's process again and joins all anew. Raises DeploymentFailed."""
    restarted = await reload(deployment, [index], nodes)
    await rejoin(restarted, nodes)
    return restarted


async def reload(deployment: Deployment, indices: Sequence[int], nodes: Mapping[str, Node]) -> Deployment:
    """Starts these stages' processes again, where they are. Raises DeploymentFailed."""

    async def one(index: int) -> LiveStage:
        stage, node = deployment.stages[index], nodes[deployment.stages[index].node]
        try:
            async for progress in node.client.restart_stage(stage.stage_id):
                node.heard(progress.stage)
                node.show_transfer(TransferView("loading", progress.done_bytes, progress.total_bytes, None))
                stage = replace(stage, lane_port=progress.stage.lane_port, batchable=progress.stage.batchable)
        finally:
            node.show_transfer(None)
        return stage

    began = time.monotonic()
    fresh = await _on_each([nodes[deployment.stages[i].node] for i in indices], [one(i) for i in indices])
    stages = list(deployment.stages)
    for index, stage in zip(indices, fresh, strict=True):
        stages[index] = stage
    return replace(deployment, stages=tuple(stages), transfers=(), load_seconds=time.monotonic() - began)


async def fill(
    order: DeployOrder, deployment: Deployment, indices: Sequence[int], nodes: Mapping[str, Node]
) -> Deployment:
    """Brings and loads these stages of a deployment where the order's placement has them; the others stay as they are.
    Raises DeploymentFailed; what was loaded is unloaded again then."""
    placed = [nodes[stage.node] for stage in order.placement.stages]
    mine = [placed[index] for index in indices]
    others = [node for node in nodes.values() if node not in mine]
    loaded: list[LiveStage] = []
    try:
        ranges = [(order.placement.stages[index].first, order.placement.stages[index].last) for index in indices]
        wanted = shard_orders(mine, ranges, order.inventory, order.source)
        shard_ids, transfers = await _carry(order.model, order.inventory, wanted, others)
        draft_id = ""
        if order.draft and 0 in indices:
            draft_id = await bring_draft(
                order.draft, placed[0], [n for n in nodes.values() if n != placed[0]], transfers
            )
        began = time.monotonic()
        loads = [
            _load(order, deployment.epoch, placed, index, (shard_id, draft_id), loaded)
            for index, shard_id in zip(indices, shard_ids, strict=True)
        ]
        fresh = await _on_each(mine, loads)
    except BaseException:
        await asyncio.shield(unload(loaded, nodes))
        raise
    finally:
        for node in mine:
            node.show_transfer(None)
    stages = list(deployment.stages)
    for index, stage in zip(indices, fresh, strict=True):
        stages[index] = stage
    return replace(
        deployment,
        placement=order.placement,
        stages=tuple(stages),
        transfers=tuple(transfers),
        load_seconds=time.monotonic() - began,
        options=order.options,
    )


async def rejoin(deployment: Deployment, nodes: Mapping[str, Node]) -> None:
    """Joins all stages by new lanes: every stage forgets the sequences that went by the old ones. One that was in
    another deployment takes its place in this one. Raises DeploymentFailed."""
    placed = [nodes[stage.node] for stage in deployment.stages]

    async def place(index: int) -> None:
        request = agent_pb2.PlaceStageRequest(
            stage_id=deployment.stages[index].stage_id,
            epoch=deployment.epoch,
            stage_index=index,
            stage_count=len(placed),
            kv_tokens=deployment.options.kv_tokens,
        )
        await placed[index].client.place_stage(request)

    await _on_each(placed, [place(index) for index in range(len(placed))])
    if len(placed) < 2:
        return

    async def grant(index: int) -> bytes:
        before = placed[index - 1].known.certificate_pem
        return (await placed[index].client.grant_lane(deployment.stages[index].stage_id, before)).token

    tokens = await _on_each(placed, [grant(index) for index in range(len(placed))])
    await join(placed, deployment.stages, tokens, deployment.options.max_batch)


async def unload(stages: Sequence[LiveStage], nodes: Mapping[str, Node]) -> None:
    """Unloads what can be reached; a node that is gone frees its memory by itself."""

    async def one(stage: LiveStage) -> None:
        node = nodes.get(stage.node)
        if node is not None and node.state in (NodeState.READY, NodeState.SUSPECT):
            await node.unload_stage(stage.stage_id)

    await asyncio.gather(*(one(stage) for stage in stages), return_exceptions=True)


def _next_epoch(nodes: Mapping[str, Node]) -> int:
    """Later than every deployment that runs, also where this machine's clock was set back."""
    running = (stage.epoch for node in nodes.values() for stage in node.stages.values())
    return max(time.time_ns() // 1000, 1 + max(running, default=0))


async def _bring(
    order: DeployOrder, placed: Sequence[Node], others: Sequence[Node]
) -> tuple[list[str], list[Transfer]]:
    ranges = [(stage.first, stage.last) for stage in order.placement.stages]
    wanted = shard_orders(placed, ranges, order.inventory, order.source)
    return await _carry(order.model, order.inventory, wanted, others)


async def bring_draft(draft: DraftOrder, head: Node, others: Sequence[Node], transfers: list[Transfer]) -> str:
    """The whole draft model on the head's node: its shard's id."""
    inventory = draft.model.inventory
    wanted = shard_orders([head], [(0, inventory.layer_count - 1)], inventory, draft.source)
    (shard_id,), more = await _carry(draft.model.name, inventory, wanted, others)
    transfers.extend(more)
    return shard_id


async def _carry(
    model: str, inventory: Inventory, wanted: Sequence[ShardOrder], others: Sequence[Node]
) -> tuple[list[str], list[Transfer]]:
    try:
        return await bring_shards(model, inventory, wanted, others)
    except TransferFailed as error:
        raise DeploymentFailed(error.node, error.cause, error.remedy) from error
    except AgentError as error:
        raise DeploymentFailed("", error.cause, error.remedy) from error


async def _load(
    order: DeployOrder,
    epoch: int,
    placed: Sequence[Node],
    index: int,
    shard_ids: tuple[str, str],
    loaded: list[LiveStage],
) -> LiveStage:
    node, stage = placed[index], order.placement.stages[index]
    shard_id, draft_id = shard_ids
    request = agent_pb2.LoadStageRequest(
        epoch=epoch,
        shard_id=shard_id,
        stage_index=index,
        stage_count=len(placed),
        context_tokens=order.context_tokens,
        prefill_chunk_tokens=order.prefill_chunk_tokens,
        options=agent_pb2.PipelineOptions(**asdict(order.options)),
    )
    if order.draft and index == 0:
        request.draft.shard_id = draft_id
        request.draft.context_tokens = order.draft.model.context_tokens(order.context_tokens)
    live = LiveStage(node.name, "", stage.first, stage.last, 0, shard_id=shard_id)
    began = time.monotonic()
    async for progress in node.client.load_stage(request):
        node.heard(progress.stage)
        if not live.stage_id:
            live = replace(live, stage_id=progress.stage.stage_id)
            loaded.append(live)
        elapsed = time.monotonic() - began
        rate = progress.done_bytes / elapsed if elapsed > 0.2 else None
        node.show_transfer(TransferView("loading", progress.done_bytes, progress.total_bytes, rate))
        live = replace(live, lane_port=progress.stage.lane_port, batchable=progress.stage.batchable)
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

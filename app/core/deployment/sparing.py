"""Second copies of a deployment's units on other disks, brought there while it runs, so that a loss needs no transfer.

deployment taken up, or a machine came or went -> ask what is where -> plan (placement/spares.py) -> bring -> keep
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from app.core.activity import ActivityLog
from app.core.cluster.node import Node
from app.core.deployment import review
from app.core.deployment.deployment import Deployment, DeployOrder, bring_draft
from app.core.deployment.push import ShardOrder, Transfer, ask_nodes, bring_shards, shard_orders
from app.core.deployment.replanning import Means
from app.core.deployment.serving import Serving
from app.core.errors import SentenceError
from app.core.placement.budget import needs
from app.core.placement.placement import Placement, StageRange, layers_text
from app.core.placement.spares import SparePlan, plan_spares
from app.core.snapshot import DeploymentState, Level, NodeState, SparesView, SpareView
from app.core.text import anded, joined, phrase
from shardd.model.inventory import Inventory

SETTLE_S = 0.2  # a machine that came or went is often not alone
AGAIN_S = 30.0
LOOKING = phrase("Looking what the machines have.")


class Spares:
    """wanted: whether copies are to be kept, of whatever is deployed. transfers: what bringing them took."""

    def __init__(
        self,
        serving: Serving,
        nodes: Mapping[str, Node],
        log: ActivityLog,
        means: Callable[[], Means | None],
        on_change: Callable[[], None],
    ) -> None:
        self.wanted = False
        self.view = SparesView()
        self.transfers: tuple[Transfer, ...] = ()
        self._serving = serving
        self._nodes = nodes
        self._log = log
        self._means = means
        self._on_change = on_change
        self._task: asyncio.Task[None] | None = None
        self._settled = asyncio.Event()
        self._there: frozenset[str] = frozenset()

    def want(self, wanted: bool) -> None:
        self.wanted = wanted
        self.look()

    def take_up(self) -> None:
        """As another run of the program left it."""
        self.want(self._any_kept())

    def nodes_changed(self) -> None:
        ready = self._serving.view.state is DeploymentState.READY
        if self.wanted and ready and self._there and self._there != frozenset(self._ready()):
            self.look()

    def look(self) -> None:
        """Looks anew what is to be where, in the background. A copy that was on its way goes on from where it was."""
        if self._task is not None:
            self._task.cancel()
            self._task = None
        self._there = frozenset(self._ready())
        self._settled.clear()
        if self.wanted or self._any_kept():
            self._task = asyncio.create_task(self._run(), name="spares")
        else:
            self._show(SparesView())
            self._settled.set()

    async def settled(self) -> None:
        """Returns when all copies are there that can be."""
        await self._settled.wait()

    async def close(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    # -- inside ------------------------------------------------------------------------------------------------------

    def _ready(self) -> dict[str, Node]:
        return {name: node for name, node in self._nodes.items() if node.state is NodeState.READY}

    def _any_kept(self) -> bool:
        return any(shard.spare for node in self._nodes.values() for shard in node.shards)

    def _show(self, view: SparesView) -> None:
        if view != self.view:
            self.view = view
            self._on_change()

    async def _run(self) -> None:
        await asyncio.sleep(SETTLE_S)
        while True:
            deployment = self._serving.deployment if self.wanted else None
            try:
                if deployment is None:
                    await self._keep({})
                    self._show(SparesView())
                    return
                if await self._bring_all(deployment):
                    return
            except SentenceError as error:
                self._log.add(Level.WARNING, "", phrase("Spare copies could not be brought: {error}", error=error))
                self._show(replace(self.view, wanted=True, text=str(error)))
            finally:
                self._settled.set()
            await asyncio.sleep(AGAIN_S)

    async def _bring_all(self, deployment: Deployment) -> bool:
        """Whether every stage has its copy. Raises SentenceError."""
        means = self._means()
        if means is None:
            return False
        self._show(replace(self.view, wanted=True, text=self.view.text or LOOKING))
        order = await means.order(deployment.placement, deployment.context_tokens)
        nodes = self._ready()
        plan, there = await self._plan(order, nodes)
        stages = order.placement.stages
        views = [
            SpareView(s.node, stages[s.index].first, stages[s.index].last, stages[s.index].node, s.bytes, False)
            for s in plan.spares
        ]
        views = [replace(v, there=(s.index, s.node) in there) for v, s in zip(views, plan.spares, strict=True)]
        kept: dict[str, list[str]] = {}
        transfers: list[Transfer] = []
        for place, spare in enumerate(plan.spares):
            self._show(SparesView(True, spares_text(order.placement, plan, views), tuple(views)))
            node, stage = nodes[spare.node], stages[spare.index]
            ids = await self._bring(
                order, node, stage, [each for each in nodes.values() if each is not node], transfers
            )
            kept.setdefault(node.name, []).extend(ids)
            before = [shard.shard_id for shard in node.shards if shard.spare]
            await node.client.keep_shards(list(dict.fromkeys([*before, *kept[node.name]])))
            await node.refresh_shards()
            views[place] = replace(views[place], there=True)
        await self._keep(kept)
        self.transfers = tuple(transfers)
        self._show(SparesView(True, spares_text(order.placement, plan, views), tuple(views)))
        self._log.add(Level.INFO, "", self.view.text)
        return not plan.lacking

    async def _plan(self, order: DeployOrder, nodes: Mapping[str, Node]) -> tuple[SparePlan, set[tuple[int, str]]]:
        """And what is where already, by stage and node."""
        stages, inventory = order.placement.stages, order.inventory
        owners = [self._nodes[stage.node] for stage in stages]
        orders = shard_orders(owners, [(s.first, s.last) for s in stages], inventory, order.source)
        states = await ask_nodes(orders, list(nodes.values()))
        missing = {
            (index, name): sum(blob.size for blob in each.blobs if not (blob.digest in has and has[blob.digest].whole))
            for index, each in enumerate(orders)
            for name, (has, _) in states.items()
        }
        room = review.available_bytes(nodes)
        runnable = {
            (index, name)
            for index, stage in enumerate(stages)
            for name in nodes
            if _takes(order.placement, stage, name, inventory, order.context_tokens, room.get(name))
        }
        sizes = [sum(blob.size for blob in each.blobs) for each in orders]
        disks = {name: disk for name, (_, disk) in states.items() if name in nodes}
        return plan_spares(order.placement, sizes, disks, missing, runnable), {k for k, v in missing.items() if not v}

    async def _bring(
        self, order: DeployOrder, node: Node, stage: StageRange, others: Sequence[Node], transfers: list[Transfer]
    ) -> list[str]:
        """One stage's units, and for the head's the draft; the ids of the shards."""
        try:
            (wanted,) = shard_orders([node], [(stage.first, stage.last)], order.inventory, order.source)
            ids, took = await bring_shards(
                order.model, order.inventory, [ShardOrder(node, wanted.first, wanted.last, wanted.blobs)], others
            )
            transfers.extend(took)
            if order.draft and stage.first == 0:
                ids.append(await bring_draft(order.draft, node, others, transfers))
            return ids
        finally:
            node.show_transfer(None)

    async def _keep(self, kept: Mapping[str, Sequence[str]]) -> None:
        """Exactly these are spares, on all machines that are there. Raises SentenceError."""
        for name, node in self._ready().items():
            ids = kept.get(name, ())
            if set(ids) != {shard.shard_id for shard in node.shards if shard.spare}:
                await node.client.keep_shards(ids)
                await node.refresh_shards()


def spares_text(placement: Placement, plan: SparePlan, views: Sequence[SpareView]) -> str:
    """How the copies stand, as one or two sentences. Pure."""
    there = sum(view.there for view in views)
    if there == len(placement.stages):
        text = phrase("Every layer has a second copy on another machine's disk.")
    else:
        text = phrase(
            "Of {stages} stages {there} have a second copy on another machine's disk.",
            stages=len(placement.stages),
            there=there,
        )
    if plan.lacking:
        ranges = [placement.stages[index] for index in plan.lacking]
        listed = anded(
            phrase("{layers} of {node}", layers=layers_text(stage.first, stage.last), node=stage.node)
            for stage in ranges
        )
        return joined((text, phrase("No other machine has room on its disk for {listed}.", listed=listed)))
    return joined((text, phrase("The others are on their way."))) if there < len(views) else text


def _takes(
    placement: Placement, stage: StageRange, node: str, inventory: Inventory, context_tokens: int, room: int | None
) -> bool:
    """Whether a node has the memory to run these layers too."""
    own = placement.stage_of(node)
    first, last = (min(own.first, stage.first), max(own.last, stage.last)) if own else (stage.first, stage.last)
    return room is None or needs(inventory, first, last, context_tokens).total <= room

"""Moving layers without stopping: another placement is loaded beside the running one, then the answers go over.

running   [-a 0-5-][-b 6-11-]     answers go on
prepare   push, then load [-a 0-3-][-c 4-5-] beside them; b keeps its range and stays as it is
switch    lanes anew; every answer's tokens go through the new stages once, and it continues
release   a's old stage is unloaded
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

from app.core.activity import ActivityLog
from app.core.cluster.node import Node
from app.core.deployment import review
from app.core.deployment.deployment import (
    Deployment,
    DeploymentFailed,
    DeployOrder,
    LiveStage,
    driven_alike,
    prepare,
    rejoin,
)
from app.core.deployment.live import is_joined, stages_of
from app.core.deployment.recovery import Recovery
from app.core.deployment.serving import Serving
from app.core.errors import SentenceError
from app.core.placement.budget import kv_bytes, memory_problems
from app.core.placement.placement import Placement, Problem
from app.core.snapshot import DeploymentState, Level
from app.core.text import anded, phrase
from app.core.views import ready_view
from shardd.model.inventory import Inventory
from shardd.rpc import agent_pb2

CHANGED = phrase("What runs has changed while the move was prepared, so nothing was moved.")


def room_beside(order: DeployOrder, running: Deployment, nodes: Mapping[str, Node]) -> tuple[Problem, ...]:
    """Where the new stages do not fit beside the running ones, and by how much; nothing: it can be moved."""
    alike = driven_alike(order, running)
    ranges = {(stage.node, stage.first, stage.last) for stage in running.stages} if alike else set()
    loaded = [stage for stage in order.placement.stages if (stage.node, stage.first, stage.last) not in ranges]
    draft = order.draft.model if order.draft else None
    return memory_problems(
        Placement(order.placement.layer_count, tuple(loaded)),
        order.inventory,
        free_beside(order.inventory, running, nodes),
        order.context_tokens,
        review.drafting_bytes(draft, order.context_tokens),
        beside=True,
    )


def free_beside(inventory: Inventory, running: Deployment, nodes: Mapping[str, Node]) -> dict[str, int | None]:
    """What each node could give to stages beside the running ones, whose caches may still grow by a full sequence."""
    free: dict[str, int | None] = {}
    for name, node in nodes.items():
        room = node.shard_available
        if room is None:
            free[name] = None
            continue
        caches = {stage.stage_id: stage.kv_bytes for stage in node.beat.stages} if node.beat else {}
        growth = sum(
            max(0, kv_bytes(inventory, s.first, s.last, running.context_tokens) - caches.get(s.stage_id, 0))
            for s in running.stages
            if s.node == name
        )
        free[name] = max(0, room - growth)
    return free


def _gained(before: Placement, after: Placement) -> list[tuple[int, int, str]]:
    """First layer, last layer and node of what each node has after and had not before."""
    found: list[tuple[int, int, str]] = []
    for stage in after.stages:
        had = before.stage_of(stage.node)
        gained = [layer for layer in range(stage.first, stage.last + 1) if not (had and had.first <= layer <= had.last)]
        firsts = [layer for layer in gained if layer - 1 not in gained]
        lasts = [layer for layer in gained if layer + 1 not in gained]
        found += [(first, last, stage.node) for first, last in zip(firsts, lasts, strict=True)]
    return found


def _further(moves: Sequence[tuple[int, int, str]]) -> list[str]:
    """`layers 10 to 11 to air`, of all but the first."""
    return [
        phrase("layer {first} to {node}", first=first, node=node)
        if first == last
        else phrase("layers {first} to {last} to {node}", first=first, last=last, node=node)
        for first, last, node in moves[1:]
    ]


def moving_layers(before: Placement, after: Placement) -> str:
    """`Layers 4 to 5 move to mini-2 and layers 10 to 11 to air`: what each node is to have and has not. Pure."""
    moves = _gained(before, after)
    if not moves:
        return phrase("The stages are loaded anew")
    first, last, node = moves[0]
    head = (
        phrase("Layer {first} moves to {node}", first=first, node=node)
        if first == last
        else phrase("Layers {first} to {last} move to {node}", first=first, last=last, node=node)
    )
    return anded([head, *_further(moves)])


def moved_layers(before: Placement, after: Placement) -> str:
    """`Layers 4 to 5 moved to mini-2 and layers 10 to 11 to air`: what each node has now and had not. Pure."""
    moves = _gained(before, after)
    if not moves:
        return phrase("The stages were loaded anew")
    first, last, node = moves[0]
    head = (
        phrase("Layer {first} moved to {node}", first=first, node=node)
        if first == last
        else phrase("Layers {first} to {last} moved to {node}", first=first, last=last, node=node)
    )
    return anded([head, *_further(moves)])


class Mover:
    """Carries out moves, one at a time."""

    def __init__(self, serving: Serving, nodes: Mapping[str, Node], recovery: Recovery, log: ActivityLog) -> None:
        self._serving = serving
        self._nodes = nodes
        self._recovery = recovery
        self._log = log

    async def move(self, order: DeployOrder, running: Deployment) -> Deployment:
        """From one deployment of a model to another. Raises SentenceError; where that is before answers went over, what
        runs is as it was."""
        serving = self._serving
        ours = serving.deployment is not None
        what = moved_layers(running.placement, order.placement)
        if serving.view.model:
            serving.show(
                replace(
                    serving.view,
                    text=phrase(
                        "{what}. Answers go on meanwhile.", what=moving_layers(running.placement, order.placement)
                    ),
                    coming=order.placement,
                )
            )
        try:
            fresh = await prepare(order, self._nodes, running)
        finally:
            ready = serving.deployment is not None and serving.view.state is DeploymentState.READY
            view = ready_view(serving.deployment) if ready and serving.deployment else serving.view
            serving.show(replace(view, coming=None))
        same = [stage.stage_id for stage in fresh.stages] == [stage.stage_id for stage in running.stages]
        usable = serving.pipeline and serving.pipeline.usable if ours else is_joined(self._nodes, running)
        if same and usable:
            return running
        async with serving.change():
            if serving.turns.behind:
                await serving.look()
            stays = self._still_there(fresh, running)
            if stays is None or ours is not (serving.deployment is not None):
                kept = {stage.stage_id for stage in running.stages}
                await self._recovery.leftovers.release([stage for stage in fresh.stages if stage.stage_id not in kept])
                raise DeploymentFailed("", CHANGED, phrase("Deploy again."))
            await self._switch(stays, running, what)
        self._recovery.catch_up()
        return stays

    def _still_there(self, fresh: Deployment, running: Deployment) -> Deployment | None:
        """With the running stages as they stand now; None where one is not there any more, or in other hands."""
        stages: list[LiveStage] = []
        before = {stage.stage_id for stage in running.stages}
        for stage in fresh.stages:
            node = self._nodes.get(stage.node)
            now = node.stages.get(stage.stage_id) if node else None
            if stage.stage_id in before:
                if now is None or now.state != agent_pb2.STAGE_STATE_READY or now.epoch != running.epoch:
                    return None
                stage = replace(stage, lane_port=now.lane_port)
            stages.append(stage)
        return replace(fresh, stages=tuple(stages))

    async def _switch(self, fresh: Deployment, running: Deployment, what: str) -> None:
        """Between two tokens of every answer. What fails from here on is the recovery's business: the new stages are
        there."""
        serving, recovery = self._serving, self._recovery
        held, began = recovery.hold(phrase("{what}.", what=what)), time.monotonic()
        held.planned = True
        serving.break_off()
        serving.deployment = fresh
        serving.turns.begin()
        try:
            await rejoin(fresh, self._nodes)
            pipeline = await serving.serve(fresh)
        except SentenceError as error:
            self._log.add(Level.WARNING, "", phrase("The move was interrupted: {error}", error=error))
            recovery.take_over(held)
        except asyncio.CancelledError:
            recovery.take_over(held)
            raise
        else:
            held.finish(pipeline, what, {"joined": time.monotonic() - began})
        await recovery.leftovers.release(
            [s for s in stages_of(self._nodes, serving.fingerprint) if not fresh.has(s.stage_id)]
        )

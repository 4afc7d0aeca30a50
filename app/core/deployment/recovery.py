"""Recovery: a deployment that lost a stage or a machine is made whole again, and its answers go on.

a sign of loss -> look at every stage -> decide (losses.py) -> load, move or plan again -> join -> answers replay
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from app.core.activity import ActivityLog
from app.core.cluster.client import AgentError
from app.core.cluster.node import Node
from app.core.deployment import review
from app.core.deployment.deployment import (
    Deployment,
    DeploymentFailed,
    DeployOrder,
    LiveStage,
    deploy,
    fill,
    rejoin,
    reload,
    unload,
)
from app.core.deployment.drafting import DraftModel
from app.core.deployment.loss import Loss
from app.core.deployment.losses import Fate, Look, Mend, Seen, decide, on_spares, what_changed
from app.core.deployment.serving import Serving
from app.core.errors import SentenceError
from app.core.generation.pipeline import Pipeline
from app.core.placement.placement import Placement, StageRange
from app.core.placement.solver import NodeCapacity, balance
from app.core.snapshot import DeploymentState, Level, ModelView, NodeState
from shardd.rpc import agent_pb2

ASK_S = 2.0
AGAIN_S = (0.05, 5.0)  # the shortest and the longest pause between two tries
SETTLE_S = 0.2  # a stage that another program unloads says so at the same moment
CRASHES = 3  # of one stage within CRASHES_S: its machine is not tried again for a while
CRASHES_S = 60.0
LANE_BROKE = "A lane between the machines broke."
ELSEWHERE = "Another program unloaded the model."


@dataclass(frozen=True, slots=True)
class Means:
    """What planning again needs. speeds: measured seconds per byte of weights. order: see make_order."""

    model: ModelView
    draft: DraftModel | None
    speeds: Mapping[str, float]
    order: Callable[[Placement, int], Awaitable[DeployOrder]]


class Recovery:
    """means(): of the model that is deployed; None: not known."""

    def __init__(
        self,
        serving: Serving,
        nodes: Mapping[str, Node],
        log: ActivityLog,
        means: Callable[[], Means | None],
    ) -> None:
        self._serving = serving
        self._nodes = nodes
        self._log = log
        self._means = means
        self._loss: Loss | None = None
        self._task: asyncio.Task[None] | None = None
        self._mending: asyncio.Task[str] | None = None
        self._counted: tuple[str, ...] = ()  # the machines on which what is mended depends
        self._missed: tuple[str, str] | None = None  # a loss in the middle of it
        self._states: dict[str, NodeState] = {}
        self._wake = asyncio.Event()
        self._crashes: dict[str, deque[float]] = {}
        self._abandoned: dict[str, list[LiveStage]] = {}
        self._sweeps: set[asyncio.Task[None]] = set()

    # -- what answers call -------------------------------------------------------------------------------------------

    def begin(self, pipeline: Pipeline) -> Loss:
        """An answer cannot go on by these lanes: the interruption that it follows from now on."""
        loss = self._begin(pipeline)
        loss.wanted = True
        return loss

    # -- what the controller calls -----------------------------------------------------------------------------------

    def lost(self, node: str, cause: str, *, here: bool) -> None:
        """A stage is gone. here: its machine is there, so it can be loaded again at once even if nobody waits."""
        serving = self._serving
        if serving.deployment is None or serving.busy.locked():
            self._missed = (node, cause)
            self._wake.set()
            return
        serving.show_trouble(DeploymentState.FAILED, cause)
        waits = bool(serving.open_sequences)
        serving.break_off()
        if waits or here or self._running():
            loss = self._begin(None)
            loss.wanted = loss.wanted or waits
            loss.name(node, cause)
        self._wake.set()

    def nodes_changed(self) -> None:
        """Looks whether a machine is back, or was lost in the middle of a recovery."""
        now = {name: node.state for name, node in self._nodes.items()}
        if now == self._states:
            return
        self._states = now
        self._wake.set()
        self._sweep()
        serving, deployment = self._serving, self._serving.deployment
        if deployment is None:
            return
        states = {stage.node: self._state(stage.node) for stage in deployment.stages}
        if self._mending and any(self._state(name) in _GONE for name in self._counted):
            self._mending.cancel()
        idle = not self._running() and not serving.busy.locked()
        if idle and serving.view.state is DeploymentState.FAILED and set(states.values()) == {NodeState.READY}:
            self._begin(None)

    def released(self, event: agent_pb2.StageEvent) -> None:
        """A stage was unloaded. Where that was not our doing, somebody else ended the deployment."""
        serving = self._serving
        deployment = serving.deployment
        if deployment and deployment.has(event.stage.stage_id) and not serving.busy.locked():
            serving.deployment = None
            self._end(ELSEWHERE)
            serving.show_trouble(DeploymentState.NONE, ELSEWHERE)
            task = asyncio.create_task(serving.close_pipeline(ELSEWHERE))
            self._sweeps.add(task)
            task.add_done_callback(self._sweeps.discard)

    def hold(self, sentence: str, *, end: bool = False) -> Loss:
        """Stages change by the caller's hand: answers wait until it finishes the loss. end: those that wait already do
        not go on."""
        loss = self._loss
        if loss is None or loss.over or end:
            self._end(sentence)
            loss = self._loss = Loss()
            loss.name("", sentence, "moved")
        elif self._task:
            self._task.cancel()
        return loss

    async def cancel(self, cause: str) -> None:
        """Whatever is under way ends, and the answers that wait for it."""
        task = self._end(cause)
        if task:
            await asyncio.gather(task, return_exceptions=True)

    async def close(self) -> None:
        await self.cancel("The controller was closed.")
        await asyncio.gather(*self._sweeps, return_exceptions=True)

    # -- one loss ----------------------------------------------------------------------------------------------------

    def _running(self) -> bool:
        return self._loss is not None and not self._loss.over

    def _begin(self, pipeline: Pipeline | None) -> Loss:
        loss, now = self._loss, self._serving.pipeline
        if pipeline is not None and pipeline.over:
            loss = Loss()
            loss.give_up(pipeline.over)
            return loss
        if loss is not None and not loss.over:
            return loss
        if pipeline is not None and now is not None and now is not pipeline and now.usable:
            if loss is None or loss.pipeline is not now:
                loss = Loss()
                loss.name("", LANE_BROKE)
                loss.finish(now, "the machines were joined anew", {})
            return loss
        self._loss = Loss()
        self._task = asyncio.create_task(self._run(self._loss), name="recovery")
        return self._loss

    def _end(self, cause: str) -> asyncio.Task[None] | None:
        task, self._task = self._task, None
        if self._loss:
            self._loss.give_up(cause)
        if task:
            task.cancel()
        return task

    async def _run(self, loss: Loss) -> None:
        refused, pause, began = set[str](), AGAIN_S[0], time.monotonic()
        while not loss.over:
            deployment = self._serving.deployment
            if deployment is None:
                loss.give_up("The model was unloaded.")
                return
            seen = await self._look(deployment)
            step = decide(seen, refused | self._crashing())
            if isinstance(step, Look):
                await self._pause(AGAIN_S[0])
                continue
            if step.refill:
                await asyncio.sleep(SETTLE_S)
            self._name(loss, seen)
            if step.move and not loss.wanted:  # nobody waits: what was deployed is not moved without being asked
                loss.give_up(f"{loss.cause} It is loaded on other machines when somebody asks.")
                self._serving.show_trouble(DeploymentState.FAILED, loss.cause)
                return
            try:
                waits = await self._guarded(self._mend(loss, deployment, seen, step, began))
                if loss.over and self._missed:
                    self.lost(*self._missed, here=True)
            except SentenceError as error:
                node = error.node if isinstance(error, DeploymentFailed) else ""
                self._log.add(Level.WARNING, node, str(error))
                if node and (step.restart or step.refill or step.move):
                    refused.add(node)
                await self._pause(pause)
                pause = min(2 * pause, AGAIN_S[1])
                continue
            if waits:
                loss.tell("waiting", loss.node, waits)
                self._serving.show_trouble(DeploymentState.FAILED, waits)
                refused.clear()
                await self._pause(AGAIN_S[1])

    async def _guarded(self, work: Coroutine[Any, Any, str]) -> str:
        """Raises AgentError where a machine of it is lost meanwhile."""
        self._mending = mending = asyncio.create_task(work, name="mend")
        try:
            return await asyncio.shield(mending)
        except asyncio.CancelledError:
            if mending.cancelled():  # by nodes_changed, not this task
                raise AgentError("A machine was lost in the middle of the recovery.") from None
            mending.cancel()
            await asyncio.gather(mending, return_exceptions=True)
            raise
        finally:
            self._mending = None

    async def _pause(self, seconds: float) -> None:
        """Until something changes, at most so long."""
        self._wake.clear()
        try:
            await asyncio.wait_for(self._wake.wait(), seconds)
        except TimeoutError:
            return
        await asyncio.sleep(AGAIN_S[0])

    async def _look(self, deployment: Deployment) -> list[Seen]:
        return list(await asyncio.gather(*(self._look_at(stage) for stage in deployment.stages)))

    async def _look_at(self, stage: LiveStage) -> Seen:
        node = self._nodes.get(stage.node)

        def seen(fate: Fate, cause: str = "") -> Seen:
            return Seen(stage.node, stage.first, stage.last, fate, cause)

        if node is None or node.state in _GONE:
            return seen(Fate.AWAY, node.state_text if node else f"{stage.node} was forgotten.")
        try:
            async with asyncio.timeout(ASK_S):
                known = {each.stage_id: each for each in await node.client.list_stages()}
        except (AgentError, TimeoutError):
            return seen(Fate.DOUBTFUL)
        found = known.get(stage.stage_id)
        if found is None:
            return seen(Fate.MISSING, f"{stage.node} was started again.")
        if found.state == agent_pb2.STAGE_STATE_FAILED:
            return seen(Fate.ENDED, f"{_stopped(found, stage.node)} {found.cause}")
        return seen(Fate.READY if found.state == agent_pb2.STAGE_STATE_READY else Fate.DOUBTFUL)

    def _name(self, loss: Loss, seen: list[Seen]) -> None:
        for each in seen:
            if each.fate is not Fate.READY:
                loss.name(each.node, each.cause)
            if each.fate is Fate.ENDED:
                self._crashes.setdefault(each.node, deque(maxlen=CRASHES)).append(time.monotonic())

    def _crashing(self) -> set[str]:
        """Machines whose stage ends again and again."""
        since = time.monotonic() - CRASHES_S
        return {name for name, times in self._crashes.items() if len(times) == CRASHES and times[0] > since}

    # -- making it whole ---------------------------------------------------------------------------------------------

    async def _mend(self, loss: Loss, deployment: Deployment, seen: list[Seen], step: Mend, began: float) -> str:
        """Does what was decided; answers a sentence where nothing fits. Raises SentenceError."""
        serving = self._serving
        async with serving.busy:
            planned = self._plan(deployment, step) if step.move else (deployment.placement, False)
            if isinstance(planned, str):
                return f"{loss.cause} {planned} The answer goes on when {loss.node} is back or there is room."
            placement, anew = planned
            self._counted, self._missed = placement.nodes, None
            serving.show_trouble(DeploymentState.DEPLOYING, f"Recovering. {loss.cause}".strip())
            at = time.monotonic()
            if anew:
                away = [
                    i for i, stage in enumerate(deployment.stages) if self._state(stage.node) is not NodeState.READY
                ]
                self._abandon(deployment, away)
                order = await self._order(placement, deployment)
                await serving.free()
                fresh = await deploy(order, self._nodes)
            else:
                fresh = await self._load(deployment, placement, step)
            pipeline = await serving.serve(fresh)
        loss.name("", LANE_BROKE)
        pushed = (
            max((transfer.seconds for transfer in fresh.transfers), default=0.0) if fresh is not deployment else 0.0
        )
        loaded = fresh.load_seconds if fresh is not deployment else 0.0
        joined = time.monotonic() - at - pushed - loaded
        how = what_changed(seen, step, placement)
        loss.finish(pipeline, how, {"planned": at - began, "pushed": pushed, "loaded": loaded, "joined": joined})
        self._log.add(Level.INFO, loss.node, f"Recovered: {how}.")
        return ""

    async def _load(self, deployment: Deployment, placement: Placement, step: Mend) -> Deployment:
        """The stages that are missing, beside those that are there; then the lanes anew."""
        fresh = deployment
        if step.restart:
            self._serving.deployment = fresh = await reload(fresh, step.restart, self._nodes)
        fills = sorted((*step.refill, *step.move))
        if fills:
            order = await self._order(placement, deployment)
            self._abandon(deployment, step.move)
            self._serving.deployment = fresh = await fill(order, fresh, fills, self._nodes)
        await rejoin(fresh, self._nodes)
        return fresh

    async def _order(self, placement: Placement, deployment: Deployment) -> DeployOrder:
        means = self._means()
        if means is None:
            raise DeploymentFailed("", f"{deployment.model} is not chosen any more.", "Choose it again.")
        return await means.order(placement, deployment.context_tokens)

    def _plan(self, deployment: Deployment, step: Mend) -> tuple[Placement, bool] | str:
        """Where everything goes, and whether that is a deployment of its own; or why it goes nowhere."""
        means = self._means()
        if means is None:
            return f"{deployment.model} is not chosen any more."
        former, context = deployment.placement, deployment.context_tokens
        out = {former.stages[index].node for index in step.move}
        there = {n: node for n, node in self._nodes.items() if node.state is NodeState.READY and n not in out}
        spare = [name for name in there if name not in former.nodes]

        def fits(placement: Placement) -> bool:
            return not review.check(means.model, placement, context, there, means.draft)

        def sent(placement: Placement) -> int:
            return sum(move.send_bytes for move in review.preview(means.model, placement, there, means.draft))

        lacking = {
            index: {name: sent(Placement(former.layer_count, (_at(former, index, name),))) for name in spare}
            for index in step.move
        }
        same = on_spares(former, step.move, lacking)
        if same is not None and fits(same):
            return same, False
        room = review.available_bytes(there)
        names = [name for name in (*former.nodes, *spare) if name in there]
        capacities = [NodeCapacity(name, room[name] or 0, means.speeds.get(name)) for name in names]
        balanced = balance(means.model.inventory, capacities, context)
        smaller = former
        for name in out:
            smaller = smaller.remove(name)
        candidates = [balanced] if isinstance(balanced, Placement) else []
        candidates += [smaller] if set(smaller.nodes) <= set(there) else []
        fitting = [placement for placement in candidates if fits(placement)]
        if fitting:
            return min(fitting, key=sent), True
        return balanced.sentence if not isinstance(balanced, Placement) else "The draft model has no room."

    # -- what is left behind -----------------------------------------------------------------------------------------

    def _abandon(self, deployment: Deployment, indices: Iterable[int]) -> None:
        """These stages are not wanted any more: where their machine is away they are unloaded when it is back."""
        for index in indices:
            stage = deployment.stages[index]
            self._abandoned.setdefault(stage.node, []).append(stage)
        self._sweep()

    def _sweep(self) -> None:
        for name in [name for name in self._abandoned if self._state(name) is NodeState.READY]:
            task = asyncio.create_task(unload(self._abandoned.pop(name), self._nodes), name=f"sweep-{name}")
            self._sweeps.add(task)
            task.add_done_callback(self._sweeps.discard)

    def _state(self, name: str) -> NodeState:
        node = self._nodes.get(name)
        return node.state if node else NodeState.LOST


_GONE = (NodeState.LOST, NodeState.NOT_PAIRED, NodeState.INCOMPATIBLE, NodeState.CONNECTING)


def _at(placement: Placement, index: int, node: str) -> StageRange:
    return replace(placement.stages[index], node=node)


def _stopped(stage: agent_pb2.Stage, node: str) -> str:
    return f"Layers {stage.first} to {stage.last} on {node} stopped."

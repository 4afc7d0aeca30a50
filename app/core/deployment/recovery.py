"""Recovery: a deployment that lost a stage or a machine is made whole again, and its answers go on.

a sign of loss -> look at every stage -> decide (losses.py) -> load, move or plan again -> join -> answers replay
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from typing import Any

from app.core.activity import ActivityLog
from app.core.cluster.client import AgentError
from app.core.cluster.node import Node
from app.core.deployment.deployment import (
    Deployment,
    DeploymentFailed,
    DeployOrder,
    deploy,
    fill,
    rejoin,
    reload,
)
from app.core.deployment.leftovers import Leftovers
from app.core.deployment.looking import GONE, look, or_parted
from app.core.deployment.loss import Loss
from app.core.deployment.losses import Fate, Look, Mend, Seen, decide, what_changed
from app.core.deployment.replanning import Means, Plan, plan_again
from app.core.deployment.serving import Serving
from app.core.errors import SentenceError, ShardboardError
from app.core.generation.pipeline import Pipeline
from app.core.placement.placement import Placement
from app.core.snapshot import DeploymentState, Level, NodeState
from app.core.text import joined, phrase
from app.core.views import ready_view
from shardd.rpc import agent_pb2

AGAIN_S = (0.05, 5.0)  # the shortest and the longest pause between two tries
APART_S = 0.5  # a ring that is being joined is whole again by then
CRASHES = 3  # of one stage within CRASHES_S: its machine is not tried again for a while
CRASHES_S = 60.0
LANE_BROKE = phrase("A lane between the machines broke.")
ELSEWHERE = phrase("Another program unloaded the model.")
MOVED_ELSEWHERE = phrase("Another program moved its layers.")
LOST_MEANWHILE = phrase("A machine was lost in the middle of the recovery.")
TAKEN_S = 30.0  # another program that moves layers has unloaded the old ones by then


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
        self._following: asyncio.Task[None] | None = None  # another program
        self.leftovers = Leftovers(serving, nodes)
        self._checking: asyncio.Task[None] | None = None

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
        self.leftovers.nodes_changed()
        serving, deployment = self._serving, self._serving.deployment
        if deployment is None:
            return
        states = {stage.node: self._state(stage.node) for stage in deployment.stages}
        if self._mending and any(self._state(name) in GONE for name in self._counted):
            self._mending.cancel()
        idle = not self._running() and not serving.busy.locked()
        if idle and serving.view.state is DeploymentState.FAILED and set(states.values()) == {NodeState.READY}:
            self._begin(None)

    def released(self, event: agent_pb2.StageEvent) -> None:
        """A stage was unloaded. Where that was not our doing, somebody else ended the deployment."""
        serving = self._serving
        deployment = serving.deployment
        ours = deployment is not None and deployment.has(event.stage.stage_id) and not serving.busy.locked()
        if ours and (self._following is None or self._following.done()):
            self._following = asyncio.create_task(self._follow_or_end(self.hold(MOVED_ELSEWHERE)), name="follow")

    def joined(self) -> None:
        """Stages were joined. Where another program made whole what nobody waited for here, it is of use here too."""
        waits = self._serving.view.state is DeploymentState.FAILED and self._serving.deployment is not None
        if waits and not self._running() and not self._serving.busy.locked() and self._serving.turns.behind:
            self._begin(None)

    async def _follow_or_end(self, loss: Loss) -> None:
        async with self._serving.change():
            others = self._serving.turns.behind
            if loss.over or await self._follow(loss):
                return
            if others:
                self.take_over(loss)
            else:
                await self._end_elsewhere()

    async def _follow(self, loss: Loss) -> bool:
        """Goes on with what another program made of the deployment, in one's turn; False: it is to be made whole."""
        serving, before = self._serving, self._serving.deployment
        try:
            became = await serving.follow()
        except SentenceError:
            return False
        if became.ended or before is None:
            await self._end_elsewhere()
            return True
        if not became.whole or serving.pipeline is None or serving.deployment is None:
            return False
        moved = before.placement != serving.deployment.placement
        loss.planned = moved and not loss.node
        loss.name("", MOVED_ELSEWHERE if loss.planned else LANE_BROKE, "moved" if loss.planned else "stage_lost")
        if loss.planned:
            how = phrase("Another program moved its layers")
        elif moved:
            how = phrase("another program moved its layers")
        elif loss.node:
            how = phrase("another program loaded it again")
        else:
            how = phrase("another program joined the machines anew")
        loss.finish(serving.pipeline, how, {})
        return True

    async def _end_elsewhere(self) -> None:
        serving = self._serving
        serving.deployment = None
        self._end(ELSEWHERE)
        serving.show_trouble(DeploymentState.NONE, ELSEWHERE)
        await serving.close_pipeline(ELSEWHERE)

    def take_over(self, loss: Loss) -> None:
        """Whoever held it could not finish it: from now on as every other loss."""
        loss.planned = False
        self._task = asyncio.create_task(self._run(loss), name="recovery")

    def catch_up(self) -> None:
        """What was lost while somebody else changed stages."""
        if self._missed and self._serving.deployment is not None:
            self.lost(*self._missed, here=True)
        self._missed = None

    def check_ring(self) -> None:
        """Joins the stages anew where a lane between them is gone and nobody is about to do so."""
        if self._checking is None or self._checking.done():
            self._checking = asyncio.create_task(self._check_ring(), name="check-ring")

    async def _check_ring(self) -> None:
        serving = self._serving
        while True:
            await asyncio.sleep(APART_S)
            await asyncio.gather(*(node.refresh_stages() for node in self._apart()), return_exceptions=True)
            if not self._running() and not serving.busy.locked():
                break
        if serving.view.state is DeploymentState.READY and self._apart():
            self.lost("", LANE_BROKE, here=True)

    def _apart(self) -> list[Node]:
        """The machines that said last that a lane of their stage is gone: an old event where they were joined since."""
        stages = self._serving.deployment.stages if self._serving.deployment else ()
        known = [(self._nodes.get(stage.node), stage.stage_id) for stage in stages]
        return [node for node, stage_id in known if node and stage_id in node.stages and node.stages[stage_id].apart]

    def hold(self, sentence: str, *, end: bool = False) -> Loss:
        """Stages change by the caller's hand: answers wait until it finishes the loss. end: those that wait already do
        not go on."""
        loss, self._missed = self._loss, None
        if loss is None or loss.over or end:
            self._end(sentence)
            loss = self._loss = Loss()
            loss.name("", sentence, "moved")
        elif self._task:
            self._task.cancel()
        return loss

    async def cancel(self, cause: str) -> None:
        """Whatever is under way ends, and the answers that wait for it."""
        tasks = [task for task in (self._end(cause), self._following) if task]
        if self._following:
            self._following.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def close(self) -> None:
        await self.cancel(phrase("The controller was closed."))
        if self._checking:
            self._checking.cancel()
            await asyncio.gather(self._checking, return_exceptions=True)
        await self.leftovers.close()

    async def take_up(self, deployment: Deployment, cause: str, *, wanted: bool) -> None:
        """What another run of the program left half-done is made whole as after a loss. wanted: layers may move to
        other machines, and it is waited for. Raises ShardboardError then, where it cannot be."""
        serving = self._serving
        serving.deployment = deployment
        serving.show(replace(ready_view(deployment), state=DeploymentState.FAILED, text=cause))
        loss = self._begin(None)
        loss.wanted = wanted
        loss.name("", cause)
        if not wanted:
            return
        async for news in loss.follow():
            if news.kind in ("waiting", "failed"):
                raise ShardboardError(news.message)

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
                loss.finish(now, phrase("the machines were joined anew"), {})
            return loss
        self._loss = Loss()
        self._task = asyncio.create_task(self._run(self._loss), name="recovery")
        return self._loss

    def _end(self, cause: str) -> asyncio.Task[None] | None:
        task, self._task = self._task, None
        if self._loss:
            self._loss.give_up(cause)
        if task and task is not asyncio.current_task():  # which goes on to its end
            task.cancel()
        return task

    async def _run(self, loss: Loss) -> None:
        try:
            await self._mend_all(loss)
        except Exception as error:  # a mistake of ours: answers must not wait for ever
            failed = phrase("The recovery failed: {error}.", error=f"{type(error).__name__}: {error}")
            self._log.add(Level.ERROR, loss.node, failed)
            loss.give_up(failed)
            self._serving.show_trouble(DeploymentState.FAILED, failed)

    async def _mend_all(self, loss: Loss) -> None:
        refused, pause, began = set[str](), AGAIN_S[0], time.monotonic()
        failed = Counter[str]()
        while not loss.over:
            deployment = self._serving.deployment
            if deployment is None:
                loss.give_up(phrase("The model was unloaded."))
                return
            if self._serving.turns.behind:
                async with self._serving.change():
                    if loss.over or await self._follow(loss):
                        return
                deployment = self._serving.deployment or deployment
            seen = [or_parted(each, failed) for each in await look(deployment, self._nodes)]
            if any(each.fate is Fate.TAKEN for each in seen) and time.monotonic() - began > TAKEN_S:
                loss.give_up(ELSEWHERE)
                return
            step = decide(seen, refused | self._crashing())
            if isinstance(step, Look):
                await self._pause(AGAIN_S[0])
                continue
            self._name(loss, seen)
            if not loss.wanted and all(each.fate is Fate.RELEASED for each in seen):
                loss.give_up(loss.cause)
                when_asked = phrase("It is loaded again when somebody asks.")
                self._serving.show_trouble(DeploymentState.FAILED, joined((loss.cause, when_asked)))
                return
            if step.move and not loss.wanted:  # nobody waits: what was deployed is not moved without being asked
                loss.give_up(joined((loss.cause, phrase("It is loaded on other machines when somebody asks."))))
                self._serving.show_trouble(DeploymentState.FAILED, loss.cause)
                return
            try:
                waits = await self._guarded(self._mend(loss, deployment, seen, step, began))
                if loss.over and self._missed:
                    self.lost(*self._missed, here=True)
            except (SentenceError, OSError) as error:  # the latter: of this machine's own disk
                node = error.node if isinstance(error, DeploymentFailed) else ""
                self._log.add(Level.WARNING, node, str(error))
                failed[node] += 1
                if node and (step.restart or step.refill or step.move):
                    refused.add(node)
                await self._pause(pause)
                pause = min(2 * pause, AGAIN_S[1])
                continue
            if waits:
                loss.tell("waiting", loss.node, waits)
                self._serving.show_trouble(DeploymentState.FAILED, waits)
                refused.clear()
                failed.clear()
                await self._pause(AGAIN_S[1])

    async def _guarded(self, work: Coroutine[Any, Any, str]) -> str:
        """Raises AgentError where a machine of it is lost meanwhile."""
        self._mending = mending = asyncio.create_task(work, name="mend")
        try:
            return await asyncio.shield(mending)
        except asyncio.CancelledError:
            if mending.cancelled():  # by nodes_changed, not this task
                raise AgentError(LOST_MEANWHILE) from None
            mending.cancel()
            await asyncio.gather(mending, return_exceptions=True)
            raise
        finally:
            self._mending = None

    async def _pause(self, seconds: float) -> None:
        """Until something changes, at most so long."""
        self._wake.clear()
        try:
            async with asyncio.timeout(seconds):  # wait_for loses a cancellation that comes at the same moment
                await self._wake.wait()
        except TimeoutError:
            return
        await asyncio.sleep(AGAIN_S[0])

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
        serving, self._counted = self._serving, ()
        async with serving.change():
            if serving.turns.behind:  # another program was at it: what was seen before is over
                return ""
            planned = self._plan(deployment, step) if step.move else Plan(deployment.placement)
            if isinstance(planned, str):
                waits = phrase("The answer goes on when {node} is back or there is room.", node=loss.node)
                return joined((loss.cause, planned, waits))
            serving.turns.begin()
            placement, anew = planned.placement, planned.anew
            self._counted, self._missed = placement.nodes, None
            serving.show_trouble(DeploymentState.DEPLOYING, joined((phrase("Recovering."), loss.cause)))
            at = time.monotonic()
            if anew:
                away = [stage for stage in deployment.stages if self._state(stage.node) is not NodeState.READY]
                self.leftovers.abandon(away)
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
        rejoined = time.monotonic() - at - pushed - loaded
        how = what_changed(seen, step, placement)
        parts = {"planned": at - began, "pushed": pushed, "loaded": loaded, "joined": rejoined}
        loss.finish(pipeline, how, parts)
        self._log.add(Level.INFO, loss.node, phrase("Recovered: {how}.", how=how))
        return ""

    async def _load(self, deployment: Deployment, placement: Placement, step: Mend) -> Deployment:
        """The stages that are missing, beside those that are there; then the lanes anew."""
        fresh = deployment
        if step.restart:
            self._serving.deployment = fresh = await reload(fresh, step.restart, self._nodes)
        fills = sorted((*step.refill, *step.move))
        if fills:
            order = await self._order(placement, deployment)
            self.leftovers.abandon(deployment.stages[index] for index in step.move)
            self._serving.deployment = fresh = await fill(order, fresh, fills, self._nodes)
        if any(self._state(name) in GONE for name in placement.nodes):
            raise AgentError(LOST_MEANWHILE)
        await rejoin(fresh, self._nodes)
        return fresh

    async def _order(self, placement: Placement, deployment: Deployment) -> DeployOrder:
        means = self._means()
        if means is None:
            raise DeploymentFailed(
                "", phrase("{model} is not chosen any more.", model=deployment.model), phrase("Choose it again.")
            )
        return await means.order(placement, deployment.context_tokens)

    def _plan(self, deployment: Deployment, step: Mend) -> Plan | str:
        means = self._means()
        if means is None:
            return phrase("{model} is not chosen any more.", model=deployment.model)
        return plan_again(deployment, step, self._nodes, means)

    def _state(self, name: str) -> NodeState:
        node = self._nodes.get(name)
        return node.state if node else NodeState.LOST

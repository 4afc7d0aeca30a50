"""What a person has done with the deployment: deployed, moved, a stage started again, unloaded."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

from app.core.activity import ActivityLog
from app.core.cluster.node import Node
from app.core.deployment import review
from app.core.deployment.deployment import Deployment, DeploymentFailed, DeployOrder, deploy, restart
from app.core.deployment.drafting import DraftModel
from app.core.deployment.live import find_live
from app.core.deployment.moving import Mover, room_beside
from app.core.deployment.recovery import Recovery
from app.core.deployment.serving import UNLOADED, Serving
from app.core.deployment.sparing import Spares
from app.core.errors import SentenceError, ShardboardError
from app.core.placement.placement import Placement
from app.core.snapshot import DeploymentState, DeploymentView, Level, ModelView, Snapshot
from app.core.views import deployed_text

READY_S = 15.0
TRIES = 4  # to reach stages that were just loaded
ANOTHER = "Another model was deployed."
STOP_FIRST = (
    "Choose a placement that moves less, wait until no answer is written, or have what runs stopped first "
    "(shardboard deploy --stop-first): answers then wait until all is loaded."
)

MakeOrder = Callable[[ModelView, DraftModel | None, Placement, int], Awaitable[DeployOrder]]


class Deployer:
    """deployed: the model and the draft that run, where they are known. order: see make_order."""

    def __init__(
        self,
        serving: Serving,
        nodes: Mapping[str, Node],
        recovery: Recovery,
        spares: Spares,
        log: ActivityLog,
        order: MakeOrder,
    ) -> None:
        self.deployed: tuple[ModelView, DraftModel | None] | None = None
        self._serving = serving
        self._nodes = nodes
        self._recovery = recovery
        self._spares = spares
        self._log = log
        self._order = order
        self._mover = Mover(serving, nodes, recovery, log)
        self._at_it = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    @property
    def busy(self) -> bool:
        return self._at_it.locked() or self._serving.busy.locked()

    def check_free(self) -> None:
        """Raises ShardboardError while stages change."""
        if self.busy:
            raise ShardboardError("A deployment is under way.", "Wait until it has ended.")

    async def deploy(
        self,
        model: ModelView,
        draft: DraftModel | None,
        placement: Placement,
        context_tokens: int,
        *,
        stop_first: bool,
        spares: bool,
    ) -> None:
        """See Controller.deploy."""
        self.check_free()
        if context_tokens < 16:
            raise ShardboardError("The context is too short.", "Choose 16 tokens or more.")
        async with self._at_it:
            work = self._deploy(model, draft, placement, context_tokens, stop_first)
            self._task = task = asyncio.create_task(work, name="deploy")
            try:
                await task
            except asyncio.CancelledError:
                asked = asyncio.current_task()
                if asked and asked.cancelling():
                    raise
                raise ShardboardError("The deployment was cancelled, because the model was unloaded.") from None
            self._spares.want(spares)

    async def _deploy(
        self, model: ModelView, draft: DraftModel | None, placement: Placement, context_tokens: int, stop_first: bool
    ) -> None:
        wrong = review.check(model, placement, context_tokens, self._nodes, draft)
        if wrong:
            raise ShardboardError(wrong[0].sentence)
        for name in placement.nodes:
            await self._nodes[name].wait_ready(READY_S)
        running = None if stop_first else self._running(model)
        order = await self._order(model, draft, placement, context_tokens) if running else None
        if running and order and self._fits_beside(order, running):
            await self._move(model, draft, order, running)
        else:
            await self._replace(model, draft, placement, context_tokens)

    async def restart_stage(self, node: str) -> None:
        """Loads the stage on a node again and joins all anew."""
        deployment = self._serving.deployment
        index = next((i for i, s in enumerate(deployment.stages) if s.node == node), None) if deployment else None
        if deployment is None or index is None:
            raise ShardboardError(f"{node} has no stage of the deployed model.", "Deploy first.")
        self.check_free()
        async with self._at_it, self._serving.busy:
            held = self._recovery.hold(f"The stage on {node} is started again.")
            try:
                self._log.add(Level.INFO, node, "Restarting the stage.")
                await self._serving.close_pipeline()
                pipeline = await self._serving.serve(await restart(deployment, index, self._nodes), TRIES)
                held.finish(pipeline, f"the stage on {node} was started again", {})
            except BaseException as error:
                held.give_up(str(error) or UNLOADED)
                raise

    async def undeploy(self) -> None:
        if self._task is not None and not self._task.done():  # what it has loaded so far goes too
            self._task.cancel()
            await asyncio.wait([self._task])
        await self._recovery.cancel(UNLOADED)
        await self._serving.unload()
        self._log.add(Level.INFO, "", "The model was unloaded from all machines.")
        self._serving.show(Snapshot().deployment)
        self._spares.want(False)

    # -- beside what runs --------------------------------------------------------------------------------------------

    def _running(self, model: ModelView) -> Deployment | None:
        """The deployment of this model that is live, also one of another program of this controller."""
        if self._serving.deployment is not None:
            same = self.deployed is not None and self.deployed[0].directory == model.directory
            return self._serving.deployment if same else None
        try:
            live = find_live(self._nodes, self._serving.fingerprint)
        except ShardboardError:
            return None
        return live if live.model == model.name else None

    def _fits_beside(self, order: DeployOrder, running: Deployment) -> bool:
        """Whether both have room at once. Raises ShardboardError where they have not and answers are being written."""
        short = room_beside(order, running, self._nodes)
        if short and self._answering():
            raise ShardboardError(short[0].sentence, STOP_FIRST)
        if short:
            self._log.add(Level.INFO, short[0].node, f"{short[0].sentence} Nobody waits, so the present ones go first.")
        return not short

    def _answering(self) -> bool:
        """Whether an answer is being written, here or by another program."""
        beats = [node.beat for node in self._nodes.values() if node.beat]
        return self._serving.open_sequences > 0 or any(stage.sequences for beat in beats for stage in beat.stages)

    async def _move(self, model: ModelView, draft: DraftModel | None, order: DeployOrder, running: Deployment) -> None:
        try:
            deployment = await self._mover.move(order, running)
        except SentenceError as error:
            node = error.node if isinstance(error, DeploymentFailed) else ""
            self._log.add(Level.ERROR, node, f"{error} What runs is left as it is.")
            raise
        except asyncio.CancelledError:
            self._log.add(Level.WARNING, "", "The deployment was cancelled. What runs is left as it is.")
            raise
        self.deployed = (model, draft)
        if deployment is running:
            self._log.add(Level.INFO, "", f"{model.name} runs like this already: nothing was moved.")
            if self._serving.pipeline is None:
                await self._serving.serve(deployment)
            return
        await self._tell_deployed(deployment)

    # -- in place of what runs ---------------------------------------------------------------------------------------

    async def _replace(
        self, model: ModelView, draft: DraftModel | None, placement: Placement, context_tokens: int
    ) -> None:
        serving = self._serving
        async with serving.busy:
            view = DeploymentView(DeploymentState.DEPLOYING, "Deploying.", 0, model.name, placement, context_tokens)
            serving.show(view)
            same = self.deployed is not None and self.deployed[0].directory == model.directory
            held = self._recovery.hold(f"{model.name} is placed anew." if same else ANOTHER, end=not same)
            try:
                order = await self._order(model, draft, placement, context_tokens)
                await serving.unload("" if same else ANOTHER)
                deployment = await deploy(order, self._nodes)
                self.deployed = (model, draft)
                held.finish(await serving.serve(deployment, TRIES), "its layers were moved", {})
            except SentenceError as error:
                node = error.node if isinstance(error, DeploymentFailed) else ""
                self._log.add(Level.ERROR, node, str(error))
                serving.show(replace(view, state=DeploymentState.FAILED, text=str(error)))
                held.give_up(str(error))
                raise
            except asyncio.CancelledError:
                cancelled = "The deployment was cancelled."
                self._log.add(Level.WARNING, "", cancelled)
                serving.show(replace(view, state=DeploymentState.NONE, text=cancelled, placement=None))
                held.give_up(cancelled)
                raise
            await self._tell_deployed(deployment)

    async def _tell_deployed(self, deployment: Deployment) -> None:
        nodes = {name: self._nodes[name] for name in deployment.placement.nodes}
        await asyncio.gather(*(node.refresh_shards() for node in nodes.values()), return_exceptions=True)
        self._log.add(Level.INFO, "", deployed_text(deployment))

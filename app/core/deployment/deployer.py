"""What a person has done with the deployment: deployed, moved, a stage started again, unloaded."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace

from app.core.activity import ActivityLog
from app.core.cluster.node import Node
from app.core.deployment import review
from app.core.deployment.deployment import Deployment, DeploymentFailed, DeployOrder, deploy, restart
from app.core.deployment.drafting import DraftModel
from app.core.deployment.live import Placed, find_live, find_remains, is_joined, lacking, rebuilt, still_ready
from app.core.deployment.moving import Mover, room_beside
from app.core.deployment.recovery import Recovery
from app.core.deployment.serving import PATIENCE_S, UNLOADED, Serving
from app.core.deployment.sparing import Spares
from app.core.errors import SentenceError, ShardboardError
from app.core.placement.placement import Placement
from app.core.snapshot import DeploymentState, DeploymentView, Level, ModelView, NodeState, Snapshot
from app.core.text import counted, phrase
from app.core.views import deployed_text

READY_S = 15.0
TRIES = 4  # to reach stages that were just loaded
ANOTHER = phrase("Another model was deployed.")
NOT_JOINED = phrase("The machines were not joined when the program that deployed the model ended.")
STOP_FIRST = phrase(
    "Choose a placement that moves less, wait until no answer is written, or have what runs "
    "stopped first (shardboard deploy --stop-first): answers then wait until all is loaded."
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
            with self._serving.changing.marked():
                await self._deploy_now(model, draft, placement, context_tokens, stop_first)
            self._spares.want(spares)
        await self._serving.forget_released()
        await self.tidy()

    async def _deploy_now(
        self, model: ModelView, draft: DraftModel | None, placement: Placement, context_tokens: int, stop_first: bool
    ) -> None:
        work = self._deploy(model, draft, placement, context_tokens, stop_first)
        self._task = task = asyncio.create_task(work, name="deploy")
        try:
            await task
        except asyncio.CancelledError:
            asked = asyncio.current_task()
            if asked and asked.cancelling():
                raise
            raise ShardboardError("The deployment was cancelled, because the model was unloaded.") from None

    async def tidy(self) -> None:
        """Unloads what a program that was killed left behind."""
        left = await self._serving.tidy()
        if left:
            told = counted(
                left,
                "{number} stage of an interrupted deployment was unloaded.",
                "{number} stages of an interrupted deployment were unloaded.",
            )
            self._log.add(Level.INFO, "", told)

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

    async def attach(self, choose: Callable[[str], Awaitable[ModelView]], *, mend: bool, wanted: bool) -> None:
        """See Controller.attach. choose: reads the model of this name."""
        serving, nodes = self._serving, self._nodes
        await serving.look()
        try:
            live, remains = find_live(nodes, serving.fingerprint), []
        except ShardboardError:
            live, remains = None, find_remains(nodes, serving.fingerprint)
            if not remains:
                raise
        idle = serving.changing.nobody()
        if live is None and not idle:
            raise ShardboardError(
                phrase("Another program deploys a model just now."), phrase("Wait until it has ended.")
            )
        model = await choose(live.model if live else remains[0][1].model)
        self.deployed = (model, None)
        if live is None:
            await self._take_up_rest(model, remains, mend=mend, wanted=wanted)
        elif mend and idle and not is_joined(nodes, live):
            await self._recovery.take_up(live, NOT_JOINED, wanted=wanted)
        else:
            await serving.serve(live)
            self._recovery.check_ring()
        self._spares.take_up()

    async def _take_up_rest(self, model: ModelView, remains: Sequence[Placed], *, mend: bool, wanted: bool) -> None:
        found = rebuilt(remains, model.inventory.layer_count)
        if found is None or not mend:
            raise ShardboardError(
                phrase("{model} is loaded only in part.", model=model.name),
                phrase("Load the rest with: shardboard deploy {model}", model=model.name),
            )
        cause = phrase(
            "{model} was deployed, and no machine has loaded {layers}.", model=model.name, layers=lacking(found)
        )
        await self._recovery.take_up(found, cause, wanted=wanted)

    async def restart_stage(self, node: str) -> None:
        """Loads the stage on a node again and joins all anew."""
        self._stage_of(node)
        self.check_free()
        async with self._at_it, self._serving.change():
            if self._serving.turns.behind:
                await self._serving.follow()
            deployment, index = self._stage_of(node)
            self._serving.turns.begin()
            held = self._recovery.hold(phrase("The stage on {node} is started again.", node=node))
            try:
                self._log.add(Level.INFO, node, phrase("Restarting the stage."))
                await self._serving.close_pipeline()
                pipeline = await self._serving.serve(await restart(deployment, index, self._nodes), TRIES)
                held.finish(pipeline, phrase("the stage on {node} was started again", node=node), {})
            except BaseException as error:
                held.give_up(str(error) or UNLOADED)
                raise

    def _stage_of(self, node: str) -> tuple[Deployment, int]:
        deployment = self._serving.deployment
        index = next((i for i, s in enumerate(deployment.stages) if s.node == node), None) if deployment else None
        if deployment is None or index is None:
            raise ShardboardError(phrase("{node} has no stage of the deployed model.", node=node), "Deploy first.")
        return deployment, index

    async def undeploy(self) -> None:
        if self._task is not None and not self._task.done():  # what it has loaded so far goes too
            self._task.cancel()
            await asyncio.wait([self._task])
        await self._recovery.cancel(UNLOADED)
        stages = self._serving.deployment.stages if self._serving.deployment else ()
        async with self._serving.turns.taken(PATIENCE_S):
            with self._serving.changing.marked():
                await self._serving.unload()
        away = [s for s in stages if s.node not in self._nodes or self._nodes[s.node].state is not NodeState.READY]
        self._recovery.leftovers.abandon(away)
        self._log.add(Level.INFO, "", phrase("The model was unloaded from all machines."))
        self._serving.show(Snapshot().deployment)
        self._spares.want(False)

    # -- beside what runs --------------------------------------------------------------------------------------------

    def _running(self, model: ModelView) -> Deployment | None:
        """What is loaded of this model and can stay, also of another program of this controller that is gone."""
        if self._serving.deployment is not None:
            same = self.deployed is not None and self.deployed[0].directory == model.directory
            return still_ready(self._serving.deployment, self._nodes) if same else None
        try:
            live = find_live(self._nodes, self._serving.fingerprint)
        except ShardboardError:
            remains = find_remains(self._nodes, self._serving.fingerprint)
            live = rebuilt(remains, model.inventory.layer_count)
        return still_ready(live, self._nodes) if live and live.model == model.name else None

    def _fits_beside(self, order: DeployOrder, running: Deployment) -> bool:
        """Whether both have room at once. Raises ShardboardError where they have not and answers are being written."""
        short = room_beside(order, running, self._nodes)
        if short and self._answering():
            raise ShardboardError(short[0].sentence, STOP_FIRST)
        if short:
            self._log.add(
                Level.INFO,
                short[0].node,
                phrase("{sentence} Nobody waits, so the present ones go first.", sentence=short[0].sentence),
            )
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
            self._log.add(Level.ERROR, node, phrase("{error} What runs is left as it is.", error=error))
            raise
        except asyncio.CancelledError:
            self._log.add(Level.WARNING, "", phrase("The deployment was cancelled. What runs is left as it is."))
            raise
        self.deployed = (model, draft)
        if deployment is running:
            self._log.add(Level.INFO, "", phrase("{name} runs like this already: nothing was moved.", name=model.name))
            if self._serving.pipeline is None:
                await self._serving.serve(deployment)
            return
        await self._tell_deployed(deployment)

    # -- in place of what runs ---------------------------------------------------------------------------------------

    async def _replace(
        self, model: ModelView, draft: DraftModel | None, placement: Placement, context_tokens: int
    ) -> None:
        serving = self._serving
        async with serving.change():
            view = DeploymentView(
                DeploymentState.DEPLOYING, phrase("Deploying."), 0, model.name, placement, context_tokens
            )
            serving.show(view)
            same = self.deployed is not None and self.deployed[0].directory == model.directory
            held = self._recovery.hold(
                phrase("{name} is placed anew.", name=model.name) if same else ANOTHER, end=not same
            )
            try:
                order = await self._order(model, draft, placement, context_tokens)
                await serving.unload("" if same else ANOTHER)
                deployment = await deploy(order, self._nodes)
                self.deployed = (model, draft)
                held.finish(await serving.serve(deployment, TRIES), phrase("its layers were moved"), {})
            except SentenceError as error:
                node = error.node if isinstance(error, DeploymentFailed) else ""
                self._log.add(Level.ERROR, node, str(error))
                serving.show(replace(view, state=DeploymentState.FAILED, text=str(error)))
                held.give_up(str(error))
                raise
            except asyncio.CancelledError:
                cancelled = phrase("The deployment was cancelled.")
                self._log.add(Level.WARNING, "", cancelled)
                serving.show(replace(view, state=DeploymentState.NONE, text=cancelled, placement=None))
                held.give_up(cancelled)
                raise
            await self._tell_deployed(deployment)

    async def _tell_deployed(self, deployment: Deployment) -> None:
        nodes = {name: self._nodes[name] for name in deployment.placement.nodes}
        await asyncio.gather(*(node.refresh_shards() for node in nodes.values()), return_exceptions=True)
        self._log.add(Level.INFO, "", deployed_text(deployment))

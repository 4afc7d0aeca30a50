"""What answers: the deployment, this controller's lanes to it, and how it stands."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import replace

from app.core.cluster.node import Node
from app.core.deployment.changing import Changing
from app.core.deployment.deployment import Deployment, unload
from app.core.deployment.elsewhere import Became, what_became
from app.core.deployment.live import find_live, stages_of
from app.core.deployment.turns import Turns
from app.core.errors import ShardboardError
from app.core.generation.pipeline import Pipeline
from app.core.snapshot import DeploymentState, DeploymentView, NodeState, Snapshot
from app.core.text import joined, phrase
from app.core.views import ready_view
from shardd.identity import Identity

UNLOADED = phrase("The model was unloaded.")
AT_IT = phrase("Another program changes what is deployed.")
PATIENCE_S = 5.0  # of a person who wants the model unloaded, with a program that is at something else


class Serving:
    """busy is held while stages change. refresh_stages: asks all nodes what runs on them.
    on_taken_up: called whenever a deployment can answer."""

    def __init__(
        self,
        nodes: Mapping[str, Node],
        identity: Callable[[], Identity],
        refresh_stages: Callable[[], Awaitable[None]],
        on_change: Callable[[], None],
        changing: Changing,
        turns: Turns,
    ) -> None:
        self.deployment: Deployment | None = None
        self.pipeline: Pipeline | None = None
        self.view: DeploymentView = Snapshot().deployment
        self.busy = asyncio.Lock()
        self._nodes = nodes
        self._identity = identity
        self._refresh_stages = refresh_stages
        self._on_change = on_change
        self.changing = changing
        self.turns = turns
        self.on_taken_up: Callable[[], None] = lambda: None

    @property
    def fingerprint(self) -> str:
        """This controller's."""
        return self._identity().fingerprint

    @property
    def open_sequences(self) -> int:
        return self.pipeline.open_sequences if self.pipeline else 0

    @contextlib.asynccontextmanager
    async def change(self, seconds: float | None = None) -> AsyncGenerator[None]:
        """Around a change of stages, which one program of this controller makes at a time; the others see that one is
        under way. seconds: how long another one is waited for."""
        async with self.busy, self.turns.taken(seconds, self._show_other):
            with self.changing.marked():
                yield

    def _show_other(self) -> None:
        if self.view.state is DeploymentState.FAILED:
            self.show_trouble(DeploymentState.DEPLOYING, joined((self.view.text, AT_IT)))

    def show(self, view: DeploymentView) -> None:
        self.view = view
        self._on_change()

    def show_trouble(self, state: DeploymentState, sentence: str) -> None:
        """The same deployment, in another state."""
        self.show(replace(self.view, state=state, text=sentence))

    async def serve(self, deployment: Deployment, tries: int = 1) -> Pipeline:
        """Takes up a deployment whose stages are joined. Raises ShardboardError where so many tries to reach them fail:
        a busy machine may not answer the first."""
        await self.close_pipeline()
        self.deployment = deployment
        for left in reversed(range(tries)):
            pipeline = Pipeline(deployment, self._identity())
            try:
                await pipeline.connect(self._nodes)
            except ShardboardError:
                await pipeline.close()
                if not left:
                    raise
            except BaseException:
                await pipeline.close()
                raise
            else:
                return self._taken_up(pipeline)
        raise ValueError("at least one try")

    def _taken_up(self, pipeline: Pipeline) -> Pipeline:
        self.pipeline, deployment = pipeline, pipeline.deployment
        self.turns.settled()
        self.show(ready_view(deployment))
        self.on_taken_up()
        return pipeline

    def lanes(self) -> Pipeline:
        """The lanes to the deployment; broken ones where they have to be made first."""
        assert self.deployment is not None
        return self.pipeline or Pipeline(self.deployment, self._identity())

    def break_off(self) -> None:
        """No sequence can go on by the present lanes."""
        if self.pipeline:
            self.pipeline.break_off()

    async def close_pipeline(self, over: str = "") -> None:
        """over: why the answers that are being written end; "" where they go on by other lanes."""
        pipeline, self.pipeline = self.pipeline, None
        if pipeline:
            pipeline.over = over
            pipeline.break_off()
            await pipeline.close()

    async def unload(self, over: str = UNLOADED) -> None:
        """Ends every stage that this controller deployed, also in an earlier run of the program."""
        self.turns.begin(unloaded=True)
        await self.close_pipeline(over)
        self.deployment = None
        await self.free()

    async def free(self) -> None:
        """As unload, but what is deployed is still wanted."""
        self.turns.begin()
        await self._refresh_stages()
        await unload(stages_of(self._nodes, self.fingerprint), self._nodes)
        await self.forget_released()

    async def forget_released(self) -> None:
        """Has the machines forget what they unloaded while this controller was away: it wants something else now."""
        there = [node for node in self._nodes.values() if node.state is NodeState.READY]
        noted = [node.unload_stage(stage_id) for node in there for stage_id in node.released]
        await asyncio.gather(*noted, return_exceptions=True)

    async def tidy(self) -> int:
        """Unloads what a program of this controller left behind when it was killed: stages of ours that belong to
        nothing that is whole. Not while one is about to change something. Answers how many."""
        await self._refresh_stages()
        if not self.changing.nobody():
            return 0
        kept = [self.deployment] if self.deployment else []
        with contextlib.suppress(ShardboardError):  # another program may have deployed something else meanwhile
            kept.append(find_live(self._nodes, self.fingerprint))
        if not kept and any(node.state is not NodeState.READY for node in self._nodes.values()):
            return 0  # what is here may be whole with what runs on a machine that is away
        left = [s for s in stages_of(self._nodes, self.fingerprint) if not any(d.has(s.stage_id) for d in kept)]
        await unload(left, self._nodes)
        return len(left)

    async def look(self) -> None:
        """Asks all machines what runs on them: what other programs change from now on is known to be newer."""
        self.turns.look()
        await self._refresh_stages()

    async def follow(self) -> Became:
        """Takes up what other programs of this controller made of the deployment, or what there is of it. Raises
        ShardboardError where it is whole and cannot be reached."""
        former = self.deployment
        await self.look()
        if former is None:
            return Became(ended=True)
        became = what_became(former, self._nodes, self.fingerprint, unloaded=self.turns.unloaded)
        if became.whole and became.deployment:
            await self.serve(became.deployment)
        else:
            self.deployment = became.deployment or former
        return became

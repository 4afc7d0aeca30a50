"""What answers: the deployment, this controller's lanes to it, and how it stands."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import replace

from app.core.cluster.node import Node
from app.core.deployment.changing import Changing
from app.core.deployment.deployment import Deployment, unload
from app.core.deployment.live import find_live, stages_of
from app.core.errors import ShardboardError
from app.core.generation.pipeline import Pipeline
from app.core.snapshot import DeploymentState, DeploymentView, NodeState, Snapshot
from app.core.text import phrase
from app.core.views import ready_view
from shardd.identity import Identity

UNLOADED = phrase("The model was unloaded.")


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
        self.on_taken_up: Callable[[], None] = lambda: None

    @property
    def fingerprint(self) -> str:
        """This controller's."""
        return self._identity().fingerprint

    @property
    def open_sequences(self) -> int:
        return self.pipeline.open_sequences if self.pipeline else 0

    @contextlib.asynccontextmanager
    async def change(self) -> AsyncGenerator[None]:
        """Around a change of stages: other programs of this controller see that one is under way."""
        async with self.busy:
            with self.changing.marked():
                yield

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
        await self.close_pipeline(over)
        self.deployment = None
        await self.free()

    async def free(self) -> None:
        """As unload, but what is deployed is still wanted."""
        await self._refresh_stages()
        await unload(stages_of(self._nodes, self.fingerprint), self._nodes)

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

    async def find_newer(self) -> Deployment | None:
        """What another program of this controller made of the deployment meanwhile."""
        await self._refresh_stages()
        try:
            live = find_live(self._nodes, self.fingerprint)
        except ShardboardError:
            return None
        former = self.deployment
        newer = former is not None and live.model == former.model and live.epoch > former.epoch
        return live if newer else None

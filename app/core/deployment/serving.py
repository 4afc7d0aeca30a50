"""What answers: the deployment, this controller's lanes to it, and how it stands."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

from app.core.cluster.node import Node
from app.core.deployment.deployment import Deployment, unload
from app.core.deployment.live import stages_of
from app.core.generation.pipeline import Pipeline
from app.core.snapshot import DeploymentState, DeploymentView, Snapshot
from app.core.views import ready_view
from shardd.identity import Identity

UNLOADED = "The model was unloaded."


class Serving:
    """busy is held while stages change. refresh_stages: asks all nodes what runs on them."""

    def __init__(
        self,
        nodes: Mapping[str, Node],
        identity: Callable[[], Identity],
        refresh_stages: Callable[[], Awaitable[None]],
        on_change: Callable[[], None],
    ) -> None:
        self.deployment: Deployment | None = None
        self.pipeline: Pipeline | None = None
        self.view: DeploymentView = Snapshot().deployment
        self.busy = asyncio.Lock()
        self._nodes = nodes
        self._identity = identity
        self._refresh_stages = refresh_stages
        self._on_change = on_change

    @property
    def open_sequences(self) -> int:
        return self.pipeline.open_sequences if self.pipeline else 0

    def show(self, view: DeploymentView) -> None:
        self.view = view
        self._on_change()

    def show_trouble(self, state: DeploymentState, sentence: str) -> None:
        """The same deployment, in another state."""
        self.show(replace(self.view, state=state, text=sentence))

    async def serve(self, deployment: Deployment) -> Pipeline:
        """Takes up a deployment whose stages are joined. Raises ShardboardError."""
        await self.close_pipeline()
        self.deployment = deployment
        pipeline = Pipeline(deployment, self._identity())
        try:
            await pipeline.connect(self._nodes)
        except BaseException:
            await pipeline.close()
            raise
        self.pipeline = pipeline
        self.show(ready_view(deployment))
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
        await unload(stages_of(self._nodes, self._identity().fingerprint), self._nodes)

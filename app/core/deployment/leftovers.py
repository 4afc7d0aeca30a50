"""Stages that nobody wants any more: unloaded, those of machines that are away when they are back."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Mapping
from typing import Any

from app.core.cluster.node import Node
from app.core.deployment.deployment import LiveStage, unload
from app.core.deployment.serving import Serving
from app.core.snapshot import DeploymentState, NodeState

SETTLE_S = 0.5  # a machine that is back is often not alone
TIDY = "tidy"


class Leftovers:
    def __init__(self, serving: Serving, nodes: Mapping[str, Node]) -> None:
        self._serving = serving
        self._nodes = nodes
        self._abandoned: dict[str, list[LiveStage]] = {}
        self._there: frozenset[str] = frozenset()
        self._sweeps: set[asyncio.Task[None]] = set()

    def abandon(self, stages: Iterable[LiveStage]) -> None:
        for stage in stages:
            self._abandoned.setdefault(stage.node, []).append(stage)
        self._sweep()

    async def release(self, stages: Iterable[LiveStage]) -> None:
        """As abandon; returns when those are gone whose machines are there."""
        self.abandon(stages)
        await asyncio.gather(*(task for task in self._sweeps if task.get_name() != TIDY), return_exceptions=True)

    def nodes_changed(self) -> None:
        """Looks what machines that are back have brought along, also from before this program began."""
        self._sweep()
        there = frozenset(name for name, node in self._nodes.items() if node.state is NodeState.READY)
        back, self._there = there - self._there, there
        if back and self._serving.view.state is DeploymentState.READY:
            self._in_background(self._tidy(), TIDY)

    async def close(self) -> None:
        for task in self._sweeps:
            if task.get_name() == TIDY:
                task.cancel()
        await asyncio.gather(*self._sweeps, return_exceptions=True)

    async def _tidy(self) -> None:
        await asyncio.sleep(SETTLE_S)
        if self._serving.view.state is DeploymentState.READY and not self._serving.busy.locked():
            await self._serving.tidy()
            await self._serving.forget_released()

    def _sweep(self) -> None:
        for name in [name for name in self._abandoned if name in self._nodes]:
            if self._nodes[name].state is NodeState.READY:
                self._in_background(unload(self._abandoned.pop(name), self._nodes), f"sweep-{name}")

    def _in_background(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._sweeps.add(task)
        task.add_done_callback(self._sweeps.discard)

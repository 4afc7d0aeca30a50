"""What a person does with one machine beside deploying on it: measure it, free its memory; and what is known of it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from app.core.activity import ActivityLog
from app.core.cluster.client import AgentError
from app.core.cluster.figures import Figures, read_figures, write_figures
from app.core.errors import ShardboardError
from app.core.snapshot import Level, NodeState, NodeView
from app.core.text import phrase
from shardd.host import format_bytes

if TYPE_CHECKING:
    from app.core.cluster.node import Node

SETTLE_S = 3.0  # after pairing: whoever pairs and deploys at once, or only pairs, is not held up by a reading
WRITE_S = 20.0  # figures move with every beat; the disk need not


class Machines:
    """figures: all that was measured, also in earlier runs.

    get(name): the node; raises ShardboardError where there is none. deployed_on(): the nodes of what is deployed.
    """

    def __init__(
        self,
        file: Path,
        log: ActivityLog,
        get: Callable[[str], Node],
        deployed_on: Callable[[], Sequence[str]],
        undeploy: Callable[[], Awaitable[None]],
        fingerprint: Callable[[], str],
        on_change: Callable[[], None],
    ) -> None:
        self.figures: Figures = read_figures(file)
        self._file = file
        self._log = log
        self._get = get
        self._deployed_on = deployed_on
        self._undeploy = undeploy
        self._fingerprint = fingerprint
        self._on_change = on_change
        self._written = self.figures
        self._written_at = monotonic()
        self._measuring: set[asyncio.Task[None]] = set()

    def learn(self, nodes: Sequence[NodeView]) -> Figures:
        """Takes up what the nodes show, and now and then writes it down."""
        self.figures = self.figures.learn(nodes)
        if self.figures != self._written and monotonic() - self._written_at >= WRITE_S:
            self._write()
        return self.figures

    async def close(self) -> None:
        for task in self._measuring:
            task.cancel()
        await asyncio.gather(*self._measuring, return_exceptions=True)
        if self.figures != self._written:
            self._write()

    async def measure(self, name: str) -> str:
        """Has the agent take its quick reading; answers it in a sentence. Raises ShardboardError in words."""
        node = self._get(name)
        if node.state is not NodeState.READY:
            raise ShardboardError(
                phrase("{name} cannot be measured now. {state_text}", name=name, state_text=node.state_text)
            )
        found = await node.client.measure()
        figures = replace(
            self.figures.of(name),
            read_bytes_per_s=found.read_bytes_per_s or None,
            flops_per_s=found.flops_per_s or None,
        )
        self.figures = self.figures.with_machine(name, figures)
        told = phrase(
            "Measured: weights are read at {read_bytes_per_s} a second, matrices multiplied at "
            "{flops_per_s:,.0f} billion operations a second. No model was involved.",
            read_bytes_per_s=format_bytes(round(found.read_bytes_per_s)),
            flops_per_s=found.flops_per_s / 1000000000.0,
        )
        self._log.add(Level.INFO, name, told)
        self._on_change()
        return told

    def measure_new(self, name: str) -> None:
        """Measures a machine that was just paired, behind what goes on; says why not in the activity."""

        async def work() -> None:
            try:
                await asyncio.sleep(SETTLE_S)
                await self._get(name).wait_ready(60.0)
                await self.measure(name)
            except (AgentError, ShardboardError) as error:
                self._log.add(Level.INFO, name, phrase("It was not measured: {error}", error=error))

        task = asyncio.create_task(work(), name=f"measure-{name}")
        self._measuring.add(task)
        task.add_done_callback(self._measuring.discard)

    def forget(self, name: str) -> None:
        self.figures = self.figures.without(name)

    async def free_memory(self, name: str, *, undeploy: bool = False) -> str:
        """Unloads what this controller has loaded on a machine; answers what that freed, in a sentence.

        Where that is a stage of the deployed model, nothing happens without undeploy: it ends the model on all of its
        machines. Raises ShardboardError in words.
        """
        node = self._get(name)
        if node.state is not NodeState.READY:
            raise ShardboardError(
                phrase("Nothing can be unloaded on {name} now. {state_text}", name=name, state_text=node.state_text)
            )
        await node.refresh_stages()
        held = {stage.stage_id: stage.weights_bytes + stage.kv_bytes for stage in node.beat.stages} if node.beat else {}
        ours = [each for each in node.stages.values() if each.deployed_by == self._fingerprint()]
        if not ours:
            others = phrase("; another controller's stages stay") if node.stages else ""
            raise ShardboardError(
                phrase("Nothing of this controller is loaded on {name}{others}.", name=name, others=others)
            )
        freed = sum(held.get(stage.stage_id, 0) for stage in ours)
        if name in self._deployed_on():
            if not undeploy:
                raise ShardboardError(
                    phrase("{name} holds a stage of the deployed model.", name=name), "Unload the model first."
                )
            await self._undeploy()
        else:
            for stage in ours:
                await node.unload_stage(stage.stage_id)
        await node.refresh_stages()
        told = phrase("{freed} of weights and caches were unloaded on {name}.", freed=format_bytes(freed), name=name)
        self._log.add(Level.INFO, name, told)
        self._on_change()
        return told

    def _write(self) -> None:
        self._written, self._written_at = self.figures, monotonic()
        with contextlib.suppress(OSError):  # measured again when it is needed
            write_figures(self._file, self.figures)

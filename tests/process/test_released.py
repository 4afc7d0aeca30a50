"""Agents whose controller is gone for too long: they free the memory, keep the shards, and say so when it is back."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest

from app.core.controller import Controller
from app.core.errors import ShardboardError
from app.core.generation.request import GenerationRequest
from app.core.library.models import built_in_model
from app.core.paths import controller_paths
from app.core.placement.placement import even_split
from app.core.snapshot import DeploymentState
from shardd.agent.released import read_released
from tests.agents import Agent, shardd
from tests.clusters import ask
from tests.process.conftest import eventually

STORY = GenerationRequest(prompt="Once", max_tokens=16, ignore_end=True)
WAIT_S = 90.0


@contextlib.asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Controller]:
    controller = Controller(controller_paths(folder), discover=False)
    try:
        await controller.start()
        yield controller
    finally:
        await controller.close()


async def add(controller: Controller, agents: Sequence[Agent]) -> None:
    for each in agents:
        await controller.add_node(each.address, each.ready["fingerprint"])
    await controller.wait_ready(WAIT_S)


async def deploy(controller: Controller) -> None:
    await controller.choose_model(str(built_in_model()))
    await controller.deploy(even_split(list(controller.nodes), 12), 512)


async def impatient(agent: Any, controller: Controller) -> list[Agent]:
    """Two agents that release after three seconds, with the built-in model deployed on them."""
    trust = ("--trust", str(controller.paths.identity / "certificate.pem"), "--release-after", "3s")
    agents = [agent(*trust, "--name", name) for name in ("mini-1", "mini-2")]
    await add(controller, agents)
    await deploy(controller)
    return agents


def stages(each: Agent) -> list[psutil.Process]:
    """The processes of an agent's stages."""
    found: list[psutil.Process] = []
    for child in psutil.Process(each.process.pid).children():
        with contextlib.suppress(psutil.Error):
            if "shardd.stage" in child.cmdline():  # not the one that measures
                found.append(child)
    return found


@pytest.mark.in_turn
async def test_a_controller_that_stays_away(agent: Any, tmp_path: Path) -> None:
    folder = tmp_path / "controller"
    async with opened(folder) as controller:
        agents = await impatient(agent, controller)
        plain = await ask(controller, STORY)
        await eventually(lambda: all(stages(each) for each in agents))
    await eventually(lambda: not any(stages(each) for each in agents), WAIT_S)
    told = json.loads(shardd("status", "--json", "--data", str(agents[1].data)).stdout)
    (released,) = told["released"]
    assert released["model"] == "shardboard-tiny" and released["layers"] == [6, 11]
    assert released["away_seconds"] >= 3 and told["shards"], "they stay on the disk"
    said = shardd("status", "--data", str(agents[0].data)).stdout
    assert "Layers 0 to 5 of shardboard-tiny were unloaded, because certificate was away for" in said

    async with opened(folder) as controller:
        await controller.wait_ready(WAIT_S)
        with pytest.raises(
            ShardboardError, match=r"was unloaded on mini-1 and mini-2, because this controller was away"
        ):
            await controller.attach()

        def told_by_events() -> int:
            return sum("because this controller was away for" in entry.message for entry in controller.activity())

        await eventually(lambda: told_by_events() == 2)
        await deploy(controller)
        assert controller.deployment is not None and not controller.deployment.sent_bytes
        assert (await ask(controller, STORY)).token_ids == plain.token_ids
        assert not any(read_released(each.data) for each in agents), "it has deployed again"


@pytest.mark.in_turn
async def test_a_controller_that_slept_for_too_long(agent: Any, tmp_path: Path) -> None:
    folder = tmp_path / "controller"
    async with opened(folder) as controller:
        agents = await impatient(agent, controller)
        plain = await ask(controller, STORY)
        for node in controller.nodes.values():
            await node.close()
        await eventually(lambda: not any(stages(each) for each in agents), WAIT_S)
        for node in controller.nodes.values():
            node.client = node._make_client()
            node.start()
        await eventually(
            lambda: "It is loaded again when somebody asks." in controller.snapshot().deployment.text, WAIT_S
        )
        assert controller.snapshot().deployment.state is DeploymentState.FAILED
        assert "because this controller was away for" in controller.snapshot().deployment.text
        assert not any(stages(each) for each in agents), "nobody asked yet"
        assert (await ask(controller, STORY)).token_ids == plain.token_ids
        assert controller.snapshot().deployment.state is DeploymentState.READY


def test_a_wrong_duration_is_refused(tmp_path: Path) -> None:
    said = shardd("run", "--release-after", "soon", "--data", str(tmp_path))
    assert said.returncode == 1 and "is not a duration. Write a number and a unit, such as 24h or 30min." in said.stderr

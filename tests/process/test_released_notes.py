"""What an agent notes of stages that it unloaded by itself: told while somebody is there too, and forgotten in time."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from app.core.controller import Controller
from app.core.library.models import built_in_model
from app.core.paths import controller_paths
from app.core.placement.placement import even_split
from app.core.snapshot import DeploymentState
from shardd.agent.released import read_released
from shardd.agent.service import AgentService, AgentSettings
from tests.process.conftest import eventually

WAIT_S = 60.0


@contextlib.asynccontextmanager
async def machines(folder: Path, *names: str) -> AsyncIterator[tuple[Controller, list[AgentService]]]:
    """Agents in this process, so that a test can say when one releases; their stages are processes as always."""
    controller = Controller(controller_paths(folder / "controller"), discover=False)
    trust = (controller.paths.identity / "certificate.pem",)
    settings = [AgentSettings("127.0.0.1", 0, name, folder / name, None, None, trust, False) for name in names]
    agents = [AgentService(each) for each in settings]
    try:
        for each in agents:
            await each.start()
        await controller.start()
        for each in agents:
            await controller.add_node(f"127.0.0.1:{each.port}", each.identity.fingerprint)
        await controller.wait_ready(WAIT_S)
        await controller.choose_model(str(built_in_model()))
        yield controller, agents
    finally:
        await controller.close()
        await eventually(lambda: not measuring(), WAIT_S)  # it is ended, and that takes a moment of this loop
        for each in agents:
            await each.close()


def measuring() -> list[psutil.Process]:
    """The processes that measure this machine, of the agents in this process."""
    found: list[psutil.Process] = []
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.Error):
            if "shardd.stage.measure" in child.cmdline():
                found.append(child)
    return found


async def release(agent: AgentService, controller: Controller) -> None:
    """As when the time is over, but at a moment in which the controller is back already."""
    await agent._supervisor.release_absent(controller.identity.fingerprint, 90.0)


async def test_a_controller_that_is_just_back_is_told_why(tmp_path: Path) -> None:
    async with machines(tmp_path, "mini-1") as (controller, (agent,)):
        await controller.deploy(even_split(["mini-1"], 12), 512)
        await release(agent, controller)
        view = controller.snapshot
        await eventually(lambda: "It is loaded again when somebody asks." in view().deployment.text, WAIT_S)
        assert view().deployment.state is DeploymentState.FAILED
        assert "because this controller was away for 1.5 minutes" in view().deployment.text
        assert read_released(tmp_path / "mini-1")

        await controller.undeploy()
        assert not read_released(tmp_path / "mini-1") and not controller.nodes["mini-1"].released


@pytest.mark.in_turn
async def test_a_deployment_elsewhere_is_as_good(tmp_path: Path) -> None:
    async with machines(tmp_path, "mini-1", "mini-2") as (controller, (agent, other)):
        for first, second, stop_first in (("mini-1", "mini-2", True), ("mini-2", "mini-1", False)):
            await controller.deploy(even_split([first], 12), 512)
            await release(agent if first == "mini-1" else other, controller)
            await eventually(lambda name=first: bool(controller.nodes[name].released), WAIT_S)
            await controller.deploy(even_split([second], 12), 512, stop_first=stop_first)
            assert not read_released(tmp_path / first) and not controller.nodes[first].released

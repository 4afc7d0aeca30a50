"""A controller that is killed while it changes stages, and comes back: what is there is used, nothing is left over."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from app.core.controller import Controller
from app.core.errors import ShardboardError
from app.core.generation.request import GenerationRequest
from app.core.paths import controller_paths
from app.core.snapshot import NodeState
from tests.clusters import ask
from tests.process.conftest import eventually
from tests.process.programs import deploys, is_token

STORY = GenerationRequest(prompt="Once", max_tokens=16, ignore_end=True)
WAIT_S = 60.0


@contextlib.asynccontextmanager
async def back(folder: Path, ready: int) -> AsyncIterator[Controller]:
    """The program's next start, once so many machines answer."""
    controller = Controller(controller_paths(folder), discover=False)
    try:
        await controller.start()
        nodes = controller.nodes
        await eventually(lambda: sum(node.state is NodeState.READY for node in nodes.values()) == ready, WAIT_S)
        yield controller
    finally:
        await controller.close()


def recovers(told: dict[str, Any]) -> bool:
    """It loads, or has just loaded, what was lost."""
    return deploys(told) or (told["kind"] == "log" and told["node"] == "mini-4" and "are loaded" in told["message"])


def stage_ids(controller: Controller) -> dict[str, set[str]]:
    return {name: set(node.stages) for name, node in controller.nodes.items() if node.stages}


async def nothing_else_is_loaded(controller: Controller) -> None:
    assert controller.deployment is not None
    expected = {stage.node: {stage.stage_id} for stage in controller.deployment.stages}
    await eventually(lambda: stage_ids(controller) == expected, WAIT_S)


@pytest.mark.in_turn
async def test_in_the_middle_of_a_recovery(agent: Any, program: Any, tmp_path: Path) -> None:
    folder = tmp_path / "controller"
    trust = ("--trust", str(controller_paths(folder).identity / "certificate.pem"))
    Controller(controller_paths(folder), discover=False)  # makes the certificate
    agents = [agent(*trust, "--name", f"mini-{number}") for number in (1, 2, 3, 4)]
    running = program(folder, agents)
    await running.until(is_token)
    agents[1].process.kill()
    agents[1].process.communicate()
    await running.until(recovers)
    running.kill()

    async with back(folder, 3) as controller:
        await controller._cluster.refresh_stages()
        before = stage_ids(controller)
        if len(before) < 3:
            with pytest.raises(ShardboardError, match="is loaded only in part"):
                await controller.attach(mend=False)
        await controller.attach()
        assert controller.deployment is not None
        homes = {stage.node: stage for stage in controller.deployment.stages}
        assert set(homes) == {"mini-1", "mini-3", "mini-4"}
        for name in ("mini-1", "mini-3"):
            assert before[name] == {homes[name].stage_id}, "what was loaded goes on"
        assert len((await ask(controller, STORY)).token_ids) == 16
        await nothing_else_is_loaded(controller)


@pytest.mark.in_turn
async def test_in_the_middle_of_a_move(agent: Any, program: Any, tmp_path: Path) -> None:
    folder = tmp_path / "controller"
    trust = ("--trust", str(controller_paths(folder).identity / "certificate.pem"))
    Controller(controller_paths(folder), discover=False)
    agents = [agent(*trust, "--name", f"mini-{number}") for number in (1, 2, 3)]
    running = program(folder, agents)
    await running.until(is_token)
    running.tell({"deploy": "mini-1=0-2,mini-2=3-8,mini-3=9-11"})
    await running.until(lambda told: told["kind"] == "log" and "are loaded" in told["message"])
    running.kill()

    async with back(folder, 3) as controller:
        await controller.attach()
        assert len((await ask(controller, STORY)).token_ids) == 16
        await nothing_else_is_loaded(controller)

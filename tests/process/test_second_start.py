"""What the window takes up of its last time, and what it says where it cannot. (tests.ui.story has the good case.)"""

from __future__ import annotations

from pathlib import Path

import pytest

from app.core.controller import Controller
from app.core.deployment.remembered import Remembered, read_remembered, write_remembered
from app.core.library.models import BUILT_IN, built_in_model
from app.core.paths import controller_paths
from app.core.placement.placement import Placement, StageRange
from app.core.resuming import resume
from app.core.snapshot import DeploymentState
from tests.process.conftest import eventually

PLACEMENT = Placement(12, (StageRange("ghost", 0, 11),))


@pytest.mark.parametrize(
    ("directory", "said"),
    [
        (str(built_in_model()), "ghost did not answer."),
        ("nowhere/gone-model", "gone-model was deployed last time and is not now:"),
    ],
)
async def test_what_is_not_there_any_more(tmp_path: Path, directory: str, said: str) -> None:
    paths = controller_paths(tmp_path)
    write_remembered(paths.deployment, Remembered(directory, PLACEMENT, 512))
    controller = Controller(paths, known_nodes=False, discover=False)
    try:
        await controller.start()
        await resume(controller)
        assert any(said in entry.message for entry in controller.activity())
        model = controller.snapshot().model
        assert model is not None and model.name == BUILT_IN
        assert controller.snapshot().deployment.state is DeploymentState.NONE
        assert read_remembered(paths.deployment) is not None, "it is wanted still"
    finally:
        await controller.close()


async def test_deployed_kept_and_forgotten(tmp_path: Path) -> None:
    paths = controller_paths(tmp_path)
    controller = Controller(paths, local_agents=["studio"], known_nodes=False, discover=False)
    try:
        await controller.start()
        await resume(controller)
        assert controller.snapshot().model is not None, "the built-in model is on the board"
        await controller.wait_ready()
        await controller.deploy(Placement(12, (StageRange("studio", 0, 11),)), 512)
        await eventually(lambda: read_remembered(paths.deployment) is not None)
        await controller.undeploy()
        await eventually(lambda: read_remembered(paths.deployment) is None)
    finally:
        await controller.close()

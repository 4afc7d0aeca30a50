"""`shardboard` and `shardboard demo`: the window, on the user's own cluster or on a temporary one."""

from __future__ import annotations

import tempfile
from pathlib import Path

from app.core.cluster.local_agents import numbered
from app.core.controller import Controller
from app.core.library.models import BUILT_IN
from app.core.paths import ControllerPaths, controller_paths
from app.core.placement.placement import even_split
from app.ui.main import run_window
from shardd.host import describe_host, private_directory

DEMO_CONTEXT = 1024


def open_window(*, demo: bool, agents: int = 3) -> int:
    if not demo:
        paths = controller_paths()
        name = describe_host().name
        folder = paths.data / "agent"
        return run_window(
            lambda: Controller(paths, local_agents=[name], agents_folder=folder), paths, "Shardboard", choose_built_in
        )
    with tempfile.TemporaryDirectory(prefix="shardboard-", ignore_cleanup_errors=True) as folder:
        demo_paths = ControllerPaths(private_directory(Path(folder) / "controller"))
        return run_window(lambda: demo_controller(demo_paths, agents), demo_paths, "Shardboard demo", deploy_built_in)


def demo_controller(paths: ControllerPaths, agents: int) -> Controller:
    """Three agents on this machine, and nothing of the user's."""
    return Controller(paths, local_agents=numbered("mini", agents), known_nodes=False)


async def choose_built_in(controller: Controller) -> None:
    await controller.choose_model(BUILT_IN)


async def deploy_built_in(controller: Controller) -> None:
    """The built-in model on all machines, ready to chat."""
    await controller.choose_model(BUILT_IN)
    await controller.wait_ready()
    model = controller.snapshot().model
    assert model is not None
    placement = even_split(tuple(controller.nodes), model.inventory.layer_count, model.inventory.forbidden_cuts)
    await controller.deploy(placement, DEMO_CONTEXT)

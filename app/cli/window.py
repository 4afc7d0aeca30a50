"""`shardboard` and `shardboard demo`: the window, on the user's own cluster or on a temporary one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from app.core.paths import ControllerPaths, controller_paths
from app.core.settings.store import first_start_due
from app.ui.main import run_window
from shardd.host import describe_host, private_directory
from shardd.host.temporary import temporary_folder

if TYPE_CHECKING:
    from app.core.controller import Controller

DEMO_CONTEXT = 1024


def open_window(*, demo: bool, agents: int = 3) -> int:
    if not demo:
        paths = controller_paths()
        name = describe_host().name
        folder = paths.data / "agent"
        return run_window(
            lambda: own_controller(paths, name, folder),
            paths,
            "Shardboard",
            begin,
            first_start_due(paths),
        )
    with temporary_folder("shardboard-") as folder:
        demo_paths = ControllerPaths(private_directory(folder / "controller"))
        return run_window(lambda: demo_controller(demo_paths, agents), demo_paths, "Shardboard demo", deploy_built_in)


def own_controller(paths: ControllerPaths, name: str, folder: Path) -> Controller:
    """The user's own, with this machine's agent."""
    from app.core.controller import Controller  # behind the window: it takes as long as all of that

    return Controller(paths, local_agents=[name], agents_folder=folder)


def demo_controller(paths: ControllerPaths, agents: int) -> Controller:
    """Three agents on this machine, and nothing of the user's."""
    from app.core.cluster.local_agents import numbered
    from app.core.controller import Controller

    return Controller(paths, local_agents=numbered("mini", agents), known_nodes=False)


async def begin(controller: Controller) -> None:
    """The API where the settings start it with the app; what was deployed last time, else a model on the board."""
    from app.core.resuming import resume  # on the core's thread, behind the window

    await controller.api.start_with_app()
    await resume(controller)


async def deploy_built_in(controller: Controller) -> None:
    """The built-in model on all machines, ready to chat."""
    from app.core.library.models import BUILT_IN
    from app.core.placement.placement import even_split

    await controller.choose_model(BUILT_IN)
    await controller.wait_ready()
    model = controller.snapshot().model
    assert model is not None
    placement = even_split(tuple(controller.nodes), model.inventory.layer_count, model.inventory.forbidden_cuts)
    await controller.deploy(placement, DEMO_CONTEXT)

"""Real agents here as processes of their own, with a model deployed: what process tests and benches share."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from app.core.cluster.local_agents import numbered
from app.core.controller import Controller
from app.core.generation.request import GenerationRequest, GenerationResult
from app.core.paths import controller_paths
from app.core.placement.placement import even_split, parse_placement

SHARED = Path(__file__).parents[1].parent / "shared"


def make_model(folder: Path, **sizes: int) -> Path:
    """A model of random weights, by the tool in ../shared: hidden=…, layers=…, heads=…, and so on."""
    options = [word for name, value in sizes.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    tool = SHARED / "tools" / "make_model.py"
    subprocess.run([sys.executable, str(tool), str(folder), *options], check=True, capture_output=True)
    return folder


@contextlib.asynccontextmanager
async def deployed(
    model: str | Path,
    agents: int = 3,
    place: str | None = None,
    context: int = 512,
    draft: str | Path = "",
    folder: Path | None = None,
    **settings: Any,
) -> AsyncIterator[Controller]:
    """A controller with so many agents. place: as on the command line; default: layers spread evenly.
    folder: where the controller keeps its things. settings: the Controller's."""
    names = numbered("local", agents)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as temporary:
        paths = controller_paths(folder or Path(temporary))
        controller = Controller(paths, local_agents=names, known_nodes=False, discover=False, **settings)
        try:
            await controller.choose_model(str(model))
            await controller.choose_draft(str(draft))
            await controller.start()
            await controller.wait_ready()
            view = controller.snapshot().model
            assert view is not None
            count = view.inventory.layer_count
            placement = parse_placement(place, names, count) if place else even_split(names, count)
            await controller.deploy(placement, context)
            yield controller
        finally:
            await controller.close()


async def deploy_evenly(controller: Controller, context: int = 256) -> None:
    """The chosen model, on all machines that the controller knows."""
    model = controller.snapshot().model
    assert model is not None
    await controller.deploy(even_split(tuple(controller.nodes), model.inventory.layer_count), context)


async def ask(controller: Controller, request: GenerationRequest) -> GenerationResult:
    """The whole answer."""
    async for update in controller.generate(request):
        if isinstance(update, GenerationResult):
            return update
    raise AssertionError("an answer ended without a result")

"""What the benches of this folder share: three temporary agents here, with a model deployed."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from app.core.cluster.local_agents import numbered
from app.core.controller import Controller
from app.core.paths import controller_paths
from app.core.placement.placement import even_split
from shardd.stage.orders import PipelineOptions

SHARED = Path(__file__).parents[2].parent / "shared"


def make_model(folder: Path, **sizes: int) -> Path:
    """A model of random weights, by the tool in ../shared: hidden=…, layers=…, heads=…, and so on."""
    options = [word for name, value in sizes.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    tool = SHARED / "tools" / "make_model.py"
    subprocess.run([sys.executable, str(tool), str(folder), *options], check=True, capture_output=True)
    return folder


@contextlib.asynccontextmanager
async def deployed(
    model: str | Path, agents: int = 3, context: int = 512, options: PipelineOptions | None = None
) -> AsyncIterator[Controller]:
    """A controller with so many agents as processes of their own, layers spread evenly."""
    names = numbered("local", agents)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        controller = Controller(
            controller_paths(Path(folder)), local_agents=names, known_nodes=False, discover=False, options=options
        )
        try:
            await controller.choose_model(str(model))
            await controller.start()
            await controller.wait_ready()
            view = controller.snapshot().model
            assert view is not None
            await controller.deploy(even_split(names, view.inventory.layer_count), context)
            yield controller
        finally:
            await controller.close()

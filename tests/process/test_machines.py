"""What a person does with one machine, on real agents: a quick reading, freed memory, and placements kept by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.core.controller import Controller
from app.core.errors import ShardboardError
from app.core.paths import controller_paths
from app.core.placement.placement import even_split
from app.core.placement.saved import SavedPlacement
from app.core.snapshot import DeploymentState, MachineFigures

BUILT_IN = Path(__file__).parents[2] / "resources" / "models"


def made(folder: Path) -> Controller:
    return Controller(controller_paths(folder), local_agents=("one", "two"), known_nodes=False, discover=False)


async def test_measured_freed_and_remembered(tmp_path: Path) -> None:
    controller = made(tmp_path / "controller")
    await controller.start()
    try:
        await controller.wait_ready(60)
        with pytest.raises(ShardboardError, match="Nothing of this controller is loaded on one"):
            await controller.machines.free_memory("one")
        told = await controller.machines.measure("one")
        assert "No model was involved" in told and told in [entry.message for entry in controller.activity()]
        first = controller.snapshot().figures["one"]
        assert first.read_bytes_per_s and first.flops_per_s and first.seconds_per_byte is None
        await controller.machines.measure("one")  # a recent one is answered again
        assert controller.snapshot().figures["one"] == first

        model = next(path for path in sorted(BUILT_IN.iterdir()) if (path / "config.json").exists())
        await controller.choose_model(str(model))
        chosen = controller.snapshot().model
        assert chosen is not None
        placement = even_split(("one", "two"), chosen.inventory.layer_count)
        await controller.save_placement(SavedPlacement("Both", chosen.name, placement, 256, ("two",)))
        await controller.deploy(placement, 256)
        with pytest.raises(ShardboardError, match="one holds a stage of the deployed model"):
            await controller.machines.free_memory("one")
        assert controller.snapshot().deployment.state is DeploymentState.READY
        assert "unloaded on one" in await controller.machines.free_memory("one", undeploy=True)
        assert controller.snapshot().deployment.state is DeploymentState.NONE
        await controller.nodes["two"].refresh_stages()
        assert not controller.nodes["one"].stages and not controller.nodes["two"].stages
    finally:
        await controller.close()

    again = made(tmp_path / "controller")
    try:
        assert again.machines.figures.of("one").read_bytes_per_s == first.read_bytes_per_s
        assert again.machines.figures.of("nobody") == MachineFigures()
        await again.start()
        await again.wait_ready(60)
        await again.choose_model(str(model))
        (saved,) = again.snapshot().saved
        assert (saved.name, saved.placement, saved.context, saved.pins) == ("Both", placement, 256, ("two",))
        await again.delete_placement(saved.model, "Both")
        assert again.snapshot().saved == ()
    finally:
        await again.close()

"""From a model's name to one that answers, in one step: where a person has not placed anything by hand."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from app.core.deployment.review import available_bytes
from app.core.errors import ShardboardError
from app.core.placement.placement import Placement
from app.core.placement.solver import NodeCapacity, WhyNot, balance
from app.core.snapshot import NodeState, Snapshot
from shardd.model.inventory import Inventory

if TYPE_CHECKING:
    from app.core.controller import Controller

READY_S = 20.0


async def deploy_balanced(controller: Controller, name_or_directory: str) -> None:
    """Chooses the model and deploys it over the machines that are ready, with the context that the settings begin with.

    Waits for one to be ready where none is yet. Raises SentenceError in words, before anything is changed where it
    does not fit.
    """
    await controller.choose_model(name_or_directory)
    if not _ready(controller):
        await asyncio.gather(*(node.wait_ready(READY_S) for node in controller.nodes.values()), return_exceptions=True)
    ready = _ready(controller)
    if not ready:
        raise ShardboardError("No machine is ready.", "Look at the machines on the Cluster page, and try again.")
    snapshot = controller.snapshot()
    assert snapshot.model is not None
    inventory = snapshot.model.inventory
    context = min(snapshot.default_context, inventory.context_length or snapshot.default_context)
    rooms = available_bytes({name: controller.nodes[name] for name in ready})
    await controller.deploy(first_placement(inventory, rooms, snapshot, context), context)


def first_placement(
    inventory: Inventory, rooms: dict[str, int | None], snapshot: Snapshot, context_tokens: int
) -> Placement:
    """rooms: bytes for shards, by machine. Raises ShardboardError where the model does not fit."""
    capacities = [
        NodeCapacity(name, room, snapshot.seconds_per_byte.get(name))
        for name, room in rooms.items()
        if room is not None
    ]
    found = balance(inventory, capacities, context_tokens)
    if isinstance(found, WhyNot):
        raise ShardboardError(found.sentence)
    return found


def _ready(controller: Controller) -> list[str]:
    return [name for name, node in controller.nodes.items() if node.state is NodeState.READY]

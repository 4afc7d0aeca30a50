"""Whether a model fits: the longest context that does, how many machines, and a speed only where one was measured."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.core.library.fits import assess, slim
from app.core.placement.solver import NodeCapacity
from shardd.model.inventory import Inventory
from tests.made_up_models import GB, model

LAYERS = 4


@pytest.fixture
def inventory() -> Inventory:
    """Four layers of 1 GB whose caches take 100 KB a token each."""
    return model([GB] * LAYERS, kv=[100_000] * LAYERS, context=32768)


def machines(*rooms: float, speed: float | None = None) -> tuple[NodeCapacity, ...]:
    return tuple(NodeCapacity(f"mini-{number}", int(room * GB), speed) for number, room in enumerate(rooms, 1))


@pytest.mark.parametrize(
    ("rooms", "context", "stages"),
    [
        ((16, 16), 8192, 2),
        ((5, 5), 8192, 2),
        ((3.9, 3.9), 4096, 2),
        ((3.2, 3.2), 2048, 2),
        ((16,), 8192, 1),
        ((3,), 2048, 0),
        ((), 2048, 0),
    ],
)
def test_the_longest_context_that_fits(
    inventory: Inventory, rooms: tuple[float, ...], context: int, stages: int
) -> None:
    fit = assess("model", inventory, machines(*rooms))
    assert (fit.context_tokens, len(fit.stages)) == (context, stages)
    assert bool(fit.why_not) is not bool(fit.stages)


def test_no_longer_than_the_model_was_made_for(inventory: Inventory) -> None:
    assert assess("model", replace(inventory, context_length=512), machines(16)).context_tokens == 512


def test_nothing_is_lost_on_a_slim_inventory(inventory: Inventory) -> None:
    nodes = machines(5, 5, speed=1e-11)
    assert slim(inventory).total_bytes == inventory.total_bytes
    assert assess("model", slim(inventory), nodes) == assess("model", inventory, nodes)


def test_a_speed_only_where_one_was_measured(inventory: Inventory) -> None:
    assert assess("model", inventory, machines(16)).tokens_per_s is None
    alone = assess("model", inventory, machines(16, speed=1e-11))
    assert alone.tokens_per_s == pytest.approx(25)
    two = machines(5, 5, speed=1e-11)
    assert assess("model", inventory, two).tokens_per_s is None, "the hop between them was never measured"
    measured = assess("model", inventory, two, {"mini-1": 5.0, "mini-2": 5.0})
    assert measured.tokens_per_s == pytest.approx(20)

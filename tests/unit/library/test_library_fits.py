"""Whether a model fits: the longest context that does, how many machines, and a speed only where one was measured."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from app.core.library.fits import assess, slim
from app.core.placement.solver import NodeCapacity
from shardd.model.headers import TensorInfo
from shardd.model.inventory import Inventory
from shardd.model.units import Unit

GB = 10**9
LAYERS = 4


def unit(name: str, nbytes: int) -> Unit:
    return Unit(name, (TensorInfo(f"{name}.weight", "U8", (nbytes,), Path("model.safetensors"), 0, nbytes),))


@pytest.fixture
def inventory() -> Inventory:
    """Four layers of 1 GB whose caches take 100 KB a token each."""
    names = [f"layer.{number}" for number in range(LAYERS)]
    return Inventory(
        model_type="made-up",
        layer_count=LAYERS,
        units=(unit("embedding", 0), *(unit(name, GB) for name in names), unit("head", 0)),
        config={},
        context_length=32768,
        vocab_size=16,
        hidden_size=8,
        dtype="float16",
        quantization=None,
        tied=False,
        kv_bytes_per_token=(100_000,) * LAYERS,
        kv_limit_tokens=(None,) * LAYERS,
        fixed_cache_bytes=(0,) * LAYERS,
        forbidden_cuts={},
        readers={
            "embedding": frozenset({-1}),
            **{name: frozenset({number}) for number, name in enumerate(names)},
            "head": frozenset({LAYERS}),
        },
        tensors=(),
    )


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

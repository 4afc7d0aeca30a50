"""The solver against every other possible placement, and its words when nothing fits."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from math import inf, prod
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from placement_models import NODES, models

from app.core.placement.budget import computing_bytes, memory_problems, needs
from app.core.placement.placement import Placement, StageRange, problems
from app.core.placement.solver import NodeCapacity, WhyNot, balance, weights_table
from shardd.model.inventory import Inventory
from tests.made_up_models import GB, model

CONTEXT = 1000
rooms = st.integers(0, 40).map(lambda units: units * 100_000_000)
speeds = st.integers(1, 9).map(float)


def every_placement(count: int, names: list[str]) -> Iterator[Placement]:
    for used in range(1, min(len(names), count) + 1):
        for chosen in itertools.combinations(names, used):
            for cuts in itertools.combinations(range(1, count), used - 1):
                ends = zip(chosen, (0, *cuts), (*cuts, count), strict=True)
                yield Placement(count, tuple(StageRange(name, first, end - 1) for name, first, end in ends))


def worst(placement: Placement, inventory: Inventory, nodes: dict[str, NodeCapacity], *, by_speed: bool) -> float:
    """The documented cost; infinite where it does not fit."""
    costs: list[float] = []
    for stage in placement.stages:
        node = nodes[stage.node]
        wanted = needs(inventory, stage.first, stage.last, CONTEXT)
        if wanted.total > node.available_bytes:
            return inf
        if by_speed:
            costs.append(wanted.weights_bytes * (node.seconds_per_byte or 0))
        else:
            beside = computing_bytes(inventory, 0, CONTEXT)
            costs.append((wanted.weights_bytes + wanted.kv_bytes) / max(1, node.available_bytes - beside))
    return max(costs)


@settings(max_examples=60, deadline=None)
@given(models(), st.lists(st.tuples(rooms, speeds), min_size=1, max_size=4), st.booleans())
def test_no_other_placement_is_better(inventory: Inventory, machines: list[tuple[int, float]], by_speed: bool) -> None:
    nodes = [
        NodeCapacity(name, room, speed if by_speed else None)
        for name, (room, speed) in zip(NODES, machines, strict=False)
    ]
    table = {node.name: node for node in nodes}
    others = [
        (len(placement.stages), worst(placement, inventory, table, by_speed=by_speed))
        for placement in every_placement(inventory.layer_count, list(table))
        if not problems(placement, table, inventory.forbidden_cuts)
    ]
    possible = [other for other in others if other[1] < inf]
    found = balance(inventory, nodes, CONTEXT)
    if isinstance(found, WhyNot):
        assert not possible and found.sentence.endswith(".")
        return
    available = {node.name: node.available_bytes for node in nodes}
    assert problems(found, table, inventory.forbidden_cuts) == ()
    assert memory_problems(found, inventory, available, CONTEXT) == ()
    cost = worst(found, inventory, table, by_speed=by_speed)
    if by_speed:
        assert cost == pytest.approx(min(other[1] for other in possible))
    else:
        most = max(stages for stages, _ in possible)
        assert len(found.stages) == most
        assert cost == pytest.approx(min(cost for stages, cost in possible if stages == most))


@given(models())
def test_the_table_of_weights_is_the_inventorys(inventory: Inventory) -> None:
    table = weights_table(inventory)
    for last in range(inventory.layer_count):
        assert table[last] == [inventory.weights_bytes(first, last) for first in range(last + 1)]


@pytest.mark.parametrize(
    ("layers", "machines", "sizes"),
    [
        ([GB] * 8, [("a", 16 * GB, None), ("b", 16 * GB, None)], {"a": 4, "b": 4}),
        ([GB] * 8, [("a", 16 * GB, None), ("b", 5 * GB, None)], {"a": 6, "b": 2}),
        ([GB] * 4, [("a", 16 * GB, None), ("b", 12 * GB // 10, None)], {"a": 3, "b": 1}),
        ([1_000_000] * 12, [("a", GB, None), ("b", GB // 2, None)], {"a": 9, "b": 3}),
        ([GB] * 8, [("a", 16 * GB, 1e-9), ("b", 16 * GB, 3e-9)], {"a": 6, "b": 2}),
        ([GB] * 4, [("a", 16 * GB, 1e-9), ("b", 16 * GB, 9e-9)], {"a": 4}),
        ([GB] * 8, [("a", 3 * GB, 1e-9), ("b", 16 * GB, 9e-9)], {"a": 2, "b": 6}),
        ([GB] * 4, [("a", GB // 2, None), ("b", 16 * GB, None)], {"b": 4}),
        ([GB] * 2, [("a", 9 * GB, None), ("b", 9 * GB, None), ("c", 9 * GB, None)], {"b": 1, "c": 1}),
        ([GB] * 8, [("a", 16 * GB, 1e-9), ("b", 16 * GB, None)], {"a": 4, "b": 4}),
        ([GB] * 9, [("a", 99 * GB, 1e-9), ("b", 99 * GB, 1e-9), ("c", 99 * GB, 1e-9)], {"a": 3, "b": 3, "c": 3}),
    ],
)
def test_balance(layers: list[int], machines: list[tuple[str, int, float | None]], sizes: dict[str, int]) -> None:
    found = balance(model(layers), [NodeCapacity(*machine) for machine in machines], CONTEXT)
    assert isinstance(found, Placement)
    assert sorted(stage.layers for stage in found.stages) == sorted(sizes.values())
    if sizes.keys() != {"b", "c"}:
        assert {stage.node: stage.layers for stage in found.stages} == sizes


def test_of_equally_good_placements_the_most_even_is_taken() -> None:
    found = balance(model([GB] * 10), [NodeCapacity(name, 9 * GB) for name in NODES[:4]], CONTEXT)
    assert isinstance(found, Placement)
    assert sorted(stage.layers for stage in found.stages) == [2, 2, 3, 3]


def test_of_equally_fast_placements_one_with_fewest_stages_is_taken() -> None:
    found = balance(model([GB] * 10), [NodeCapacity(name, 9 * GB, 1e-9) for name in NODES], CONTEXT)
    assert isinstance(found, Placement) and len(found.stages) == 5
    found = balance(model([GB] * 9), [NodeCapacity(name, 9 * GB, 1e-9) for name in NODES[:4]], CONTEXT)
    assert isinstance(found, Placement) and [stage.layers for stage in found.stages] == [3, 3, 3]


@pytest.mark.parametrize(
    ("rooms_gb", "forbidden", "words"),
    [
        ([], (), "There is no machine to place layers on: add one."),
        ([3, 3], (), "The model needs about 8.2 GB and the machines have 6 GB free together: 2.2 GB are missing."),
        ([5, 5], (1, 2, 3, 4, 5, 6, 7), "The layers do not fit the machines one by one"),
    ],
)
def test_why_not(rooms_gb: list[int], forbidden: tuple[int, ...], words: str) -> None:
    nodes = [NodeCapacity(f"mini-{number}", room * GB) for number, room in enumerate(rooms_gb)]
    found = balance(model([GB] * 8, forbidden=forbidden), nodes, CONTEXT)
    assert isinstance(found, WhyNot) and found.sentence.startswith(words)


@pytest.mark.parametrize("speed", [None, 1e-11])
def test_128_layers_on_16_machines_do_not_take_for_ever(speed: float | None) -> None:
    inventory = model([800_000_000] * 128, embedding=GB, head=GB, kv=[4096] * 128)
    nodes = [NodeCapacity(f"mini-{number}", 64 * GB, speed) for number in range(16)]
    assert isinstance(balance(inventory, nodes, 8192), Placement)


def test_real_models_fit_where_the_plan_says(shared: Path) -> None:
    """Every model that the inventories describe, in 4 bit, on four machines with a quarter of it and a little more."""
    for file in sorted((shared / "inventories").glob("*.json")):
        variant = next(v for v in json.loads(file.read_text())["variants"] if v["bits"] == 4)
        weights = [variant["layer_kind_bytes"][kind] for kind in variant["layers"]]
        outside = [table_bytes(tensor) for tensor in variant["outside_layers"].values()]
        inventory = model(weights, embedding=outside[0], head=sum(outside[1:]), kv=[4096] * len(weights))
        assert inventory.total_bytes == variant["total_bytes"], file.name
        room = inventory.total_bytes // 4 + 2 * max(weights) + max(outside) + GB
        found = balance(inventory, [NodeCapacity(name, room) for name in NODES[:4]], 8192)
        assert isinstance(found, Placement), file.name
        assert memory_problems(found, inventory, dict.fromkeys(NODES, room), 8192) == ()
        assert isinstance(balance(inventory, [NodeCapacity("ada", inventory.total_bytes)], 8192), WhyNot)


def table_bytes(tensor: dict[str, object]) -> int:
    shape, dtype = tensor["shape"], str(tensor["dtype"])
    assert isinstance(shape, list)
    return prod(shape) * {"bfloat16": 2, "float16": 2, "uint32": 4, "float32": 4, "uint8": 1}[dtype]

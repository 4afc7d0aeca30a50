"""Pinned ranges stay where they are when the rest is balanced."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.placement.pins import balance_around, pinned_order, pinned_stages
from app.core.placement.placement import Placement, StageRange, problems
from app.core.placement.solver import NodeCapacity, WhyNot
from tests.made_up_models import GB, model

CONTEXT = 512


def nodes(*names: str, room: int = 64 * GB) -> list[NodeCapacity]:
    return [NodeCapacity(name, room) for name in names]


def placed(*stages: tuple[str, int, int]) -> Placement:
    return Placement(max(last for _, _, last in stages) + 1, tuple(StageRange(*stage) for stage in stages))


@pytest.mark.parametrize(
    ("before", "pins", "names", "after"),
    [
        # the others share what is left around the pinned range
        ([("a", 0, 7), ("b", 8, 9), ("c", 10, 11)], {"b"}, "abc", [("a", 0, 7), ("b", 8, 9), ("c", 10, 11)]),
        ([("a", 0, 1), ("b", 2, 3), ("c", 4, 11)], {"a"}, "abc", [("a", 0, 1), ("b", 2, 6), ("c", 7, 11)]),
        ([("c", 0, 1), ("b", 2, 3), ("a", 4, 11)], {"c"}, "abc", [("c", 0, 1), ("b", 2, 6), ("a", 7, 11)]),
        # a machine that holds nothing comes where the most layers are
        (
            [("a", 0, 7), ("b", 8, 9), ("c", 10, 11)],
            {"b"},
            "abcd",
            [("a", 0, 3), ("d", 4, 7), ("b", 8, 9), ("c", 10, 11)],
        ),
        # all pinned: nothing moves
        ([("a", 0, 7), ("b", 8, 11)], {"a", "b"}, "ab", [("a", 0, 7), ("b", 8, 11)]),
        # a pin on a machine that holds nothing means nothing
        ([("a", 0, 7), ("b", 8, 11)], {"z"}, "ab", [("a", 0, 5), ("b", 6, 11)]),
    ],
)
def test_balance_around(
    before: list[tuple[str, int, int]], pins: set[str], names: str, after: list[tuple[str, int, int]]
) -> None:
    found = balance_around(model([GB] * 12), placed(*before), pins, nodes(*names), CONTEXT)
    assert found == placed(*after)


@pytest.mark.parametrize(
    ("room", "pins", "sentence"),
    [
        ({"a": 4, "b": 64}, {"a"}, "a lacks"),
        ({"b": 64}, {"a"}, "a is not ready and its layers 0 to 7 are pinned there"),
        ({"a": 64, "b": 1}, {"a"}, "No placement fits while the layers of a stay where they are"),
    ],
)
def test_why_not(room: dict[str, int], pins: set[str], sentence: str) -> None:
    capacities = [NodeCapacity(name, size * GB) for name, size in room.items()]
    found = balance_around(model([GB] * 12), placed(("a", 0, 7), ("b", 8, 11)), pins, capacities, CONTEXT)
    assert isinstance(found, WhyNot) and sentence in found.sentence


def test_the_order_keeps_the_layers_order() -> None:
    before = placed(("c", 0, 3), ("a", 4, 5), ("b", 6, 11))
    assert [node.name for node in pinned_order(before, {"a"}, nodes(*"abcd"))] == ["c", "a", "b", "d"]
    assert [stage.node for stage in pinned_stages(before, {"b", "c"})] == ["c", "b"]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_whatever_is_pinned_stays_and_all_layers_are_placed(data: st.DataObject) -> None:
    layers = data.draw(st.integers(2, 14))
    forbidden = data.draw(st.sets(st.integers(1, layers - 1), max_size=3))
    inventory = model([GB] * layers, forbidden=sorted(forbidden))
    cuts = sorted(
        data.draw(st.sets(st.sampled_from([c for c in range(1, layers) if c not in forbidden] or [0]), max_size=3))
        - {0}
    )
    edges = [0, *cuts, layers]
    before = Placement(layers, tuple(StageRange(f"n{i}", edges[i], edges[i + 1] - 1) for i in range(len(edges) - 1)))
    pins = data.draw(st.sets(st.sampled_from(before.nodes)))
    names = [*before.nodes, *(f"spare{i}" for i in range(data.draw(st.integers(0, 2))))]
    found = balance_around(inventory, before, pins, nodes(*names), CONTEXT)
    assert isinstance(found, Placement)  # what is there is itself an answer
    assert problems(found, names, inventory.forbidden_cuts) == ()
    assert all(found.stage_of(name) == before.stage_of(name) for name in pins)

"""Where second copies go."""

from __future__ import annotations

import pytest

from app.core.placement.placement import Placement, StageRange
from app.core.placement.spares import plan_spares

PLACEMENT = Placement(12, (StageRange("a", 0, 3), StageRange("b", 4, 7), StageRange("c", 8, 11)))
EVERYWHERE = {(index, node) for index in range(3) for node in "abcd"}


@pytest.mark.parametrize(
    ("disks", "missing", "runnable", "nodes", "lacking"),
    [
        # Beside the layers that it stands in for; the first and the last stage have one neighbour, b.
        ({"a": 90, "b": 90, "c": 91}, {}, EVERYWHERE, "bcb", ()),
        # A machine without layers serves any, until its disk has no more left than the others'.
        ({"a": 30, "b": 30, "c": 30, "d": 90}, {}, EVERYWHERE, "ddd", ()),
        ({"a": 25, "b": 30, "c": 30, "d": 32}, {}, EVERYWHERE, "dcb", ()),
        # What has it already comes first.
        ({"a": 90, "b": 90, "c": 50}, {(1, "c"): 0}, EVERYWHERE, "bcb", ()),
        ({"a": 90, "b": 90, "c": 90, "d": 90}, {(0, "b"): 0, (2, "d"): 0}, EVERYWHERE, "bad", ()),
        # Memory for it counts more than disk.
        ({"a": 90, "b": 90, "c": 20}, {}, {(1, "c"), (0, "b"), (2, "b")}, "bcb", ()),
        ({"a": 90, "b": 90, "c": 90}, {}, set[tuple[int, str]](), "baa", ()),
        # No room.
        ({"a": 5, "b": 15, "c": 5}, {}, EVERYWHERE, "b", (1, 2)),
        ({"a": 90}, {}, EVERYWHERE, "aa", (0,)),
        ({}, {}, EVERYWHERE, "", (0, 1, 2)),
    ],
)
def test_where_copies_go(
    disks: dict[str, int],
    missing: dict[tuple[int, str], int],
    runnable: set[tuple[int, str]],
    nodes: str,
    lacking: tuple[int, ...],
) -> None:
    plan = plan_spares(PLACEMENT, [10, 10, 10], disks, missing, runnable)
    assert "".join(spare.node for spare in plan.spares) == nodes
    assert plan.lacking == lacking
    assert all(spare.node != PLACEMENT.stages[spare.index].node for spare in plan.spares)

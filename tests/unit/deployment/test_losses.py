"""What the loss of a stage means."""

from __future__ import annotations

import pytest

from app.core.deployment.losses import Fate, Look, Mend, Seen, decide, on_spares, what_changed
from app.core.placement.placement import Placement, StageRange

R, E, M, G, A, D, P = Fate.READY, Fate.ENDED, Fate.MISSING, Fate.RELEASED, Fate.AWAY, Fate.DOUBTFUL, Fate.PARTED
PLACEMENT = Placement(12, (StageRange("a", 0, 3), StageRange("b", 4, 7), StageRange("c", 8, 11)))


def seen(*fates: Fate) -> list[Seen]:
    return [
        Seen(stage.node, stage.first, stage.last, fate) for stage, fate in zip(PLACEMENT.stages, fates, strict=True)
    ]


@pytest.mark.parametrize(
    ("fates", "refused", "expected"),
    [
        ((R, R, R), "", Mend()),
        ((R, D, R), "", Look()),
        ((A, D, R), "", Look()),
        ((R, E, R), "", Mend(restart=(1,))),
        ((E, R, E), "", Mend(restart=(0, 2))),
        ((R, M, R), "", Mend(refill=(1,))),
        ((R, G, G), "", Mend(refill=(1, 2))),
        ((R, A, R), "", Mend(move=(1,))),
        ((E, A, M), "", Mend(restart=(0,), refill=(2,), move=(1,))),
        ((R, E, R), "b", Mend(move=(1,))),
        ((M, R, R), "ab", Mend(move=(0,))),
        ((R, R, R), "abc", Mend()),
        ((R, P, R), "", Mend(move=(1,))),
        ((E, P, R), "", Mend(restart=(0,), move=(1,))),
    ],
)
def test_decisions(fates: tuple[Fate, ...], refused: str, expected: Look | Mend) -> None:
    assert decide(seen(*fates), set(refused)) == expected


@pytest.mark.parametrize(
    ("move", "lacking", "nodes"),
    [
        ((1,), {1: {"d": 10, "e": 0}}, ("a", "e", "c")),
        ((1,), {1: {"d": 5, "e": 5}}, ("a", "d", "c")),
        ((0, 2), {0: {"d": 0, "e": 9}, 2: {"d": 0, "e": 9}}, ("d", "b", "e")),
        ((0, 2), {0: {"d": 0}, 2: {"d": 0}}, None),
        ((1,), {1: {}}, None),
    ],
)
def test_spare_machines(
    move: tuple[int, ...], lacking: dict[int, dict[str, int]], nodes: tuple[str, ...] | None
) -> None:
    found = on_spares(PLACEMENT, move, lacking)
    assert (found.nodes if found else None) == nodes


@pytest.mark.parametrize(
    ("mend", "placement", "words"),
    [
        (Mend(), PLACEMENT, "the machines were joined anew"),
        (Mend(restart=(1,)), PLACEMENT, "b loaded layers 4 to 7 again"),
        (Mend(move=(1,)), PLACEMENT.give("b", "d"), "its layers 4 to 7 moved to d"),
        (Mend(move=(1,)), PLACEMENT.remove("b").move_boundary(0, 6), "its layers 4 to 7 moved to a and c"),
    ],
)
def test_what_is_said(mend: Mend, placement: Placement, words: str) -> None:
    assert what_changed(seen(R, A, R), mend, placement) == words

"""Where second copies of the stages' units go, so that the loss of a machine needs no transfer: a pure plan.

    stages   [-a 0-3-][-b 4-7-][-c 8-11-]      spare machine d
    spares   b's on d, a's on b, c's on b      whole ranges, balanced over what the disks have left

A copy serves best where its layers can run: on a machine without layers, or beside the lost ones, so that the two
ranges become one, and where there is memory for that.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from app.core.placement.placement import Placement


@dataclass(frozen=True, slots=True)
class Spare:
    """The stage of this index on one more node. bytes: of its units."""

    index: int
    node: str
    bytes: int


@dataclass(frozen=True, slots=True)
class SparePlan:
    """lacking: indices of stages whose copy fits on no disk."""

    spares: tuple[Spare, ...]
    lacking: tuple[int, ...]


def plan_spares(
    placement: Placement,
    sizes: Sequence[int],
    disks: Mapping[str, int],
    missing: Mapping[tuple[int, str], int],
    runnable: Collection[tuple[int, str]],
) -> SparePlan:
    """One copy of every stage, never on the node that runs it.

    sizes: bytes of each stage's units. disks: what may still be written on each node that is there. missing: of these
    bytes, what a node lacks (absent: all). runnable: stages that a node has the memory to run beside its own layers.
    """
    left = dict(disks)
    spares: list[Spare] = []
    lacking: list[int] = []
    for index in sorted(range(len(placement.stages)), key=lambda i: (-sizes[i], i)):  # the largest first
        owner = placement.stages[index].node
        able = {
            node: missing.get((index, node), sizes[index])
            for node in left
            if node != owner and missing.get((index, node), sizes[index]) <= left[node]
        }
        if not able:
            lacking.append(index)
            continue

        def rank(node: str, index: int = index, able: Mapping[str, int] = able) -> tuple[bool, bool, int, str]:
            serves = (index, node) in runnable and _beside(placement, index, node)
            return not serves, able[node] > 0, able[node] - left[node], node

        chosen = min(able, key=rank)
        left[chosen] -= able[chosen]
        spares.append(Spare(index, chosen, sizes[index]))
    return SparePlan(tuple(sorted(spares, key=lambda spare: spare.index)), tuple(sorted(lacking)))


def _beside(placement: Placement, index: int, node: str) -> bool:
    """Whether the node has no layers, or those next to this stage's."""
    places = [place for place, stage in enumerate(placement.stages) if stage.node == node]
    return not places or abs(places[0] - index) == 1

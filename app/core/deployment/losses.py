"""What the loss of a stage means: from what is seen of a deployment to what is to be done. Pure.

every stage is there                    join them anew: only a lane broke
ended, or gone with a restarted agent   load it again on its own machine
unloaded while this controller was away the same; if that is so of all, only when somebody asks
its machine is away, or refuses         its layers go to a machine that has none of them, or all are planned again
not known yet                           look again soon
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from app.core.placement.placement import Placement, layers_text
from app.core.text import anded, listed, phrase


class Fate(enum.Enum):
    """How a stage of the deployment stands."""

    READY = "it is there"
    ENDED = "its process ended, its machine is there"
    MISSING = "its machine is there and does not know it any more"
    RELEASED = "its machine unloaded it, because this controller was away"
    AWAY = "its machine is away"
    PARTED = "its machine is there and does not reach the next one"
    DOUBTFUL = "it may be any of these"
    TAKEN = "another program has it in a newer deployment"


@dataclass(frozen=True, slots=True)
class Seen:
    """One stage, as it was seen just now. cause: a sentence for one that is not READY."""

    node: str
    first: int
    last: int
    fate: Fate
    cause: str = ""

    @property
    def layers(self) -> str:
        return layers_text(self.first, self.last)


@dataclass(frozen=True, slots=True)
class Look:
    """Nothing can be decided yet."""


@dataclass(frozen=True, slots=True)
class Mend:
    """What is to be done, by stage index. restart: its process, in place. refill: load it on its own machine.
    move: its layers need another machine. Nothing of all: the stages are joined anew."""

    restart: tuple[int, ...] = ()
    refill: tuple[int, ...] = ()
    move: tuple[int, ...] = ()


def decide(seen: Sequence[Seen], refused: Collection[str]) -> Look | Mend:
    """refused: machines that are there and could not load their stage again."""
    if any(each.fate in (Fate.DOUBTFUL, Fate.TAKEN) for each in seen):
        return Look()
    move = [i for i, each in enumerate(seen) if _must_move(each, refused)]
    return Mend(
        tuple(i for i, each in enumerate(seen) if each.fate is Fate.ENDED and i not in move),
        tuple(i for i, each in enumerate(seen) if each.fate in (Fate.MISSING, Fate.RELEASED) and i not in move),
        tuple(move),
    )


def _must_move(each: Seen, refused: Collection[str]) -> bool:
    return each.fate in (Fate.AWAY, Fate.PARTED) or (each.fate is not Fate.READY and each.node in refused)


def on_spares(placement: Placement, move: Sequence[int], lacking: Mapping[int, Mapping[str, int]]) -> Placement | None:
    """The same ranges with those stages on spare machines; None where there are too few.

    lacking: for each of these stages, the bytes that each spare machine would have to be sent. The least goes first.
    """
    stages, taken = list(placement.stages), set[str]()
    for index in move:
        free = [(nbytes, name) for name, nbytes in lacking[index].items() if name not in taken]
        if not free:
            return None
        _, name = min(free)
        taken.add(name)
        stages[index] = replace(stages[index], node=name)
    return replace(placement, stages=tuple(stages))


def what_changed(seen: Sequence[Seen], mend: Mend, placement: Placement) -> str:
    """What was done, as the middle of a sentence, once this is the placement."""
    if not (mend.restart or mend.refill or mend.move):
        return phrase("the machines were joined anew")
    parts = [
        phrase("{node} loaded {layers} again", layers=seen[i].layers, node=seen[i].node)
        for i in (*mend.restart, *mend.refill)
    ]
    for index in mend.move:
        lost = seen[index]
        homes = [stage.node for stage in placement.stages if stage.first <= lost.last and stage.last >= lost.first]
        parts.append(phrase("its {layers} moved to {homes}", layers=lost.layers, homes=listed(homes)))
    return anded(parts)

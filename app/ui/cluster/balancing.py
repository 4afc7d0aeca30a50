"""What Balance would make of the board, looked up again only when it can have changed. Imports no Qt."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import monotonic
from typing import TYPE_CHECKING

from app.core.placement.placement import Placement, StageRange
from app.core.placement.solver import WhyNot
from app.core.snapshot import Snapshot
from app.ui.cluster.planning import Draft, balanced, speeds, usable

if TYPE_CHECKING:
    from shardd.model.inventory import Inventory

FRESH_S = 2.0  # free memory and speeds move with every beat; a proposal need not follow each

_Key = tuple["Inventory", int, tuple[str, ...], tuple[StageRange, ...], frozenset[str]]


class Proposals:
    """The solver takes some 30 ms for 16 machines and 128 layers, and beats come 64 times a second from them."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._key: _Key | None = None
        self._at = 0.0
        self._found: Placement | WhyNot = WhyNot("")

    def look(self, snapshot: Snapshot, context: int, draft: Draft | None = None) -> Placement | WhyNot:
        """For these machines, pins and context; at most FRESH_S old as to memory and speeds."""
        model = snapshot.model
        if model is None:
            return balanced(snapshot, context)
        placement = draft.now.placement if draft else None
        pins = draft.now.pins if draft else frozenset[str]()
        fixed = tuple(stage for stage in placement.stages if pins) if placement else ()
        known = speeds(snapshot)
        names = tuple(node.name for node in snapshot.nodes if usable(node) and node.memory is not None)
        key = (model.inventory, context, names, fixed, frozenset(name for name in names if name in known) | pins)
        now = self._clock()
        if self._key is None or not _same(key, self._key) or now - self._at >= FRESH_S:
            self._found = balanced(snapshot, context, placement, pins)
            self._key, self._at = key, now
        return self._found


def _same(one: _Key, other: _Key) -> bool:
    return one[0] is other[0] and one[1:] == other[1:]


def shards_of(snapshot: Snapshot) -> Mapping[str, object]:
    """What each machine holds on disk: while it stays, so does what a deployment would move."""
    return {node.name: node.shards for node in snapshot.nodes}

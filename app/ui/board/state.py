"""Everything the board shows, as one value; made by the presenter, never by the board. Imports no Qt."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from app.core.placement.placement import Placement
from app.ui.board.gesture import Run


@dataclass(frozen=True, slots=True)
class NodeOutlook:
    """What a node would hold under a placement, in bytes. available None: its memory is not known yet."""

    node: str
    colour: int
    weights: int = 0
    kv: int = 0
    overhead: int = 0
    available: int | None = None
    usable: bool = True  # it can take part in a deployment now
    state: str = ""  # in words, where it is not usable

    @property
    def needed(self) -> int:
        return self.weights + self.kv + self.overhead

    @property
    def left(self) -> int | None:
        return None if self.available is None else self.available - self.needed

    @property
    def over(self) -> int:
        """By how much it does not fit."""
        return max(0, -(self.left or 0))


Outlooks = Mapping[str, NodeOutlook]


@dataclass(frozen=True, slots=True)
class BoardRules:
    """The pure functions that a drag asks while it is under way.

    outlook: what each node holds under a placement. give: the placement after a run was given to a node; it raises
    ShardboardError with the reason where that cannot be. gap_bytes: weights of layers that no node has yet.
    forecast: predicted speed in words, "" where nothing was measured.
    """

    outlook: Callable[[Placement], Outlooks]
    give: Callable[[Placement, str, Run], Placement]
    weights: Callable[[int, int], int]
    forecast: Callable[[Placement], str]


@dataclass(frozen=True, slots=True)
class BoardState:
    """Empty why_not texts mean that the command is possible."""

    model: str
    models: tuple[str, ...]
    context: int
    context_limit: int | None
    placement: Placement
    outlooks: Outlooks
    rules: BoardRules | None
    forbidden: Mapping[int, str] = field(default_factory=dict[int, str])
    summary: str = ""
    speed: str = ""  # predicted, in words
    problems: tuple[str, ...] = ()
    changes: int = 0
    deployed: bool = False
    undo_why_not: str = ""
    redo_why_not: str = ""
    balance_why_not: str = ""
    deploy_why_not: str = ""
    deploy_note: str = ""  # what Deploy will move
    pins: frozenset[str] = frozenset()  # nodes whose range Balance leaves where it is
    saved: tuple[str, ...] = ()  # names of this model's saved placements
    save_why_not: str = ""
    busy: str = ""  # what the Deploy button says while stages change
    news: str = ""  # what happens to the deployment just now: loading, moving, recovering
    spares: bool = False  # a second copy of each range is wanted
    spares_why_not: str = ""
    spares_note: str = ""
    spare_on: Mapping[str, str] = field(default_factory=dict[str, str])  # where the spare of a node's range lies
    hint: str = ""  # where there is nothing to place yet: what to do

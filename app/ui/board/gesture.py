"""What the mouse is doing on the strip, as a value: select a run of cells, or carry a range to a node. Imports no Qt.

idle ──press on cell──▶ pressed ──moved on cells──▶ selecting ──release──▶ idle (a selection)
  │                        │ the cell was selected, or it was not a cell
  └──press on block──▶ pressed ──moved 6 px──▶ carrying ──release over a node──▶ idle (a drop)
                                                   └──Escape, or released elsewhere──▶ idle (nothing)
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from typing import Final

CARRY_AFTER: Final = 6  # pixels, so that a click is not a drag


class Phase(enum.Enum):
    IDLE = "idle"
    PRESSED = "pressed"
    SELECTING = "selecting"
    CARRYING = "carrying"


@dataclass(frozen=True, slots=True)
class Run:
    """A contiguous run of layers, both ends included."""

    first: int
    last: int

    def __contains__(self, layer: int) -> bool:
        return self.first <= layer <= self.last

    @property
    def layers(self) -> int:
        return self.last - self.first + 1


@dataclass(frozen=True, slots=True)
class Drop:
    """The range that was let go over a node."""

    run: Run
    node: str


@dataclass(frozen=True, slots=True)
class Gesture:
    phase: Phase = Phase.IDLE
    selection: Run | None = None
    anchor: int = 0  # where a selection began; kept for shift-click
    start: tuple[float, float] = (0.0, 0.0)
    run: Run | None = None  # what would be carried
    selects: bool = False  # a move extends the selection rather than carrying
    source: str = ""  # the node that has the run, "" for a gap
    target: str = ""  # the node below the pointer


def span(one: int, other: int) -> Run:
    return Run(min(one, other), max(one, other))


def press(
    now: Gesture, at: tuple[float, float], layer: int, block: Run, source: str, on_cells: bool, shift: bool
) -> Gesture:
    """`block` is the whole range under the pointer, `layer` the cell nearest to it."""
    if on_cells and shift:
        return replace(now, selection=span(now.anchor if now.selection else layer, layer), phase=Phase.IDLE)
    base = replace(now, phase=Phase.PRESSED, start=at, source=source, target="")
    if now.selection is not None and layer in now.selection and (on_cells or block == now.selection):
        return replace(base, run=now.selection, selects=False, anchor=layer)
    if on_cells:
        return replace(base, run=Run(layer, layer), selects=True, anchor=layer)
    return replace(base, run=block, selects=False, anchor=block.first)


def move(now: Gesture, at: tuple[float, float], layer: int, target: str, over_cells: bool = True) -> Gesture:
    """`layer` is the one nearest to the pointer, `target` the node below it ("" for none)."""
    if now.phase is Phase.PRESSED:
        distance = abs(at[0] - now.start[0]) + abs(at[1] - now.start[1])
        if now.selects and layer != now.anchor and over_cells:
            return replace(now, phase=Phase.SELECTING, selection=span(now.anchor, layer))
        if distance < CARRY_AFTER or (now.selects and over_cells):
            return now
        return replace(now, phase=Phase.CARRYING, selection=now.run, target=target)
    if now.phase is Phase.SELECTING:
        return replace(now, selection=span(now.anchor, layer))
    if now.phase is Phase.CARRYING:
        return replace(now, target=target)
    return now


def release(now: Gesture) -> tuple[Gesture, Drop | None]:
    idle = Gesture(selection=now.selection, anchor=now.anchor)
    if now.phase is Phase.CARRYING and now.run is not None and now.target and now.target != now.source:
        return replace(idle, selection=None), Drop(now.run, now.target)
    if now.phase is Phase.PRESSED and now.run is not None:
        return replace(idle, selection=now.run if now.selects else now.selection), None
    return idle, None


def cancel(now: Gesture) -> Gesture:
    """Escape: gives up what is under way, or the selection where nothing is."""
    return Gesture(selection=None if now.phase is Phase.IDLE else now.selection, anchor=now.anchor)


def step(now: Gesture, delta: int, block: Run, extend: bool) -> Gesture:
    """Arrow keys in a block: moves the one-cell selection, or extends it from its anchor."""
    if now.selection is None or now.selection.last < block.first or now.selection.first > block.last:
        layer = block.first if delta >= 0 else block.last
        return replace(now, selection=Run(layer, layer), anchor=layer)
    ends = (now.selection.first, now.selection.last)
    head = ends[1] if now.anchor == ends[0] else ends[0]
    layer = max(block.first, min(block.last, head + delta))
    return replace(
        now, selection=span(now.anchor, layer) if extend else Run(layer, layer), anchor=now.anchor if extend else layer
    )

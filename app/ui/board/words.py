"""What the board writes where. Each function gives several wordings, the fullest first: the widget takes the first that
fits. Imports no Qt."""

from __future__ import annotations

from collections.abc import Callable

from app.ui import words
from app.ui.board.segments import Segment
from app.ui.board.state import BoardState, NodeOutlook


def range_line(segment: Segment, weights: int) -> tuple[str, ...]:
    span, short = words.layers(segment.first, segment.last), words.layer_range(segment.first, segment.last)
    size = words.size(weights)
    return (f"{span}  ·  {size}", f"{short}  ·  {size}", f"{short} · {size}", span, short)


def room_line(outlook: NodeOutlook | None) -> tuple[str, ...]:
    """KV and what is left of the free memory, or by how much it does not fit."""
    if outlook is None:
        return ("",)
    kv = f"KV {words.size(outlook.kv)}"
    if not outlook.usable and outlook.state:
        return (f"{kv}  ·  {outlook.state}", outlook.state)
    if outlook.available is None:
        return (f"{kv}  ·  memory not known yet", kv)
    if outlook.over:
        over = words.size(outlook.over)
        return (f"{kv}  ·  {over} too much", f"{over} too much", f"+{over}", "too big")
    left = words.size(outlook.left)
    return (f"{kv}  ·  {left} left", f"{left} left", left)


def over(outlook: NodeOutlook | None) -> bool:
    return outlook is not None and (outlook.over > 0 or (not outlook.usable and outlook.needed > 0))


def node_sentence(outlook: NodeOutlook) -> str:
    """One node in full: tooltips, screen readers."""
    holds = f"{outlook.node}: {words.size(outlook.weights)} weights, {words.size(outlook.kv)} KV"
    if outlook.overhead:
        holds += f", {words.size(outlook.overhead)} for the process"
    if outlook.available is None:
        return f"{holds}; its memory is not known yet."
    if outlook.over:
        return f"{holds}; {words.size(outlook.over)} more than the {words.size(outlook.available)} it has free."
    return f"{holds}; {words.size(outlook.left)} of {words.size(outlook.available)} left."


def planned_line(outlook: NodeOutlook) -> str:
    """A card's legend while layers are being dragged."""
    if outlook.available is None:
        return f"{words.size(outlook.weights)} weights · {words.size(outlook.kv)} KV · memory not known yet"
    end = f"{words.size(outlook.over)} too much" if outlook.over else f"{words.size(outlook.left)} left"
    return f"{words.size(outlook.weights)} weights · {words.size(outlook.kv)} KV · {end}"


def block_name(segment: Segment, outlook: NodeOutlook | None, pinned: bool = False, spare: str = "") -> str:
    """For screen readers."""
    where = words.layers(segment.first, segment.last)
    if segment.gap:
        return f"Not placed: {where}"
    where += ", pinned: Balance leaves them here" if pinned else ""
    where += f", {spare}" if spare else ""
    return f"{segment.node}, {where}" + (f". {node_sentence(outlook)}" if outlook is not None else "")


def boundary_name(left: Segment, right: Segment) -> str:
    return f"Boundary between {left.node or 'unplaced layers'} and {right.node or 'unplaced layers'}"


def boundary_value(value: int) -> str:
    return f"cut before layer {value}"


def empty_target_line(outlook: NodeOutlook, carrying: bool) -> str:
    if not outlook.usable:
        return outlook.state
    free = "memory not known yet" if outlook.available is None else f"{words.size(outlook.available)} free"
    return free if carrying else f"drop layers here · {free}"


def deploy_label(state: BoardState) -> str:
    if not state.deployed:
        return "Deploy"
    return "Deploy" if not state.changes else f"Deploy {words.count(state.changes, 'change')}"


def fitting(options: tuple[str, ...], width: float, measure: Callable[[str], float]) -> str:
    """The first wording that fits; the last one where none does."""
    return next((option for option in options if measure(option) <= width), options[-1])

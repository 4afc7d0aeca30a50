"""What the board writes where. Each function gives several wordings, the fullest first: the widget takes the first that
fits. Imports no Qt."""

from __future__ import annotations

from collections.abc import Callable

from app.core.text import joined, phrase
from app.ui import words
from app.ui.board.segments import Segment
from app.ui.board.state import BoardState, NodeOutlook


def range_line(segment: Segment, weights: int) -> tuple[str, ...]:
    span, short = words.layers(segment.first, segment.last), words.layer_range(segment.first, segment.last)
    size = words.size(weights)
    return (joined((span, size), "  ·  "), f"{short}  ·  {size}", f"{short} · {size}", short)


def room_line(outlook: NodeOutlook | None) -> tuple[str, ...]:
    """KV and what is left of the free memory, or by how much it does not fit."""
    if outlook is None:
        return ("",)
    kv = phrase("KV {kv}", kv=words.size(outlook.kv))
    if not outlook.usable and outlook.state:
        return (joined((kv, outlook.state), "  ·  "), outlook.state)
    if outlook.available is None:
        return (phrase("{kv}  ·  memory not known yet", kv=kv), kv)
    if outlook.over:
        over = words.size(outlook.over)
        return (
            phrase("{kv}  ·  {over} too much", kv=kv, over=over),
            phrase("{over} too much", over=over),
            f"+{over}",
            phrase("too big"),
        )
    left = words.size(outlook.left)
    return (phrase("{kv}  ·  {left} left", kv=kv, left=left), phrase("{left} left", left=left), left)


def over(outlook: NodeOutlook | None) -> bool:
    return outlook is not None and (outlook.over > 0 or (not outlook.usable and outlook.needed > 0))


def node_sentence(outlook: NodeOutlook) -> str:
    """One node in full: tooltips, screen readers."""
    parts = {"node": outlook.node, "weights": words.size(outlook.weights), "kv": words.size(outlook.kv)}
    holds = phrase("{node}: {weights} weights, {kv} KV", **parts)
    if outlook.overhead:
        parts["overhead"] = words.size(outlook.overhead)
        holds = phrase("{node}: {weights} weights, {kv} KV, {overhead} for the process", **parts)
    if outlook.available is None:
        return phrase("{holds}; its memory is not known yet.", holds=holds)
    if outlook.over:
        return phrase(
            "{holds}; {over} more than the {available} it has free.",
            holds=holds,
            over=words.size(outlook.over),
            available=words.size(outlook.available),
        )
    return phrase(
        "{holds}; {left} of {available} left.",
        holds=holds,
        left=words.size(outlook.left),
        available=words.size(outlook.available),
    )


def planned_line(outlook: NodeOutlook) -> str:
    """A card's legend while layers are being dragged."""
    if outlook.available is None:
        return phrase(
            "{weights} weights · {kv} KV · memory not known yet",
            weights=words.size(outlook.weights),
            kv=words.size(outlook.kv),
        )
    end = (
        phrase("{over} too much", over=words.size(outlook.over))
        if outlook.over
        else phrase("{left} left", left=words.size(outlook.left))
    )
    return phrase(
        "{weights} weights · {kv} KV · {end}", weights=words.size(outlook.weights), kv=words.size(outlook.kv), end=end
    )


def block_name(segment: Segment, outlook: NodeOutlook | None, pinned: bool = False, spare: str = "") -> str:
    """For screen readers."""
    where = words.layers(segment.first, segment.last)
    if segment.gap:
        return phrase("Not placed: {where}", where=where)
    stays = phrase("pinned: Balance leaves them here") if pinned else ""
    name = joined((segment.node, where, stays, spare), ", ")
    return joined((name, node_sentence(outlook)), ". ") if outlook is not None else name


def boundary_name(left: Segment, right: Segment) -> str:
    return phrase(
        "Boundary between {left} and {right}",
        left=left.node or phrase("unplaced layers"),
        right=right.node or phrase("unplaced layers"),
    )


def boundary_value(value: int) -> str:
    return phrase("cut before layer {value}", value=value)


def empty_target_line(outlook: NodeOutlook, carrying: bool) -> str:
    if not outlook.usable:
        return outlook.state
    free = (
        phrase("memory not known yet")
        if outlook.available is None
        else phrase("{available} free", available=words.size(outlook.available))
    )
    return free if carrying else phrase("drop layers here · {free}", free=free)


def deploy_label(state: BoardState) -> str:
    if not state.deployed or not state.changes:
        return phrase("Deploy")
    return phrase("Deploy {changes}", changes=words.count(state.changes, "change"))


def widest_deploy_label() -> str:
    """What the button keeps room for."""
    return phrase("Deploy {changes}", changes=words.count(88, "change"))


def fitting(options: tuple[str, ...], width: float, measure: Callable[[str], float]) -> str:
    """The first wording that fits; the last one where none does."""
    return next((option for option in options if measure(option) <= width), options[-1])

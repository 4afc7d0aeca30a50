"""Where things stand on the strip: widths, cells, and which layer is under a point. Imports no Qt."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from app.ui.board.segments import Segment

BLOCK_MINIMUM: Final = 78  # keeps "mini-1…", its range and its bytes legible
BOUNDARY: Final = 14  # between two blocks: the handle
CELLS_INSET: Final = 9  # left and right of the cells in a block


@dataclass(frozen=True, slots=True)
class Span:
    left: int
    width: int

    @property
    def right(self) -> int:
        return self.left + self.width


def lay_out(
    counts: Collection[int],
    width: int,
    minimum: int = BLOCK_MINIMUM,
    gap: int = BOUNDARY,
) -> tuple[Span, ...]:
    """Blocks as wide as their layers are many, none below `minimum`; wider than `width` where that cannot be."""
    shares = _shares(list(counts), max(0, width - gap * (len(counts) - 1)), minimum)
    spans: list[Span] = []
    at = 0.0
    for share in shares:
        left, right = round(at), round(at + share)
        spans.append(Span(left, right - left))
        at += share + gap
    return tuple(spans)


def _shares(counts: list[int], room: float, minimum: int) -> list[float]:
    if room <= minimum * len(counts):
        return [float(minimum)] * len(counts)
    fixed: set[int] = set()
    while True:
        total = sum(count for i, count in enumerate(counts) if i not in fixed)
        left = room - minimum * len(fixed)
        small = {i for i, count in enumerate(counts) if i not in fixed and left * count < minimum * total}
        if not small:
            return [float(minimum) if i in fixed else left * count / total for i, count in enumerate(counts)]
        fixed |= small


def strip_width(spans: tuple[Span, ...]) -> int:
    return spans[-1].right if spans else 0


def least_width(count: int) -> int:
    """Of a strip of so many blocks: below, it scrolls."""
    return count * BLOCK_MINIMUM + max(0, count - 1) * BOUNDARY


def cell_spans(width: int, layers: int, inset: int = CELLS_INSET) -> tuple[tuple[float, float], ...]:
    """Left edge and width of each layer's cell in a block of this width."""
    room = max(1.0, width - 2 * inset)
    pitch = room / max(1, layers)
    between = 2.0 if pitch >= 6 else 1.0 if pitch >= 3 else 0.0
    return tuple((inset + i * pitch + between / 2, pitch - between) for i in range(layers))


def layer_at(x: float, width: int, segment: Segment, inset: int = CELLS_INSET) -> int:
    """The layer whose cell is nearest to x in a block of this width."""
    pitch = max(1.0, width - 2 * inset) / segment.layers
    return segment.first + max(0, min(segment.layers - 1, int((x - inset) // pitch)))


def boundary_at(
    x: float, parts: tuple[Segment, ...], index: int, width: int, minimum: int = BLOCK_MINIMUM, gap: int = BOUNDARY
) -> int:
    """The value (first layer right of boundary `index`) whose handle would stand nearest to x in such a strip.

    Where many blocks are as narrow as can be, the handle stands at one place for many values: then x tells which, by
    its place between the ends of the two blocks."""
    left, right = parts[index], parts[index + 1]
    low, high = left.first + 1, right.last
    spans = lay_out([part.layers for part in parts], width, minimum, gap)
    share = (x - spans[index].left) / max(1, spans[index + 1].right - spans[index].left)
    wanted = left.first + share * (right.last + 1 - left.first)

    def distance(value: int) -> tuple[float, float]:
        counts = [part.layers for part in parts]
        counts[index] = value - left.first
        counts[index + 1] = right.last - value + 1
        return round(abs(lay_out(counts, width, minimum, gap)[index].right + gap / 2 - x), 3), abs(value - wanted)

    return min(range(low, high + 1), key=distance)


def snap(value: int, low: int, high: int, forbidden: Collection[int], previous: int | None = None) -> int | None:
    """The allowed cut nearest to value within low..high. From `previous`, a step of one that lands on a forbidden cut
    goes on in its direction. None where no cut is allowed."""
    allowed = [cut for cut in range(low, high + 1) if cut not in forbidden]
    if not allowed:
        return None
    if previous is not None and value != previous:
        beyond = [cut for cut in allowed if (cut >= value if value > previous else cut <= value)]
        allowed = beyond or allowed
    return min(allowed, key=lambda cut: (abs(cut - value), cut))

"""Where each message of a long conversation stands, while only those near the view were laid out. No Qt.

A height is estimated from the text until the message was shown once. All lengths are in pixels.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

AROUND: Final = 84  # a message's buttons and figures
LINE: Final = 21
LETTER: Final = 7.0
LEAST: Final = 24


def estimated(characters: int, lines: int, width: int) -> int:
    """The height of a message of so many characters in so many lines."""
    return AROUND + round(LINE * (lines + characters * LETTER / max(width, 80)))


@dataclass(frozen=True, slots=True)
class Column:
    """Messages from top to bottom with `spacing` between them, `above` before the first and `below` after the last."""

    heights: Sequence[int]
    tops: Sequence[int]
    spacing: int
    above: int
    below: int

    @property
    def height(self) -> int:
        return (self.tops[-1] + self.heights[-1] if self.heights else self.above) + self.below

    def at(self, y: int) -> int:
        """The message that stands there, or the nearest below it; the last one where there is none below."""
        number = max(0, bisect_right(self.tops, y) - 1)
        gap = number < len(self.heights) - 1 and y >= self.tops[number] + self.heights[number]
        return number + gap

    def within(self, low: int, high: int) -> range:
        """The messages of which a part stands between the two."""
        if not self.heights:
            return range(0)
        first = self.at(low)
        last = max(0, bisect_right(self.tops, high) - 1)
        return range(first, max(first, last) + 1)


def column(heights: Sequence[int], spacing: int, above: int, below: int) -> Column:
    tops = list(accumulate((height + spacing for height in heights), initial=above))[: len(heights)]
    return Column(heights, tops, spacing, above, below)

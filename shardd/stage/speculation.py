"""Proposing tokens from the text so far, and how many are worth it.

A step that verifies k proposed tokens costs each hop once and each stage a little more; with a share a of proposals
accepted it brings (1 - a^(k+1)) / (1 - a) tokens (Leviathan et al., 2023, equation 1).
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

LONGEST_PATTERN = 4
SHORTEST_PATTERN = 2
MOST_PROPOSED = 12
SLOW_START = 4
SMOOTHING = 0.15
WINDOW = 32768  # tokens that are searched
ITEM = array("i").itemsize
REST = 24  # steps without a proposal after proposing did not pay


class Lookup:
    """Finds where the last few tokens stood before, and proposes what followed then."""

    def __init__(self, tokens: Sequence[int]) -> None:
        self._tokens = array("i", tokens)
        self._bytes = bytearray(self._tokens.tobytes())

    def extend(self, tokens: Sequence[int]) -> None:
        more = array("i", tokens)
        self._tokens.extend(more)
        self._bytes += more.tobytes()

    def propose(self, most: int) -> tuple[int, ...]:
        """At most so many tokens that may come next."""
        end = len(self._tokens)
        for length in range(min(LONGEST_PATTERN, end - 1), SHORTEST_PATTERN - 1, -1):
            place = self._place_before(self._bytes[-length * ITEM :], end - length)
            if place is not None:
                after = place + length
                period = end - after  # a text that repeats itself goes on doing so
                return tuple(self._tokens[after + number % period] for number in range(most))
        return ()

    def _place_before(self, pattern: bytearray, end: int) -> int | None:
        """Where the pattern began last, before its own place at `end`."""
        start = max(0, end - WINDOW) * ITEM
        found = self._bytes.rfind(pattern, start, (end - 1) * ITEM + len(pattern))
        while found >= 0 and found % ITEM:  # between two numbers
            found = self._bytes.rfind(pattern, start, found - 1 + len(pattern))
        return found // ITEM if found >= 0 else None


@dataclass
class Advisor:
    """How many tokens to propose, from what proposals brought and what laps took. One a sequence, laps shared.

    laps: smoothed seconds of a lap by number of tokens in the step, shared by all sequences.
    """

    laps: dict[int, float]
    accepted: float = 0.7  # share of proposed tokens that were right, smoothed; begins with a hope
    resting: int = 0
    _tries: int = field(default=0)

    def most(self) -> int:
        """The best number of proposed tokens; 0 where none pays."""
        if self.resting > 0:
            self.resting -= 1
            return 0
        if self._tries < SLOW_START:
            return SLOW_START
        best, gain = best_count(self.accepted, self.laps)
        if gain <= 1.03:
            self.resting = REST
            self._tries = SLOW_START - 1  # one try after the rest
            return 0
        return best

    def learn(self, proposed: int, right: int, lap_s: float) -> None:
        """A step with so many proposals came home; `right` of them were accepted."""
        note_lap(self.laps, proposed + 1, lap_s)
        if proposed:
            self._tries += 1
            # Tokens after the first wrong one say nothing about themselves.
            share = right / min(proposed, right + 1)
            self.accepted += SMOOTHING * (share - self.accepted)


def note_lap(laps: dict[int, float], tokens: int, seconds: float) -> None:
    known = laps.get(tokens)
    laps[tokens] = seconds if known is None else known + SMOOTHING * (seconds - known)


def lap_of(tokens: int, laps: Mapping[int, float]) -> float:
    """Seconds of a lap with so many tokens, from the measured ones on a straight line."""
    if tokens in laps:
        return laps[tokens]
    if len(laps) < 2:
        return next(iter(laps.values()), 1.0)
    low, high = min(laps), max(laps)
    slope = max(0.0, (laps[high] - laps[low]) / (high - low))
    return laps[low] + slope * (tokens - low)


def expected_tokens(accepted: float, proposed: int) -> float:
    """Tokens that a step with so many proposals brings on average."""
    if accepted >= 0.999:
        return proposed + 1.0
    return (1 - accepted ** (proposed + 1)) / (1 - accepted)


def best_count(accepted: float, laps: Mapping[int, float]) -> tuple[int, float]:
    """The number of proposals with the best speed, and how many times faster that is than none."""
    plain = lap_of(1, laps)
    speeds = {k: expected_tokens(accepted, k) * plain / lap_of(k + 1, laps) for k in range(1, MOST_PROPOSED + 1)}
    best = max(speeds, key=lambda k: speeds[k])
    return best, speeds[best]

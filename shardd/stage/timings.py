"""Medians and tails of measured times. Pure; used by stages, the controller and the bench."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence


def percentile(values: Sequence[float], share: float) -> float:
    """Linear interpolation between closest ranks (the default of numpy.percentile). values must not be empty."""
    ordered = sorted(values)
    place = (len(ordered) - 1) * share
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def spread(values: Sequence[float]) -> tuple[float, float] | None:
    """(p50, p95), or None where nothing was measured."""
    return (percentile(values, 0.5), percentile(values, 0.95)) if values else None


class Recent:
    """The latest measurements of one kind. Written by one thread, summarised by another."""

    def __init__(self, size: int = 128) -> None:
        self._values: deque[float] = deque(maxlen=size)

    def add(self, value: float) -> None:
        self._values.append(value)

    def values(self) -> list[float]:
        while True:
            try:
                return list(self._values)
            except RuntimeError:  # the deque grew while it was copied
                continue

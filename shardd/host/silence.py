"""How long somebody else has been silent, while we ourselves were awake to hear it."""

from __future__ import annotations

import time
from collections.abc import Callable

TICK_S = 0.25  # how often whoever listens looks at the clock


class Silence:
    """Counts silence in ticks: a moment in which this process itself slept, froze or was busy counts as one or two.

    So neither a laptop that was closed nor a process that was stopped and goes on accuses everybody else.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._looked = clock()
        self._seconds = 0.0

    def heard(self) -> None:
        """There was word just now."""
        self._looked = self._clock()
        self._seconds = 0.0

    def look(self) -> float:
        """To be called at every tick: the seconds of silence until now."""
        now = self._clock()
        self._seconds += min(now - self._looked, 2 * TICK_S)
        self._looked = now
        return self._seconds

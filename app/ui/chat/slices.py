"""Long work on the window's thread, done a slice at a time. No Qt.

    window's loop   ─ event ─┬─ run(0.01) ─┬─ events ─┬─ run(0.01) ─┬─ …
    the work                 └─ look look ─┘          └─ look look ─┘

The work calls look() again and again; where its slice is over, look() goes back to the window and returns with the next
slice. So the work is written as if it ran at once, and code of others (a parser's rules) can be part of it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Final, Generic, TypeVar

from greenlet import getcurrent, greenlet

T = TypeVar("T")
Look = Callable[[], None]

SLICE_S: Final = 0.01
WHOLE_LOOKS: Final = 1500  # so many are never interrupted: what is small is done at once on any machine
LOOKS_PER_CLOCK: Final = 8


class Sliced(Generic[T]):
    """work(look) in slices. Attributes: done; cost_s, processor time so far."""

    def __init__(self, work: Callable[[Look], T]) -> None:
        self._greenlet = greenlet(lambda: work(self._look))
        self._until = math.inf
        self._looks = 0
        self._result: T | None = None
        self.done = False
        self.cost_s = 0.0

    def run(self, seconds: float = math.inf) -> bool:
        """Goes on for about so long of this thread's processor time; whether it is done. Raises what the work does."""
        if self.done:
            return True
        began = time.thread_time()
        self._until = began + seconds
        self._greenlet.parent = getcurrent()
        found = self._greenlet.switch()
        self.cost_s += time.thread_time() - began
        if self._greenlet.dead:
            self.done, self._result = True, found
        return self.done

    @property
    def result(self) -> T:
        assert self.done, "it is not done"
        return self._result  # type: ignore[return-value]

    def _look(self) -> None:
        self._looks += 1
        if self._looks < WHOLE_LOOKS or self._looks % LOOKS_PER_CLOCK:
            return
        if time.thread_time() > self._until:
            self._greenlet.parent.switch()


def at_once() -> None:
    """A look for work that is not sliced."""

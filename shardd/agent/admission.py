"""How many strangers may knock at once and how often: decided before a handshake costs anything."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import Final

MOST: Final = 8
MOST_PER_ADDRESS: Final = 4
BURST: Final = 16
PER_SECOND: Final = 4.0


class Admission:
    """clock: seconds that never go back."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._inside: Counter[str] = Counter()
        self._allowance = float(BURST)
        self._at = clock()

    def enter(self, address: str) -> bool:
        """Whether a connection from this address may go on; then leave() must follow."""
        now = self._clock()
        self._allowance = min(float(BURST), self._allowance + (now - self._at) * PER_SECOND)
        self._at = now
        full = self._inside.total() >= MOST or self._inside[address] >= MOST_PER_ADDRESS
        if full or self._allowance < 1.0:
            return False
        self._allowance -= 1.0
        self._inside[address] += 1
        return True

    def leave(self, address: str) -> None:
        self._inside[address] -= 1
        if self._inside[address] <= 0:
            del self._inside[address]

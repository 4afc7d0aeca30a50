"""How much memory this machine has left."""

import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import psutil

from shardd.host import darwin
from shardd.host.cgroup import memory_available, memory_limit

Pressure = Literal["normal", "warning", "critical"]

# DISPATCH_MEMORYPRESSURE_NORMAL, _WARN, _CRITICAL in libdispatch's `dispatch/source.h`.
_PRESSURE: tuple[tuple[int, Pressure], ...] = ((1, "normal"), (2, "warning"), (4, "critical"))


@dataclass(frozen=True, slots=True)
class MemoryReading:
    """A moment's reading. Bytes throughout.

    Attributes:
        total: the machine's memory, or the container's limit.
        available: what a new program could use without pushing others into swap.
        swap_used: what lies in swap.
        swap_in_rate: bytes a second that came back from swap since the previous reading; None at the first one,
            and where the system does not say.
        pressure: what macOS thinks of it; None elsewhere.
    """

    total: int
    available: int
    swap_used: int
    swap_in_rate: float | None
    pressure: Pressure | None


class MemoryReader:
    """Takes readings; remembers the previous one for the rate. One per reading loop: not for several threads.

    Args:
        clock: seconds, never going back; for tests.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._previous: tuple[float, int] | None = None

    def read(self) -> MemoryReading:
        """Read now. Well under a millisecond."""
        memory, swap = psutil.virtual_memory(), psutil.swap_memory()
        total, available = memory.total, memory.available
        limit, left = memory_limit(), memory_available()
        if limit is not None and left is not None:
            total, available = min(total, limit), min(available, left)
        return MemoryReading(
            total=total,
            available=min(available, total),
            swap_used=swap.used,
            swap_in_rate=self._rate(_swapped_in(swap.sin)),
            pressure=_pressure(),
        )

    def _rate(self, swapped_in: int | None) -> float | None:
        previous, now = self._previous, self._clock()
        self._previous = None if swapped_in is None else (now, swapped_in)
        if previous is None or swapped_in is None or now <= previous[0]:
            return None
        return max(0, swapped_in - previous[1]) / (now - previous[0])


def _swapped_in(counted_by_psutil: int) -> int | None:
    if sys.platform != "darwin":
        return counted_by_psutil
    pages = darwin.swapped_in_pages()
    return None if pages is None else pages * resource.getpagesize()


def _pressure() -> Pressure | None:
    level = darwin.sysctl_number("kern.memorystatus_vm_pressure_level")
    return next((name for number, name in _PRESSURE if number == level), None)

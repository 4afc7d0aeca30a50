"""How busy this machine is, and what a process weighs."""

import psutil

from shardd.host.darwin import physical_footprint


class LoadReader:
    """Measures the share of all cores that was busy between readings.

    `psutil.cpu_percent` keeps that state in its module, where two callers would spoil each other's figures.
    """

    def __init__(self) -> None:
        self._busy, self._total = _times()

    def read(self) -> float:
        """Return per cent of all cores, 0 to 100, since the previous reading (at first: since construction)."""
        busy, total = _times()
        spent, elapsed = busy - self._busy, total - self._total
        self._busy, self._total = busy, total
        # Counters of idle time may step back a little on Linux.
        return min(100.0, max(0.0, 100.0 * spent / elapsed)) if elapsed > 0 else 0.0


def rss_of(pid: int) -> int | None:
    """Return a process's memory in bytes: its physical footprint on macOS, its resident size elsewhere.

    None where there is no such process, or it is another user's.
    """
    footprint = physical_footprint(pid)
    if footprint is not None:
        return footprint
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except (psutil.Error, ValueError, OverflowError):
        return None


def _times() -> tuple[float, float]:
    times = psutil.cpu_times()._asdict()
    # Linux counts guest time within user time already, and waiting for the disk is not work.
    total = sum(value for name, value in times.items() if not name.startswith("guest"))
    return total - times.get("idle", 0.0) - times.get("iowait", 0.0), total

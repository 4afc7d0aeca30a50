"""The machine's quick reading: taken in a child process that ends, one at a time, and answered again for a while."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

from shardd.host import SentenceError, format_bytes

KEPT_S = 60.0
LONGEST_S = 60.0  # a loaded machine takes its time to import MLX
NEEDED_BYTES = 600_000_000  # the matrices, and the process


@dataclass(frozen=True, slots=True)
class Measured:
    """Bytes read and operations done a second."""

    read_bytes_per_s: float
    flops_per_s: float


class CannotMeasure(SentenceError):
    """The reading would disturb, or failed."""


class Measuring:
    """available: bytes free for shards. computing: whether a stage has something to do just now."""

    def __init__(self, available: Callable[[], int], computing: Callable[[], bool]) -> None:
        self._available = available
        self._computing = computing
        self._one = asyncio.Lock()
        self._last: tuple[float, Measured] | None = None

    async def read(self) -> Measured:
        """A reading of now or of the last minute. Raises CannotMeasure."""
        async with self._one:
            if self._last is not None and monotonic() - self._last[0] < KEPT_S:
                return self._last[1]
            if self._computing():
                raise CannotMeasure("An answer is being computed here.", "Measure when nothing runs.")
            free = self._available()
            if free < NEEDED_BYTES:
                raise CannotMeasure(
                    f"A reading needs {format_bytes(NEEDED_BYTES)} and {format_bytes(free)} are free here.",
                    "Free memory first.",
                )
            found = await _read()
            self._last = monotonic(), found
            return found


async def _read() -> Measured:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "shardd.stage.measure",
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(LONGEST_S):
            out, _ = await process.communicate()
        table = json.loads(out)
        return Measured(float(table["read_bytes_per_s"]), float(table["flops_per_s"]))
    except TimeoutError:
        raise CannotMeasure(f"The reading took longer than {LONGEST_S:.0f} s.", "Try again when less runs.") from None
    except (ValueError, KeyError, TypeError):
        raise CannotMeasure(f"The reading ended half-way (code {process.returncode}).") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()

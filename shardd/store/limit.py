"""What shards may take on this machine's disk, noted where other processes can read it."""

from __future__ import annotations

import contextlib
from pathlib import Path

from shardd.host.paths import atomic_write

_NAME = "store-limit"


def write_limit(data: Path, limit_bytes: int | None) -> None:
    """Note the limit with which an agent runs on the data folder."""
    if limit_bytes is None:
        (data / _NAME).unlink(missing_ok=True)
    else:
        atomic_write(data / _NAME, str(limit_bytes).encode())


def read_limit(data: Path) -> int | None:
    """The limit with which an agent runs or ran last; None for none."""
    with contextlib.suppress(OSError, ValueError):
        return int((data / _NAME).read_text())
    return None

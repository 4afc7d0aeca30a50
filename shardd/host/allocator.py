"""glibc's allocator, told once a process to keep what is freed.

gRPC takes and frees buffers of a megabyte for each piece of a unit. By default glibc maps and unmaps each of them, and
the kernel clears every page anew: 0.4 GB/s over TLS where 1.1 are possible. What is kept is bounded by what was once
in use at the same time, a few tens of megabytes.
"""

from __future__ import annotations

import ctypes
import sys
from typing import Any

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3
_LARGEST_MAPPED = 32 << 20
_KEPT = 64 << 20
_TOP = 16 << 20


def keep_freed_memory() -> None:
    """Call it where a process starts that pushes or receives units. Does nothing but on Linux with glibc."""
    mallopt = _of_glibc("mallopt")
    if mallopt is None:
        return
    mallopt(_MMAP_THRESHOLD, _LARGEST_MAPPED)
    mallopt(_TRIM_THRESHOLD, _KEPT)
    mallopt(_TOP_PAD, _TOP)


def return_freed_memory() -> None:
    """Gives the system what was freed; where a process rests that needed much. Only on Linux with glibc, too."""
    trim = _of_glibc("malloc_trim")
    if trim is not None:
        trim(0)


def _of_glibc(name: str) -> Any:
    """A function of glibc's; None with another C library."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        return getattr(ctypes.CDLL(None), name)
    except (OSError, AttributeError):
        return None

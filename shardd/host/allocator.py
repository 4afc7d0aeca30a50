"""glibc's allocator, told once a process to keep what is freed.

gRPC takes and frees buffers of a megabyte for each piece of a unit. By default glibc maps and unmaps each of them, and
the kernel clears every page anew: 0.4 GB/s over TLS where 1.1 are possible. What is kept is bounded by what was once
in use at the same time, a few tens of megabytes.
"""

from __future__ import annotations

import ctypes
import sys

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3
_LARGEST_MAPPED = 32 << 20
_KEPT = 64 << 20
_TOP = 16 << 20


def keep_freed_memory() -> None:
    """Call it where a process starts that pushes or receives units. Does nothing but on Linux with glibc."""
    if not sys.platform.startswith("linux"):
        return
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library
        return
    mallopt(_MMAP_THRESHOLD, _LARGEST_MAPPED)
    mallopt(_TRIM_THRESHOLD, _KEPT)
    mallopt(_TOP_PAD, _TOP)

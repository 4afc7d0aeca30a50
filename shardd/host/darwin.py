"""The few questions that only macOS's C library answers. Every function returns None elsewhere or on any failure.

Sources: `man 3 sysctl`, and from the macOS SDK `sys/resource.h` (rusage_info_v0), `libproc.h`,
`mach/vm_statistics.h` (vm_statistics64) and `mach/host_info.h` (HOST_VM_INFO64).
"""

import ctypes
import sys

_RUSAGE_INFO_V0 = 0
_HOST_VM_INFO64 = 4


class _Rusage(ctypes.Structure):
    """rusage_info_v0."""

    _fields_ = [
        ("uuid", ctypes.c_uint8 * 16),
        ("user_time", ctypes.c_uint64),
        ("system_time", ctypes.c_uint64),
        ("package_idle_wakeups", ctypes.c_uint64),
        ("interrupt_wakeups", ctypes.c_uint64),
        ("page_ins", ctypes.c_uint64),
        ("wired_size", ctypes.c_uint64),
        ("resident_size", ctypes.c_uint64),
        ("phys_footprint", ctypes.c_uint64),
        ("started", ctypes.c_uint64),
        ("exited", ctypes.c_uint64),
    ]


class _VmStatistics(ctypes.Structure):
    """vm_statistics64: counts of pages."""

    _fields_ = [
        ("free_active_inactive_wire", ctypes.c_uint32 * 4),
        ("zero_fill_to_purges", ctypes.c_uint64 * 9),
        ("purgeable_speculative", ctypes.c_uint32 * 2),
        ("decompressions", ctypes.c_uint64),
        ("compressions", ctypes.c_uint64),
        ("swapins", ctypes.c_uint64),
        ("swapouts", ctypes.c_uint64),
        ("compressor_throttled_external_internal", ctypes.c_uint32 * 4),
        ("uncompressed_in_compressor", ctypes.c_uint64),
    ]


def _library() -> ctypes.CDLL | None:
    return ctypes.CDLL(None) if sys.platform == "darwin" else None


def sysctl_bytes(name: str) -> bytes | None:
    """Return the raw value of a sysctl, such as `machdep.cpu.brand_string`."""
    library = _library()
    if library is None:
        return None
    size = ctypes.c_size_t(0)
    if library.sysctlbyname(name.encode(), None, ctypes.byref(size), None, ctypes.c_size_t(0)) != 0:
        return None
    buffer = ctypes.create_string_buffer(size.value)
    if library.sysctlbyname(name.encode(), buffer, ctypes.byref(size), None, ctypes.c_size_t(0)) != 0:
        return None
    return buffer.raw[: size.value]


def sysctl_text(name: str) -> str | None:
    """Return a sysctl that is a text."""
    raw = sysctl_bytes(name)
    return None if raw is None else raw.rstrip(b"\0").decode(errors="replace")


def sysctl_number(name: str) -> int | None:
    """Return a sysctl that is a number of any width."""
    raw = sysctl_bytes(name)
    return int.from_bytes(raw, sys.byteorder) if raw else None


def physical_footprint(pid: int) -> int | None:
    """Return what Activity Monitor calls a process's memory, in bytes: it counts compressed and GPU memory too."""
    library = _library()
    if library is None:
        return None
    usage = _Rusage()
    if library.proc_pid_rusage(ctypes.c_int(pid), ctypes.c_int(_RUSAGE_INFO_V0), ctypes.byref(usage)) != 0:
        return None
    return int(usage.phys_footprint)


def swapped_in_pages() -> int | None:
    """Return how many pages came back from swap since the start. psutil's figure counts file pages as well."""
    library = _library()
    if library is None:
        return None
    library.mach_host_self.restype = ctypes.c_uint32
    host = ctypes.c_uint32(library.mach_host_self())
    statistics = _VmStatistics()
    count = ctypes.c_uint32(ctypes.sizeof(_VmStatistics) // 4)
    if library.host_statistics64(host, _HOST_VM_INFO64, ctypes.byref(statistics), ctypes.byref(count)) != 0:
        return None
    return int(statistics.swapins)

"""The memory limit of a Linux container: cgroup version 2.

Source: Documentation/admin-guide/cgroup-v2.rst of the Linux kernel, "Memory Interface Files". A limit holds for a
group and everything below it, so the tightest one on the way up counts.
"""

from collections.abc import Iterator
from pathlib import Path

CGROUP_ROOT = Path("/sys/fs/cgroup")
OWN_GROUP = Path("/proc/self/cgroup")


def memory_limit(root: Path = CGROUP_ROOT, own_group: Path = OWN_GROUP) -> int | None:
    """Return the tightest limit on this process's memory in bytes; None where there is none."""
    limits = [limit for group in _groups(root, own_group) if (limit := _number(group / "memory.max")) is not None]
    return min(limits, default=None)


def memory_available(root: Path = CGROUP_ROOT, own_group: Path = OWN_GROUP) -> int | None:
    """Return how many bytes the limits still leave; None where there is no limit.

    File pages that the kernel would drop first (`inactive_file`) count as free, as in the host's own reading.
    """
    left: list[int] = []
    for group in _groups(root, own_group):
        limit, current = _number(group / "memory.max"), _number(group / "memory.current")
        if limit is not None and current is not None:
            left.append(max(0, limit - current + _inactive_file(group)))
    return min(left, default=None)


def _groups(root: Path, own_group: Path) -> Iterator[Path]:
    try:
        lines = own_group.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        # Version 2 has the one line "0::/path"; ".." shows a group outside our namespace.
        if line.startswith("0::/") and ".." not in line:
            group = root / line.removeprefix("0::/")
            yield group
            for parent in group.parents:
                if not parent.is_relative_to(root):
                    return
                yield parent


def _number(file: Path) -> int | None:
    try:
        text = file.read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdecimal() else None


def _inactive_file(group: Path) -> int:
    try:
        lines = (group / "memory.stat").read_text().splitlines()
    except OSError:
        return 0
    for line in lines:
        key, _, value = line.partition(" ")
        if key == "inactive_file" and value.isdecimal():
            return int(value)
    return 0

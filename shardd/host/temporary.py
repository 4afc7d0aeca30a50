"""Temporary folders that are found again: a program that is killed cannot remove its own, the next one does."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tempfile
from collections.abc import Generator
from pathlib import Path

from shardd.host.errors import HostError
from shardd.host.paths import is_locked, locked

PREFIXES = ("shardboard-", "shardd-")
_LOCK = ".lock"


@contextlib.contextmanager
def temporary_folder(prefix: str) -> Generator[Path]:
    """A folder of this user alone, gone afterwards. It is locked for as long as this process needs it.

    Args:
        prefix: one of PREFIXES.

    Raises:
        OSError: the system's temporary folder cannot be written.
    """
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    try:
        with locked(folder, wait=False):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def sweep_temporary() -> tuple[Path, ...]:
    """Removes the temporary folders whose process is dead: ours by name and owner, with a lock that nobody holds.
    Returns them. One that is just being made has no lock yet, and stays."""
    swept: list[Path] = []
    try:
        found = [path for prefix in PREFIXES for path in Path(tempfile.gettempdir()).glob(f"{prefix}*")]
    except OSError:
        return ()
    for folder in found:
        with contextlib.suppress(OSError, HostError):
            facts = os.lstat(folder)
            ours = stat.S_ISDIR(facts.st_mode) and facts.st_uid == os.geteuid()
            if ours and stat.S_ISREG(os.lstat(folder / _LOCK).st_mode) and not is_locked(folder):
                shutil.rmtree(folder)
                swept.append(folder)
    return tuple(swept)

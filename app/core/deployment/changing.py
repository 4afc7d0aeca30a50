"""A mark on the disk while this program changes stages: another program of the same controller then knows that what it
finds half-done is being worked on. A program that is killed leaves no mark."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Generator
from pathlib import Path


class Changing:
    """file: in the controller's folder, which all its programs share."""

    def __init__(self, file: Path) -> None:
        self._file = file

    @contextlib.contextmanager
    def marked(self) -> Generator[None]:
        """Around a change. Any number of programs may be at it; a folder that cannot be written leaves it unmarked."""
        descriptor = self._open()
        try:
            if descriptor is not None:
                with contextlib.suppress(OSError):  # a disk without locks
                    fcntl.flock(descriptor, fcntl.LOCK_SH)  # the only one who excludes others does so for microseconds
            yield
        finally:
            if descriptor is not None:
                os.close(descriptor)

    def nobody(self) -> bool:
        """Whether no program changes stages at this moment; False also where that cannot be known."""
        descriptor = self._open()
        if descriptor is None:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        finally:
            os.close(descriptor)
        return True

    def _open(self) -> int | None:
        try:
            return os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError:
            return None

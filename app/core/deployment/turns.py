"""Whose turn it is to change stages: of all programs of one controller (a window, a command line) one at a time.

The lock ends with the program that holds it. The file counts changes, so that whoever comes next knows that what it
saw before its turn is no longer what runs.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import time
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

from shardd.host import read_file

LOOK_S = 0.05
BEAT_S = 1.0
STILL_S = 10.0  # a program that has the turn and gives no sign for so long stands still: nobody waits for it
_LARGEST = 64


class Turns:
    """file: in the controller's folder, which all its programs share. Where it cannot be written nobody waits."""

    def __init__(self, file: Path, still_s: float = STILL_S) -> None:
        self._file = file
        self._still_s = still_s
        self._counted: int | None = None  # what the count is if nobody else has changed anything
        self._begun = 0  # the count when this program began to change something in its turn
        self._settled = False

    @property
    def behind(self) -> bool:
        """Whether another program has changed something, or has begun to, since this one looked."""
        return self._counted is not None and self._read()[0] != self._counted

    @property
    def unloaded(self) -> bool:
        """Whether the latest that a program did was to unload the model, as its owner wished."""
        return self._read()[1]

    def look(self) -> None:
        """To be called before the machines are asked: what others change from now on counts."""
        self._counted = self._read()[0]

    def begin(self, *, unloaded: bool = False) -> None:
        """In one's turn, before something is changed: where this program is killed now, the next one knows."""
        if not self._begun or unloaded:
            self._begun = self._write(unloaded)

    def settled(self) -> None:
        """In one's turn: what was changed is whole, and this program knows what runs."""
        self._settled = True

    @contextlib.asynccontextmanager
    async def taken(
        self, seconds: float | None = None, waits: Callable[[], None] = lambda: None
    ) -> AsyncGenerator[None]:
        """Around a change. It waits for a program that is at it, at most so long. waits: called once if it has to."""
        try:
            descriptor = self._open()
        except OSError:  # a disk that is full or may not be written: as if there were one program alone
            yield
            return
        beat: asyncio.Task[None] | None = None
        try:
            if await self._locked(descriptor, seconds, waits):
                beat = asyncio.create_task(self._beat(descriptor), name="turn")
            self._begun, self._settled = 0, False
            try:
                yield
            finally:
                self._end()
        finally:
            if beat:
                beat.cancel()
                await asyncio.gather(beat, return_exceptions=True)
            os.close(descriptor)

    # -- inside ------------------------------------------------------------------------------------------------------

    def _end(self) -> None:
        if not self._begun:
            return
        number, unloaded = self._read()
        whole = self._settled and number == self._begun  # else somebody did not wait for us
        now = self._write(unloaded and not whole)
        if whole:
            self._counted = now

    async def _locked(self, descriptor: int, seconds: float | None, waits: Callable[[], None]) -> bool:
        """False where it is of no use to wait any longer."""
        began = moved = time.monotonic()
        sign: int | None = None
        while not _lock(descriptor):
            if sign is None:
                waits()
            now, seen = time.monotonic(), os.fstat(descriptor).st_mtime_ns
            if seen != sign:
                sign, moved = seen, now
            if now - moved > self._still_s or (seconds is not None and now - began > seconds):
                return False
            await asyncio.sleep(LOOK_S)
        return True

    async def _beat(self, descriptor: int) -> None:
        """Signs of life while the turn is ours: the file's time changes, whatever the clock says."""
        while True:
            with contextlib.suppress(OSError):
                os.utime(descriptor)
            await asyncio.sleep(BEAT_S)

    def _read(self) -> tuple[int, bool]:
        try:
            number, unloaded = read_file(self._file, _LARGEST).split()
            return int(number), unloaded == b"1"
        except (OSError, ValueError):
            return 0, False

    def _write(self, unloaded: bool) -> int:
        """One more change; the count then."""
        number = self._read()[0] + 1
        with contextlib.suppress(OSError), os.fdopen(self._open(), "r+b", buffering=0) as file:
            file.write(b"%020d %d\n" % (number, unloaded))
            if self._counted == number - 1:
                self._counted = number
        return number

    def _open(self) -> int:
        return os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


def _lock(descriptor: int) -> bool:
    """Whether it is ours now; True also on a disk that knows no locks."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True

"""Receiving one unit: append, hash, verify, make visible.

open ──▶ partial/<digest> ──write…──▶ finish: right digest ──▶ fsync ──▶ rename to units/<digest> ──▶ fsync folders
  ▲            │                         └─ wrong digest ──▶ partial removed
  └── crash ◀──┘  the partial is hashed again from its first byte; nothing in it is believed
"""

import errno
import os
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from shardd.host.paths import full_sync, write_all
from shardd.host.sizes import format_bytes
from shardd.store.errors import DiskFull, StoreError, WrongDigest
from shardd.store.folder import Folder
from shardd.store.hasher import SideHasher

_SEND_AGAIN = "Deploy again: the push goes on where it stopped."


class UnitWriter:
    """Writes one unit. Made by `Store.open_writer`; a context manager.

    `close` may come from another thread while `write` or `finish` runs (a cancelled call): it waits for them.

    Leaving it without `finish` keeps what has arrived, for the next push to go on. After any error it is closed.

    Args:
        digest: what the content must hash to.
        size: bytes of the whole content.
        descriptor: the partial file, open and locked; None where the unit is whole already.
        offset: bytes that are there already.
        partial, units: the folders of partial and of whole units.
        closed: called once, when the writer has let go of the file.
    """

    def __init__(
        self,
        digest: str,
        size: int,
        descriptor: int | None,
        offset: int,
        partial: Folder,
        units: Folder,
        closed: Callable[[], None],
    ) -> None:
        self._digest = digest
        self._size = size
        self._descriptor = descriptor
        self._offset = offset
        self._partial = partial
        self._units = units
        self._closed = closed
        self._open = True
        # A descriptor closed under a write would let it hit a stranger's file of the same number.
        self._lock = threading.RLock()
        self._hasher = None if descriptor is None else SideHasher(descriptor, offset)

    @property
    def offset(self) -> int:
        """How many bytes are here: the next one to send has this position. Equal to the size: nothing to send."""
        return self._offset

    @property
    def remaining(self) -> int:
        """How many bytes are still to come."""
        return self._size - self._offset

    def write(self, data: bytes | memoryview) -> None:
        """Append the next bytes. Blocks on the disk and, rarely, on the hash: not for an event loop's thread.

        Raises:
            DiskFull: no room for them.
            StoreError: more bytes than announced, or the disk refused. What had arrived stays for the next push.
        """
        with self._lock:
            self._check_open()
            if len(data) > self.remaining:
                self.close()
                raise StoreError("The sender sent more bytes than it announced.", "Deploy again.")
            if self._descriptor is None or self._hasher is None or not data:
                return
            try:
                # Handed over first: the thread hashes while the disk writes.
                self._hasher.update(data)
                write_all(self._descriptor, data)
            except OSError as error:
                self.close()
                raise disk_error(error, self.remaining) from error
            self._offset += len(data)

    def finish(self) -> Path:
        """Verify the whole content, make it durable and visible, and return its path. Blocks; see `write`.

        Raises:
            WrongDigest: the content is another one. It is removed: the next push starts anew.
            StoreError: bytes are missing, or the disk refused. What has arrived stays for the next push.
        """
        with self._lock:
            self._check_open()
            try:
                if self.remaining:
                    raise StoreError(f"The push ended {format_bytes(self.remaining)} too early.", _SEND_AGAIN)
                if self._descriptor is not None and self._hasher is not None:
                    self._publish(self._descriptor, self._hasher)
            except OSError as error:
                raise disk_error(error, self.remaining) from error
            finally:
                self.close()
        return self._units.path / self._digest

    def close(self) -> None:
        """Let go of the file; keeps what has arrived. Harmless when repeated."""
        with self._lock:
            if not self._open:
                return
            self._open = False
            if self._hasher is not None:
                self._hasher.abandon()
            if self._descriptor is not None:
                os.close(self._descriptor)
        self._closed()

    def __enter__(self) -> "UnitWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _publish(self, descriptor: int, hasher: SideHasher) -> None:
        if hasher.digest() != self._digest:
            self._partial.remove(self._digest)
            raise WrongDigest(
                "The bytes that arrived are not the ones that were announced.",
                "Deploy again. If it happens again, the model's files on the controller are damaged.",
            )
        # From here on nobody writes to it.
        os.fchmod(descriptor, 0o400)
        full_sync(descriptor)
        self._partial.move(self._digest, self._units)

    def _check_open(self) -> None:
        if not self._open:
            raise StoreError("This push has already ended.", _SEND_AGAIN)


def disk_error(error: OSError, missing: int) -> StoreError:
    """Say what the disk refused; `missing` is how many bytes there was no room for."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull("The disk is full.", f"Free at least {format_bytes(missing)} on this machine.", missing)
    return StoreError(
        f"The disk cannot be read or written: {error.strerror or error}.",
        "Check the disk and the permissions of shardd's folder.",
    )

"""A folder held open by descriptor: names are looked up in it and nowhere else, and no link is followed."""

import os
import stat
import weakref
from contextlib import suppress
from pathlib import Path

from shardd.host.paths import full_sync, private_directory


class Folder:
    """A private folder (0700) of regular files. Closed when it is no longer referred to.

    Every method raises OSError as the system gives it.

    Attributes:
        path: where it was when it was opened.

    Raises:
        HostError: the folder cannot be used.
    """

    def __init__(self, path: Path) -> None:
        self.path = private_directory(path)
        self._descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        weakref.finalize(self, os.close, self._descriptor)

    def size(self, name: str) -> int | None:
        """Return a file's size in bytes; None where there is no regular file of that name."""
        facts = self._facts(name)
        return None if facts is None else facts.st_size

    def sizes(self) -> dict[str, int]:
        """Return every regular file with its size in bytes."""
        found: dict[str, int] = {}
        with os.scandir(self._descriptor) as entries:
            for entry in entries:
                # A file may go between listing and looking.
                with suppress(FileNotFoundError):
                    if entry.is_file(follow_symlinks=False):
                        found[entry.name] = entry.stat(follow_symlinks=False).st_size
        return found

    def open_append(self, name: str) -> int:
        """Open or make a file (0600) for reading and for writing at its end; return the descriptor."""
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        return os.open(name, flags, 0o600, dir_fd=self._descriptor)

    def open_read(self, name: str) -> int:
        """Open a file for reading; return the descriptor."""
        return os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=self._descriptor)

    def is_same(self, name: str, descriptor: int) -> bool:
        """Tell whether the name still belongs to the file that the descriptor has open."""
        facts = self._facts(name)
        return facts is not None and os.path.samestat(facts, os.fstat(descriptor))

    def remove(self, name: str) -> int:
        """Remove a file; return its size, 0 where there is none."""
        size = self.size(name)
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self._descriptor)
        return size or 0

    def move(self, name: str, target: "Folder") -> None:
        """Move a file into another folder under the same name, replacing what is there; durable afterwards."""
        os.rename(name, name, src_dir_fd=self._descriptor, dst_dir_fd=target._descriptor)
        target.sync()
        self.sync()

    def sync(self) -> None:
        """Bring the list of names to the disk."""
        full_sync(self._descriptor)

    def _facts(self, name: str) -> os.stat_result | None:
        try:
            facts = os.stat(name, dir_fd=self._descriptor, follow_symlinks=False)
        except FileNotFoundError:
            return None
        return facts if stat.S_ISREG(facts.st_mode) else None

"""Folders and files that belong to this program alone, written so that a crash cannot tear them."""

import fcntl
import os
import secrets
import shutil
import stat
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import platformdirs

from shardd.host.errors import HostError

TEMPORARY_PREFIX = ".tmp-"
"""How the names of files that `atomic_write` has not yet put in place begin. Debris of a crash, to be swept."""

_LOCK_NAME = ".lock"


def data_directory(override: Path | None = None, environment: Mapping[str, str] = os.environ) -> Path:
    """Return the absolute folder where the agent keeps its data. Creates nothing.

    The first of these that is given: `override` (the command line's `--data`), the variable `SHARDD_DATA`, and
    the system's usual place (`~/Library/Application Support/shardd` on macOS, `~/.local/share/shardd` on Linux).
    """
    if override is None and environment.get("SHARDD_DATA"):
        override = Path(environment["SHARDD_DATA"])
    chosen = override or Path(platformdirs.user_data_dir("shardd", appauthor=False))
    return Path(os.path.abspath(chosen.expanduser()))


def private_directory(path: Path) -> Path:
    """Make `path` a folder that only its owner can enter (mode 0700), with its parents, and return it.

    Raises:
        HostError: it is no folder, is a link, belongs to someone else, is shared on purpose (such as /tmp), or
            cannot be made.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with suppress(FileExistsError):
            os.mkdir(path, 0o700)
        facts = os.lstat(path)
        if not stat.S_ISDIR(facts.st_mode):
            raise HostError(f"{path} is not a folder.", "Move it away, or choose another folder with --data.")
        if facts.st_uid != os.geteuid():
            raise HostError(f"The folder {path} belongs to another user.", "Choose another folder with --data.")
        if facts.st_mode & stat.S_ISVTX:
            raise HostError(f"The folder {path} is shared by all users.", "Choose a folder inside it with --data.")
        if stat.S_IMODE(facts.st_mode) != 0o700:
            os.chmod(path, 0o700)
    except OSError as error:
        raise HostError(
            f"The folder {path} cannot be used: {error.strerror}.",
            "Check its permissions, or choose another folder with --data.",
        ) from error
    return path


def full_sync(descriptor: int) -> None:
    """Bring a file's or a folder's bytes to the disk itself, beyond the drive's own cache.

    On macOS `fsync` stops at the drive; only F_FULLFSYNC (see `man 2 fsync` there) survives a power cut.
    """
    if sys.platform == "darwin":
        # Network and some external volumes do not know F_FULLFSYNC: fsync is the best they have.
        with suppress(OSError):
            fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
            return
    os.fsync(descriptor)


def sync_directory(path: Path) -> None:
    """Bring a folder's list of names to the disk, so that a rename in it survives a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        full_sync(descriptor)
    finally:
        os.close(descriptor)


def write_all(descriptor: int, data: bytes | memoryview) -> None:
    """Write every byte; `os.write` may stop early.

    Raises:
        OSError: as `os.write` does, with some of the bytes possibly written.
    """
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def atomic_write(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Put `data` at `path`: after a crash or a power cut there is the old file or the new one, whole.

    The bytes are never readable by more users than `mode` says, not even for a moment.

    Raises:
        OSError: the folder is missing, the disk is full, and the like. The old file is untouched.
    """
    temporary = path.with_name(f"{TEMPORARY_PREFIX}{secrets.token_hex(8)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    try:
        try:
            # The umask may have taken bits away that the caller asked for.
            os.fchmod(descriptor, mode)
            write_all(descriptor, data)
            full_sync(descriptor)
        finally:
            os.close(descriptor)
        os.replace(temporary, path)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    sync_directory(path.parent)


def read_file(path: Path, limit: int) -> bytes:
    """Read a regular file of at most `limit` bytes. Follows no link in the last place, and never blocks on a pipe.

    Raises:
        OSError: as `open` does; also where the file is larger, or is no regular file.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(f"{path} is not a regular file")
        data = file.read(limit + 1)
    if len(data) > limit:
        raise OSError(f"{path} is larger than {limit} bytes")
    return data


def is_locked(directory: Path) -> bool:
    """Whether a process holds the folder's lock."""
    try:
        with locked(directory, wait=False):
            return False
    except HostError:
        return True
    except OSError:
        return False


@contextmanager
def locked(directory: Path, wait: bool = True) -> Generator[None]:
    """Hold the folder's lock; other processes and threads that ask for it wait. Gone with the process.

    Args:
        directory: an existing folder; a file `.lock` is left in it.
        wait: false refuses at once, for "only one agent on this folder".

    Raises:
        HostError: another process holds the lock, and `wait` is false.
        OSError: the lock file cannot be opened.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(directory / _LOCK_NAME, flags, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise HostError(
                f"Another shardd already uses the folder {directory}.",
                "Stop that one first, or choose another folder with --data.",
            ) from error
        yield
    finally:
        os.close(descriptor)


def disk_free(path: Path) -> int:
    """Return the bytes that this user may still write on the disk of `path`, which need not exist yet.

    Raises:
        OSError: the disk cannot be asked.
    """
    while not path.exists() and path != path.parent:
        path = path.parent
    return shutil.disk_usage(path).free

"""One repository onto this disk: several connections, resumable inside every file, verified, visible only when whole.

    root/.incoming/owner--name/commit          which commit it is
                              /file.part       the file, written at any place
                              /file.done       one line a segment: its number and how many of its bytes are there
                              /file            verified
    root/owner/name/                           the whole model

A file that an earlier version of the model already has here is taken from there.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TypeVar

from huggingface_hub.utils import get_session, hf_raise_for_status

from app.core.errors import ShardboardError
from app.core.library.hub import Hub, HubFile, HubRepository
from app.core.library.hub_errors import HubError, explain
from app.core.text import phrase
from shardd.host import disk_free, format_bytes

CONNECTIONS = 6
SEGMENT_BYTES = 32 << 20
PIECE_BYTES = 1 << 20
STALL_S = 20.0
PAUSES_S = (0.5, 1.0, 2.0, 5.0, 10.0)
SPARE_BYTES = 1 << 30
INCOMING = ".incoming"


Result = TypeVar("Result")


class Stopped(Exception):
    """The download was paused or cancelled."""


@dataclass
class Progress:
    """What a download has done. changed() is called from its threads after each step."""

    changed: Callable[[], None]
    total: int = 0
    done: int = 0
    fetched: int = 0  # of done, what came over the network in this run
    waiting: str = ""  # why nothing comes just now, a sentence
    verifying: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, count: int, *, fetched: bool) -> None:
        with self.lock:
            self.done += count
            self.fetched += count if fetched else 0
            self.waiting = "" if fetched else self.waiting
        self.changed()

    def wait(self, sentence: str) -> None:
        self.waiting = sentence
        self.changed()


class Downloader:
    """stop: set to pause. patient: wait for a lost network for ever, else raise after the last pause."""

    def __init__(
        self, hub: Hub, root: Path, progress: Progress, stop: threading.Event, free: Callable[[Path], int] = disk_free
    ) -> None:
        self._hub = hub
        self._root = root
        self._progress = progress
        self._stop = stop
        self._free = free

    def run(self, repo: str, revision: str | None = None) -> Path:
        """The whole model's folder. Blocks.

        Raises:
            ShardboardError: with a sentence; what is there stays for the next try.
            Stopped: paused.
        """
        repository = self._patiently(lambda: self._hub.repository(repo, revision), repo)
        target, incoming = self._root / repo, self._root / INCOMING / repo.replace("/", "--")
        incoming.mkdir(parents=True, exist_ok=True)
        self._begin(repository, incoming)
        self._take_what_is_here(repository, target, incoming)
        missing = [file for file in repository.files if not self._whole(file, incoming)]
        self._progress.total = repository.bytes
        self._progress.add(sum(file.size for file in repository.files if file not in missing), fetched=False)
        for file in missing:
            self._fetch(repository, file, incoming)
        (incoming / "commit").unlink(missing_ok=True)
        return _move(incoming, target)

    def _begin(self, repository: HubRepository, incoming: Path) -> None:
        """Parts of another commit are of no use, but for files that it left alone."""
        mark = incoming / "commit"
        if mark.is_file() and mark.read_text() != repository.commit:
            for part in (*incoming.rglob("*.part"), *incoming.rglob("*.done")):
                part.unlink()
        mark.write_text(repository.commit)
        unknown = {path for path in incoming.rglob("*") if path.is_file() and path.name != "commit"}
        wanted = {incoming / file.path for file in repository.files}
        for path in unknown:
            if path not in wanted and path.with_suffix("") not in wanted:
                path.unlink()

    def _take_what_is_here(self, repository: HubRepository, target: Path, incoming: Path) -> None:
        for file in repository.files:
            old, new = target / file.path, _inside(incoming, file.path)
            if not new.exists() and old.is_file() and old.stat().st_size == file.size and _matches(old, file):
                new.parent.mkdir(parents=True, exist_ok=True)
                try:
                    os.link(old, new)
                except OSError:
                    shutil.copyfile(old, new)

    def _whole(self, file: HubFile, incoming: Path) -> bool:
        path = _inside(incoming, file.path)
        return path.is_file() and path.stat().st_size == file.size

    def _fetch(self, repository: HubRepository, file: HubFile, incoming: Path) -> None:
        """Once more from the beginning where the content is not what the hub promised; after that it is said."""
        path = _inside(incoming, file.path)
        path.parent.mkdir(parents=True, exist_ok=True)
        part, journal = path.with_name(path.name + ".part"), path.with_name(path.name + ".done")
        for attempt in range(2):
            self._segments(repository, file, part, journal)
            self._progress.verifying = True
            self._progress.changed()
            right = _matches(part, file)
            self._progress.verifying = False
            if right:
                os.replace(part, path)
                journal.unlink(missing_ok=True)
                return
            part.unlink()
            journal.unlink(missing_ok=True)
            self._progress.add(-file.size, fetched=False)
            if attempt:
                raise HubError(
                    phrase(
                        "{path} of {repo} arrived twice with the wrong content.", path=file.path, repo=repository.repo
                    ),
                    phrase("Something between here and the hub changes it. Try another network."),
                )

    def _segments(self, repository: HubRepository, file: HubFile, part: Path, journal: Path) -> None:
        done = _read_journal(journal) if part.is_file() else {}
        already = sum(done.values())
        need = file.size - already
        if need > self._free(part.parent) - SPARE_BYTES:
            lacking = need + SPARE_BYTES - self._free(part.parent)
            raise HubError(
                phrase(
                    "{lacking} of disk space are missing for {repo}.",
                    lacking=format_bytes(lacking),
                    repo=repository.repo,
                ),
                phrase("Free them, then resume."),
            )
        with part.open("ab"):
            pass
        os.truncate(part, file.size)
        self._progress.add(already, fetched=False)
        count = max(1, -(-file.size // SEGMENT_BYTES)) if file.size else 0
        with part.open("r+b", buffering=0) as target, journal.open("ab", buffering=0) as log:
            lock = threading.Lock()
            broken = threading.Event()

            def segment(number: int) -> None:
                first = number * SEGMENT_BYTES
                size = min(SEGMENT_BYTES, file.size - first)
                have = done.get(number, 0)
                while have < size and not broken.is_set():
                    have += self._patiently(partial(once, number, first + have, first + size), repository.repo)

            def once(number: int, start: int, end: int) -> int:
                """Fetches until the connection ends; how many bytes came."""
                got = 0
                headers = self._hub.headers() | {"range": f"bytes={start}-{end - 1}"}
                url = self._hub.url(repository, file.path)
                with get_session().stream("GET", url, headers=headers, timeout=STALL_S, follow_redirects=True) as reply:
                    if reply.status_code >= 400:
                        reply.read()
                    hf_raise_for_status(reply)
                    if reply.status_code != 206 and not (start == 0 and end == file.size):
                        raise HubError(
                            phrase("The hub does not send parts of {path}.", path=file.path),
                            phrase("Is a proxy in between?"),
                        )
                    try:
                        for piece in reply.iter_raw(PIECE_BYTES):
                            if self._stop.is_set() or broken.is_set():
                                raise Stopped
                            piece = piece[: end - start - got]
                            os.pwrite(target.fileno(), piece, start + got)
                            got += len(piece)
                            with lock:
                                log.write(f"{number} {start + got - number * SEGMENT_BYTES}\n".encode())
                            self._progress.add(len(piece), fetched=True)
                    except (Stopped, ShardboardError):
                        raise
                    except OSError as error:
                        if error.errno:  # the disk's; a connection that ends has none
                            raise
                        if not got:
                            raise
                    except Exception:
                        if not got:  # a connection that broke after some bytes: go on from there at once
                            raise
                return got

            with ThreadPoolExecutor(CONNECTIONS) as pool:
                jobs = [pool.submit(segment, number) for number in range(count)]
                try:
                    for job in jobs:
                        job.result()
                except BaseException:
                    broken.set()
                    for job in jobs:
                        job.cancel()
                    raise

    def _patiently(self, work: Callable[[], Result], repo: str) -> Result:
        """Does the work; while the network or the hub is away, again and again, until stopped."""
        tries = 0
        while True:
            if self._stop.is_set():
                raise Stopped
            try:
                return work()
            except Stopped:
                raise
            except Exception as error:
                told = explain(error, repo, self._hub.page(repo))
                if not (isinstance(told, HubError) and told.temporary):
                    raise told from error
                self._progress.wait(str(told))
                pause = _asked_pause(error) or PAUSES_S[min(tries, len(PAUSES_S) - 1)]
                tries += 1
                if self._stop.wait(pause):
                    raise Stopped from None


def _asked_pause(error: BaseException) -> float | None:
    """How long the hub asks us to wait, at most a minute."""
    response = getattr(error, "response", None)
    with contextlib.suppress(AttributeError, KeyError, TypeError, ValueError):
        return min(60.0, float(response.headers["retry-after"]))  # type: ignore[union-attr]
    return None


def _read_journal(journal: Path) -> dict[int, int]:
    """Segment to bytes that are there; a last line that was cut off counts for nothing."""
    done: dict[int, int] = {}
    with contextlib.suppress(OSError):
        for line in journal.read_text().splitlines(keepends=True):
            number, _, count = line.partition(" ")
            if line.endswith("\n") and number.isdigit() and count.strip().isdigit():
                done[int(number)] = min(int(count), SEGMENT_BYTES)
    return done


def _matches(path: Path, file: HubFile) -> bool:
    """Whether the content has the hash that the hub says; true where it says none."""
    if not file.sha256 and not file.git_sha1:
        return path.stat().st_size == file.size
    hasher = hashlib.sha256() if file.sha256 else hashlib.sha1(f"blob {file.size}\0".encode(), usedforsecurity=False)
    with path.open("rb", buffering=0) as stream:
        buffer = bytearray(PIECE_BYTES)
        while count := stream.readinto(buffer):
            hasher.update(memoryview(buffer)[:count])
    return hasher.hexdigest() == (file.sha256 or file.git_sha1)


def _inside(folder: Path, name: str) -> Path:
    """A file of the repository in a folder; names come from the net and may not lead out of it."""
    pure = PurePosixPath(name)
    if pure.is_absolute() or ".." in pure.parts or len(pure.parts) > 4:
        raise HubError(phrase("The repository has a file with the impossible name {name!r}.", name=name[:80]))
    return folder / pure


def _move(incoming: Path, target: Path) -> Path:
    """Puts the whole model in its place; an older version gives way."""
    target.parent.mkdir(parents=True, exist_ok=True)
    old = incoming.with_name(f"{incoming.name}.old-{time.time_ns()}")
    if target.exists():
        os.replace(target, old)
    os.replace(incoming, target)
    shutil.rmtree(old, ignore_errors=True)
    return target

"""The queue of downloads: one at a time, remembered on disk, taken up again by the next program."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from app.core.errors import ShardboardError
from app.core.library.download import INCOMING, Downloader, Progress, Stopped
from app.core.library.hub import Hub, repository_name
from app.core.text import phrase
from shardd.host import atomic_write, format_bytes

SHOW_S = 0.1
RATE_S = 5.0
WRITE_S = 3.0
WAITING = phrase("Waiting for its turn.")
UNDER_WAY = ("queued", "running", "waiting", "verifying")


@dataclass(frozen=True, slots=True)
class Download:
    """One download as it stands. state: "queued", "running", "waiting", "verifying", "paused", "done" or "failed".

    text is a sentence; fetched_bytes what came over the network since the program started.
    """

    repo: str
    revision: str | None = None
    state: str = "queued"
    done_bytes: int = 0
    total_bytes: int = 0
    fetched_bytes: int = 0
    bytes_per_s: float | None = None
    seconds_left: float | None = None
    text: str = WAITING

    @property
    def under_way(self) -> bool:
        return self.state in UNDER_WAY


class DownloadQueue:
    """Runs on the controller's loop. on_change is called there, ten times a second at most.

    file: where the queue is kept. root: where models go. on_here: called when a model has arrived.
    """

    def __init__(
        self, hub: Hub, root: Path, file: Path, on_change: Callable[[], None], on_here: Callable[[], None]
    ) -> None:
        self._hub = hub
        self._root = root
        self._file = file
        self._on_change = on_change
        self._on_here = on_here
        self._downloads: dict[str, Download] = {}
        self._stops: dict[str, threading.Event] = {}
        self._paused: set[str] = set()
        self._running: asyncio.Task[None] | None = None
        self._closed = False
        self._written_at = 0.0
        self._read()

    @property
    def downloads(self) -> tuple[Download, ...]:
        return tuple(self._downloads.values())

    def start(self) -> None:
        """Goes on with what was queued or running when the program ended."""
        self._next()

    def pull(self, text: str, revision: str | None = None) -> Download:
        """Queues a download, or takes a paused or failed one up again. Raises ShardboardError for a wrong name."""
        repo = repository_name(text)
        if repo is None:
            raise ShardboardError(
                phrase('"{text}" is not the name of a model on the hub.', text=text), "Write it as owner/name."
            )
        known = self._downloads.get(repo)
        self._paused.discard(repo)
        if known is None or known.state == "done":
            self._set(Download(repo, revision))
        elif not known.under_way:
            self._set(replace(known, state="queued", text=WAITING))
        self._next()
        return self._downloads[repo]

    def pause(self, repo: str) -> None:
        """Ends it for now; what came is kept, and the next in the queue begins."""
        stop = self._stops.get(repo)
        if stop:
            self._paused.add(repo)
            stop.set()
        elif (known := self._downloads.get(repo)) and known.state == "queued":
            self._set(replace(known, state="paused", text=phrase("Paused.")))

    async def cancel(self, repo: str) -> None:
        """Ends a download, deletes what has come of it and takes it off the list."""
        self.pause(repo)
        while repo in self._stops:
            await asyncio.sleep(0.02)
        self._downloads.pop(repo, None)
        incoming = self._root / INCOMING / repo.replace("/", "--")
        await asyncio.to_thread(shutil.rmtree, incoming, ignore_errors=True)
        self._write()
        self._on_change()

    def clear_done(self) -> None:
        """Takes what has arrived off the list; the models stay."""
        self._downloads = {repo: each for repo, each in self._downloads.items() if each.state != "done"}
        self._write()
        self._on_change()

    async def finished(self, repo: str) -> Download:
        """The download once it has ended in some way or was paused."""
        while self._downloads[repo].under_way:
            await asyncio.sleep(0.05)
        return self._downloads[repo]

    async def close(self) -> None:
        """Stops downloads where they are; they are taken up again by the next program."""
        self._closed = True
        for stop in self._stops.values():
            stop.set()
        if self._running:
            await asyncio.gather(self._running, return_exceptions=True)

    # -- inside ------------------------------------------------------------------------------------------------------

    def _next(self) -> None:
        if self._closed or (self._running and not self._running.done()):
            return
        queued = next((each for each in self._downloads.values() if each.state == "queued"), None)
        if queued:
            self._running = asyncio.get_running_loop().create_task(self._run(queued), name=f"download-{queued.repo}")

    async def _run(self, download: Download) -> None:
        loop, repo = asyncio.get_running_loop(), download.repo
        stop = self._stops[repo] = threading.Event()
        meter = _Meter(lambda progress: self._show(repo, progress))
        progress = Progress(lambda: meter.moved(loop, progress))
        self._set(replace(download, state="running", text=phrase("Asking the hub.")))
        worker = Downloader(self._hub, self._root, progress, stop)
        try:
            await asyncio.to_thread(worker.run, repo, download.revision)
        except Stopped:
            # Stopped by the end of the program, it is still wanted.
            asked = repo in self._paused
            self._end(repo, "paused" if asked else "queued", phrase("Paused.") if asked else WAITING)
        except ShardboardError as error:
            self._end(repo, "failed", str(error))
        except OSError as error:
            self._end(
                repo,
                "failed",
                phrase("{repo} cannot be saved: {strerror}.", repo=repo, strerror=error.strerror or error),
            )
        else:
            text = phrase(
                "{repo} is here: {total}, {fetched} of it fetched now.",
                repo=repo,
                total=format_bytes(progress.total),
                fetched=format_bytes(progress.fetched),
            )
            self._downloads[repo] = replace(
                self._downloads[repo],
                done_bytes=progress.total,
                total_bytes=progress.total,
                fetched_bytes=progress.fetched,
            )
            self._end(repo, "done", text)
            self._on_here()
        finally:
            self._paused.discard(repo)
            del self._stops[repo]
        loop.call_soon(self._next)

    def _end(self, repo: str, state: str, text: str) -> None:
        self._set(replace(self._downloads[repo], state=state, text=text, bytes_per_s=None, seconds_left=None))

    def _show(self, repo: str, meter: _Meter) -> None:
        known, progress = self._downloads.get(repo), meter.progress
        if known is None or progress is None or repo not in self._stops or not progress.total:
            return
        rate = meter.rate
        left = (progress.total - progress.done) / rate if rate else None
        state = "waiting" if progress.waiting else "verifying" if progress.verifying else "running"
        text = progress.waiting or (phrase("Checking what came.") if progress.verifying else phrase("Downloading."))
        self._downloads[repo] = replace(
            known,
            state=state,
            text=text,
            done_bytes=progress.done,
            total_bytes=progress.total,
            fetched_bytes=progress.fetched,
            bytes_per_s=rate if state == "running" else None,
            seconds_left=left if state == "running" else None,
        )
        if time.monotonic() - self._written_at > WRITE_S:  # so that a killed program remembers about how far it was
            self._write()
        self._on_change()

    def _set(self, download: Download) -> None:
        self._downloads[download.repo] = download
        self._write()
        self._on_change()

    def _read(self) -> None:
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
            rows: list[dict[str, Any]] = json.loads(self._file.read_text())
            for row in rows:
                download = Download(**row)
                if download.under_way:
                    download = replace(download, state="queued", text=WAITING)
                self._downloads[download.repo] = replace(download, bytes_per_s=None, seconds_left=None)

    def _write(self) -> None:
        self._written_at = time.monotonic()
        rows = [asdict(download) for download in self._downloads.values()]
        with contextlib.suppress(OSError):  # a full disk is told by the download that fills it
            atomic_write(self._file, json.dumps(rows).encode())


class _Meter:
    """Rate over the last seconds; passes word on to the loop ten times a second at most."""

    def __init__(self, show: Callable[[_Meter], None]) -> None:
        self._show = show
        self._shown = 0.0
        self._marks: list[tuple[float, int]] = []
        self.progress: Progress | None = None

    @property
    def rate(self) -> float | None:
        if len(self._marks) < 2 or self._marks[-1][0] - self._marks[0][0] < SHOW_S:
            return None
        return (self._marks[-1][1] - self._marks[0][1]) / (self._marks[-1][0] - self._marks[0][0])

    def moved(self, loop: asyncio.AbstractEventLoop, progress: Progress) -> None:
        """From any thread."""
        now = time.monotonic()
        if now - self._shown < SHOW_S and not progress.waiting:
            return
        self._shown, self.progress = now, progress
        self._marks = [mark for mark in self._marks if now - mark[0] < RATE_S] + [(now, progress.fetched)]
        with contextlib.suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(self._show, self)

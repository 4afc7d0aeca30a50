"""The models of this controller: what is on its disk, what is being downloaded, and the hub."""

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
from app.core.library.download import Downloader, Progress, Stopped
from app.core.library.hub import Hub, HubModel, repository_name
from app.core.library.models import FoundModel, find_models, resolve_model
from app.core.library.tokens import TokenStore
from app.core.paths import ControllerPaths
from shardd.host import atomic_write, format_bytes

SHOW_S = 0.1
RATE_S = 5.0
DOWNLOADED = "Shardboard"


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
    text: str = "Waiting for its turn."


class Library:
    """Runs on the controller's loop. on_change is called there, ten times a second at most.

    What is queued or paused is remembered: start() takes it up again.
    """

    def __init__(self, paths: ControllerPaths, on_change: Callable[[], None], hub: Hub | None = None) -> None:
        self._paths = paths
        self._on_change = on_change
        self.tokens = TokenStore(paths.data / "hub-token")
        self.hub = hub or Hub(self.tokens.get)
        self._downloads: dict[str, Download] = {}
        self._stops: dict[str, threading.Event] = {}
        self._running: asyncio.Task[None] | None = None
        self._read()

    # -- on this disk ------------------------------------------------------------------------------------------------

    @property
    def root(self) -> Path:
        """Where downloads go: owner/name, as other programs for models have it."""
        return self._paths.models

    @property
    def headers(self) -> Path:
        """Where descriptions of models on the hub are kept."""
        return self._paths.headers

    def folders(self) -> tuple[Path, ...]:
        """Folders that the user added."""
        with contextlib.suppress(OSError, ValueError):
            return tuple(Path(each) for each in json.loads(self._paths.model_folders.read_text()))
        return ()

    def models(self) -> tuple[FoundModel, ...]:
        """Every model on this disk. Blocks a little."""
        return find_models(self.folders(), self.root)

    def resolve(self, name_or_directory: str) -> Path:
        """As resolve_model, of everything that models() finds."""
        return resolve_model(name_or_directory, self.folders(), self.root)

    def add_folder(self, folder: Path) -> tuple[FoundModel, ...]:
        """Looks for models in a folder from now on; those that are there. Raises ShardboardError."""
        folder = folder.expanduser().absolute()
        if not folder.is_dir():
            raise ShardboardError(
                f"{folder} is not a folder.", "Name the folder of a model, or one that holds several."
            )
        found = tuple(model for model in find_models((folder,)) if model.directory.is_relative_to(folder))
        if not found:
            raise ShardboardError(f"{folder} holds no model.", "Name a folder with config.json and *.safetensors.")
        self._write_folders((*(each for each in self.folders() if each != folder), folder))
        return found

    def remove(self, name: str) -> str:
        """Deletes a model that was downloaded here, or forgets an added folder; what was done, as a sentence.

        Raises:
            ShardboardError: it belongs to another program, or is not here.
        """
        directory = self.resolve(name)
        if directory.is_relative_to(self.root):
            size = sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())
            shutil.rmtree(directory)
            with contextlib.suppress(OSError):
                directory.parent.rmdir()
            return f"{name} was deleted; {format_bytes(size)} are free again."
        for folder in self.folders():
            if directory.is_relative_to(folder):
                self._write_folders(tuple(each for each in self.folders() if each != folder))
                return f"{folder} is not looked into any more. Nothing in it was deleted."
        raise ShardboardError(
            f"{directory.name} was not downloaded by Shardboard and is left alone.", "Delete it where it came from."
        )

    # -- the hub -----------------------------------------------------------------------------------------------------

    async def search(self, words: str) -> tuple[HubModel, ...]:
        """Models on the hub. Raises ShardboardError."""
        return await asyncio.to_thread(self.hub.search, words)

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
            raise ShardboardError(f'"{text}" is not the name of a model on the hub.', "Write it as owner/name.")
        known = self._downloads.get(repo)
        if known is None or known.state in ("paused", "failed", "done"):
            self._set(replace(known or Download(repo, revision), state="queued", text="Waiting for its turn."))
        self._next()
        return self._downloads[repo]

    def pause(self, repo: str) -> None:
        stop = self._stops.get(repo)
        if stop:
            stop.set()
        elif (known := self._downloads.get(repo)) and known.state == "queued":
            self._set(replace(known, state="paused", text="Paused."))

    async def cancel(self, repo: str) -> None:
        """Ends a download and deletes what has come of it."""
        self.pause(repo)
        while repo in self._stops:
            await asyncio.sleep(0.02)
        self._downloads.pop(repo, None)
        shutil.rmtree(self.root / ".incoming" / repo.replace("/", "--"), ignore_errors=True)
        self._write()
        self._on_change()

    async def finished(self, repo: str) -> Download:
        """The download once it has ended in some way or was paused."""
        while self._downloads[repo].state not in ("done", "failed", "paused"):
            await asyncio.sleep(0.05)
        return self._downloads[repo]

    async def close(self) -> None:
        """Stops downloads where they are; they are taken up again by the next program."""
        for stop in self._stops.values():
            stop.set()
        if self._running:
            await asyncio.gather(self._running, return_exceptions=True)

    # -- inside ------------------------------------------------------------------------------------------------------

    def _next(self) -> None:
        if self._running and not self._running.done():
            return
        queued = next((each for each in self._downloads.values() if each.state == "queued"), None)
        if queued:
            self._running = asyncio.get_running_loop().create_task(self._run(queued), name=f"download-{queued.repo}")

    async def _run(self, download: Download) -> None:
        loop = asyncio.get_running_loop()
        stop = self._stops[download.repo] = threading.Event()
        meter = _Meter(lambda progress: self._show(download.repo, progress))
        progress = Progress(lambda: meter.moved(loop, progress))
        self._set(replace(download, state="running", text="Asking the hub."))
        worker = Downloader(self.hub, self.root, progress, stop)
        try:
            await asyncio.to_thread(worker.run, download.repo, download.revision)
        except Stopped:
            self._set(replace(self._downloads[download.repo], state="paused", text="Paused.", bytes_per_s=None))
        except ShardboardError as error:
            self._set(replace(self._downloads[download.repo], state="failed", text=str(error), bytes_per_s=None))
        except OSError as error:
            sentence = f"{download.repo} cannot be saved: {error.strerror or error}."
            self._set(replace(self._downloads[download.repo], state="failed", text=sentence, bytes_per_s=None))
        else:
            size = format_bytes(progress.total)
            known = self._downloads[download.repo]
            text = f"{download.repo} is here: {size}, {format_bytes(progress.fetched)} of it fetched now."
            self._set(
                replace(
                    known,
                    state="done",
                    text=text,
                    done_bytes=progress.total,
                    total_bytes=progress.total,
                    fetched_bytes=progress.fetched,
                    bytes_per_s=None,
                )
            )
        finally:
            del self._stops[download.repo]
        loop.call_soon(self._next)

    def _show(self, repo: str, meter: _Meter) -> None:
        known, progress = self._downloads.get(repo), meter.progress
        if known is None or progress is None or repo not in self._stops:
            return
        rate = meter.rate
        left = (progress.total - progress.done) / rate if rate else None
        state = "waiting" if progress.waiting else "verifying" if progress.verifying else "running"
        text = progress.waiting or ("Checking what came." if progress.verifying else "Downloading.")
        self._downloads[repo] = replace(
            known,
            state=state,
            text=text,
            done_bytes=progress.done,
            total_bytes=progress.total,
            fetched_bytes=progress.fetched,
            bytes_per_s=None if progress.waiting else rate,
            seconds_left=None if progress.waiting else left,
        )
        self._on_change()

    def _set(self, download: Download) -> None:
        self._downloads[download.repo] = download
        self._write()
        self._on_change()

    def _read(self) -> None:
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
            rows: list[dict[str, Any]] = json.loads(self._paths.downloads.read_text())
            for row in rows:
                download = Download(**row)
                if download.state in ("running", "waiting", "verifying"):
                    download = replace(download, state="queued", text="Waiting for its turn.")
                self._downloads[download.repo] = replace(download, bytes_per_s=None, seconds_left=None)

    def _write(self) -> None:
        rows = [asdict(download) for download in self._downloads.values()]
        atomic_write(self._paths.downloads, json.dumps(rows).encode())

    def _write_folders(self, folders: tuple[Path, ...]) -> None:
        atomic_write(self._paths.model_folders, json.dumps([str(folder) for folder in folders]).encode())


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

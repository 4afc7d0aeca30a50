"""The models of this controller: what is on its disk, what is being downloaded or converted, and the hub."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

from app.core.errors import ShardboardError
from app.core.library.conversions import Conversion, Conversions
from app.core.library.download import INCOMING
from app.core.library.hub import FIRST, Hub, HubModel, repository_name
from app.core.library.models import FoundModel, find_models, resolve_model
from app.core.library.queue import Download, DownloadQueue
from app.core.library.tokens import TokenStore
from app.core.library.view import LibraryView, Removal
from app.core.paths import ControllerPaths
from app.core.settings.store import read_settings
from app.core.text import phrase
from shardd.host import atomic_write, disk_free, format_bytes

__all__ = ["Conversion", "Download", "FoundModel", "Library", "LibraryView", "Removal"]


class Library:
    """Runs on the controller's loop. on_change is called there, ten times a second at most.

    What is queued or paused is remembered: start() takes it up again.
    """

    def __init__(self, paths: ControllerPaths, on_change: Callable[[], None], hub: Hub | None = None) -> None:
        self._paths = paths
        self._on_change = on_change
        chosen = read_settings(paths.preferences).settings.downloads_folder
        # A folder that is not there, such as on a disk that is not plugged in, must not be made anew in its place.
        self._root = Path(chosen) if chosen and Path(chosen).is_dir() else paths.models
        self.tokens = TokenStore(paths.data / "hub-token")
        self.hub = hub or Hub(self.tokens.get)
        self.queue = DownloadQueue(self.hub, self.root, paths.downloads, self._changed, self._arrived)
        self.conversions = Conversions(self.root, self._changed, self._arrived)
        self._models: tuple[FoundModel, ...] = ()
        self._folders: tuple[Path, ...] = ()
        self._free: int | None = None
        self._looked = False
        self._looking: set[asyncio.Task[None]] = set()
        self._watchers: set[asyncio.Event] = set()

    # -- what is shown -----------------------------------------------------------------------------------------------

    @property
    def view(self) -> LibraryView:
        rows = self.downloads, self.conversions.all
        return LibraryView(self._models, *rows, self._folders, self.root, self._free, self._looked)

    async def watch(self) -> AsyncIterator[LibraryView]:
        """The view now, and again after every change; the latest always."""
        changed = asyncio.Event()
        self._watchers.add(changed)
        try:
            while True:
                changed.clear()
                yield self.view
                await changed.wait()
        finally:
            self._watchers.discard(changed)

    async def add(self, folder: Path) -> tuple[FoundModel, ...]:
        """As add_folder, and looks at the disk again."""
        found = await asyncio.to_thread(self.add_folder, folder)
        await self.look()
        return found

    async def look_at_removal(self, name_or_directory: str) -> Removal:
        """As removal, without blocking."""
        return await asyncio.to_thread(self.removal, name_or_directory)

    async def delete(self, name_or_directory: str) -> str:
        """As remove, and looks at the disk again."""
        done = await asyncio.to_thread(self.remove, name_or_directory)
        await self.look()
        return done

    async def look(self) -> tuple[FoundModel, ...]:
        """Looks at the disk again; what is on it."""
        found = await asyncio.to_thread(self.models)
        self._models = tuple(replace(model, directory=model.directory.resolve()) for model in found)
        self._folders = await asyncio.to_thread(self.folders)
        self._free = await asyncio.to_thread(self._disk_free)
        self._looked = True
        self._changed()
        return self._models

    # -- on this disk ------------------------------------------------------------------------------------------------

    @property
    def root(self) -> Path:
        """Where downloads go: owner/name, as other programs for models have it. As the settings had it at the start."""
        return self._root

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
        return find_models(self.folders(), self.root, self._paths.models)

    def resolve(self, name_or_directory: str) -> Path:
        """As resolve_model, of everything that models() finds."""
        return resolve_model(name_or_directory, self.folders(), self.root, self._paths.models)

    def add_folder(self, folder: Path) -> tuple[FoundModel, ...]:
        """Looks for models in a folder from now on; those that are there. Raises ShardboardError."""
        folder = folder.expanduser().absolute()
        if not folder.is_dir():
            raise ShardboardError(
                phrase("{folder} is not a folder.", folder=folder),
                "Name the folder of a model, or one that holds several.",
            )
        found = tuple(model for model in find_models((folder,)) if model.directory.is_relative_to(folder))
        if not found:
            raise ShardboardError(
                phrase("{folder} holds no model.", folder=folder), "Name a folder with config.json and *.safetensors."
            )
        self._write_folders((*(each for each in self.folders() if each != folder), folder))
        return found

    def removal(self, name: str) -> Removal:
        """What remove(name) would do; nothing is touched. Blocks. Raises ShardboardError where it is not here."""
        directory = self.resolve(name)
        if self._ours(directory):
            size = sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())
            return Removal("delete", size, phrase("{size} will be deleted from this disk.", size=format_bytes(size)))
        folder = self._added(directory)
        if folder:
            count = sum(model.directory.is_relative_to(folder.resolve()) for model in self._models)
            others = phrase(" Its {count} models leave this list.", count=count) if count > 1 else ""
            return Removal(
                "forget",
                0,
                phrase(
                    "{folder} will not be looked into any more.{others} Nothing in it is deleted.",
                    folder=folder,
                    others=others,
                ),
            )
        return Removal(
            "none",
            0,
            phrase(
                "{name} was not downloaded by Shardboard and is left alone. Delete it where it came from.",
                name=directory.name,
            ),
        )

    def remove(self, name: str) -> str:
        """Deletes a model that was downloaded or made here, or forgets an added folder; what was done, as a sentence.

        Raises:
            ShardboardError: it belongs to another program, or is not here.
        """
        directory = self.resolve(name)
        if self._ours(directory):
            size = sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())
            shutil.rmtree(directory)
            with contextlib.suppress(OSError):
                directory.parent.rmdir()
            shown = next((model.name for model in self._models if model.directory == directory), name)
            return phrase("{shown} was deleted; {size} are free again.", shown=shown, size=format_bytes(size))
        folder = self._added(directory)
        if folder:
            self._write_folders(tuple(each for each in self.folders() if each != folder))
            return phrase("{folder} is not looked into any more. Nothing in it was deleted.", folder=folder)
        raise ShardboardError(
            phrase("{name} was not downloaded by Shardboard and is left alone.", name=directory.name),
            "Delete it where it came from.",
        )

    async def forget_folder(self, folder: Path) -> None:
        """Looks into an added folder no more, and at the disk again. Nothing is deleted."""
        await asyncio.to_thread(self._write_folders, tuple(each for each in self.folders() if each != folder))
        await self.look()

    def _ours(self, directory: Path) -> bool:
        """Whether it lies as root/owner/name."""
        roots = (self.root.resolve(), self._paths.models.resolve())
        inside = directory.resolve()
        return inside.parent.parent in roots and inside.parent.name != INCOMING

    def _added(self, directory: Path) -> Path | None:
        """The added folder that it lies in."""
        return next((folder for folder in self.folders() if directory.is_relative_to(folder.resolve())), None)

    # -- the hub -----------------------------------------------------------------------------------------------------

    async def search(self, words: str) -> tuple[HubModel, ...]:
        """Models on the hub. Raises ShardboardError."""
        return await asyncio.to_thread(self.hub.search, words)

    async def search_stepwise(self, words: str) -> AsyncIterator[tuple[HubModel, ...]]:
        """The list so far, as it comes: models made for MLX first, then everybody's. No words: the most downloaded
        ones for MLX. Raises ShardboardError; what came before it holds."""
        found: dict[str, HubModel] = {}
        exact = repository_name(words)
        for author in (None,) if exact else (FIRST, None) if words.strip() else (FIRST,):
            for each in await asyncio.to_thread(self.hub.search_one, words.strip(), author):
                found.setdefault(each.repo, each)
            yield tuple(found.values())

    @property
    def downloads(self) -> tuple[Download, ...]:
        return self.queue.downloads

    def start(self) -> None:
        """Goes on with what was queued or running when the program ended."""
        self.queue.start()

    def pull(self, text: str, revision: str | None = None) -> Download:
        """As DownloadQueue.pull."""
        return self.queue.pull(text, revision)

    def pause(self, repo: str) -> None:
        """As DownloadQueue.pause."""
        self.queue.pause(repo)

    async def cancel(self, repo: str) -> None:
        """As DownloadQueue.cancel."""
        await self.queue.cancel(repo)

    async def finished(self, repo: str) -> Download:
        """As DownloadQueue.finished."""
        return await self.queue.finished(repo)

    async def convert(self, name_or_directory: str, bits: int) -> None:
        """Begins a quantised copy; how it goes is in the view. Raises ShardboardError."""
        source = await asyncio.to_thread(self.resolve, name_or_directory)
        name = next((model.name for model in self._models if model.directory == source), source.name)
        self.conversions.begin(name, source, bits)

    def clear_done(self) -> None:
        """Takes what is done off the lists of downloads and conversions; the models stay."""
        self.queue.clear_done()
        self.conversions.clear_done()

    async def close(self) -> None:
        """Stops downloads where they are, to be taken up again by the next program; ends conversions."""
        await asyncio.gather(self.queue.close(), self.conversions.close(), *self._looking, return_exceptions=True)

    # -- inside ------------------------------------------------------------------------------------------------------

    def _arrived(self) -> None:
        task = asyncio.get_running_loop().create_task(self._look_quietly(), name="look-at-models")
        self._looking.add(task)
        task.add_done_callback(self._looking.discard)

    async def _look_quietly(self) -> None:
        with contextlib.suppress(OSError):
            await self.look()

    def _disk_free(self) -> int | None:
        with contextlib.suppress(OSError):
            return disk_free(self.root if self.root.exists() else self._paths.data)
        return None

    def _changed(self) -> None:
        for changed in self._watchers:
            changed.set()
        self._on_change()

    def _write_folders(self, folders: tuple[Path, ...]) -> None:
        atomic_write(self._paths.model_folders, json.dumps([str(folder) for folder in folders]).encode())

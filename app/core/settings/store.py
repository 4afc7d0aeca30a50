"""Settings on disk: one JSON file, written whole, read by the window and the command line alike."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from app.core.errors import ShardboardError
from app.core.paths import ControllerPaths
from app.core.settings.settings import Settings, change, from_table, to_table
from app.core.text import joined, phrase
from app.core.watching import Watched
from shardd.host import atomic_write, read_file

LARGEST_FILE = 1 << 20
DAMAGED = ".damaged"


@dataclass(frozen=True, slots=True)
class Found:
    """What a file holds. problem: what was wrong with it, in sentences; "" where nothing was. table: as it stands
    there. damaged: the file as a whole cannot be read."""

    settings: Settings = field(default_factory=Settings)
    problem: str = ""
    table: Mapping[str, object] | None = None
    damaged: bool = False


def read_settings(file: Path) -> Found:
    """The settings in a file; the usual ones where there is none. Changes nothing, raises nothing."""
    try:
        table: Any = json.loads(read_file(file, LARGEST_FILE))
    except FileNotFoundError:
        return Found()
    except (OSError, ValueError, RecursionError) as error:
        why = (
            error.strerror
            if isinstance(error, OSError) and error.strerror
            else phrase("it is not what Shardboard wrote")
        )
        return Found(
            problem=phrase(
                "The settings in {file} could not be read ({why}). The usual ones are in force.", file=file, why=why
            ),
            damaged=True,
        )
    if not isinstance(table, dict):
        return Found(
            problem=phrase("The file {file} holds no settings. The usual ones are in force.", file=file), damaged=True
        )
    known = cast("dict[str, object]", table)
    settings, problems = from_table(known)
    return Found(
        settings, joined(phrase("In {file}: {problem}", file=file.name, problem=each) for each in problems), known
    )


def write_change(file: Path, changes: Mapping[str, object]) -> Settings:
    """Puts these values into the file, which may have been changed by another program since it was read.

    A damaged file is set aside first, beside it. Raises ShardboardError, and then nothing was changed.
    """
    found = read_settings(file)
    settings = change(found.settings, changes)
    try:
        if found.damaged:
            os.replace(file, file.with_name(file.name + DAMAGED))
        table = to_table(settings, found.table or {})
        atomic_write(file, json.dumps(table, indent=1, ensure_ascii=False).encode())
    except OSError as error:
        raise ShardboardError(
            phrase(
                "The settings could not be written to {file}: {strerror}.", file=file, strerror=error.strerror or error
            ),
            "Nothing was changed.",
        ) from None
    return settings


def first_start_due(paths: ControllerPaths) -> bool:
    """Whether nobody has seen or skipped the first start here, nor added a machine without it."""
    return not read_settings(paths.preferences).settings.first_start_done and not paths.nodes.exists()


@dataclass(frozen=True, slots=True)
class SettingsView:
    """problem: what was wrong with the file when it was read; "" where nothing was."""

    settings: Settings
    problem: str


class SettingsDesk:
    """The settings in force, on the controller's loop. on_change(settings) after each change."""

    def __init__(self, file: Path, on_change: Callable[[Settings], None]) -> None:
        found = read_settings(file)
        self.file = file
        self.now = found.settings
        self.problem = found.problem
        self._on_change = on_change
        self._watched = Watched(lambda: SettingsView(self.now, self.problem))
        self._writing = asyncio.Lock()

    def watch(self) -> AsyncIterator[SettingsView]:
        """The settings now, and again after every change."""
        return self._watched.watch()

    async def change(self, **changes: object) -> Settings:
        """Writes these values and puts them in force. Raises ShardboardError, and then nothing was changed."""
        async with self._writing:
            return await self._put(changes)

    async def reserve(self, machine: str, size: int) -> Settings:
        """Keeps so many bytes free on a machine; 0 for none. Raises ShardboardError."""
        async with self._writing:
            others = {name: kept for name, kept in self.now.memory_reserves.items() if name != machine}
            return await self._put({"memory_reserves": {**others, machine: size} if size else others})

    async def _put(self, changes: Mapping[str, object]) -> Settings:
        before = self.now
        self.now = await asyncio.to_thread(write_change, self.file, changes)
        self.problem = ""
        self._watched.changed()
        if self.now != before:
            self._on_change(self.now)
        return self.now

"""Quantised copies that are being made: one at a time, each in a process of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from app.core.errors import SentenceError, ShardboardError
from app.core.library.convert import convert
from app.core.text import phrase
from shardd.host import format_bytes

SHOW_S = 0.1


@dataclass(frozen=True, slots=True)
class Conversion:
    """A copy of `source` with weights of `bits`. state: "queued", "running", "done" or "failed"; text is a sentence."""

    name: str
    source: Path
    bits: int
    state: str = "queued"
    done_bytes: int = 0
    total_bytes: int = 0
    text: str = phrase("Waiting for its turn.")

    @property
    def under_way(self) -> bool:
        return self.state in ("queued", "running")


class Conversions:
    """Runs on the controller's loop. A copy that is not whole when the program ends is gone; nothing else is lost.

    root: where models go. on_here: called when a copy is there.
    """

    def __init__(self, root: Path, on_change: Callable[[], None], on_here: Callable[[], None]) -> None:
        self._root = root
        self._on_change = on_change
        self._on_here = on_here
        self._rows: dict[tuple[Path, int], Conversion] = {}
        self._tasks: dict[tuple[Path, int], asyncio.Task[None]] = {}
        self._turn = asyncio.Lock()
        self._shown_at = 0.0

    @property
    def all(self) -> tuple[Conversion, ...]:
        return tuple(self._rows.values())

    def begin(self, name: str, source: Path, bits: int) -> None:
        """Queues a copy. Raises ShardboardError where it is being made already."""
        key = (source, bits)
        known = self._rows.get(key)
        if known and known.under_way:
            raise ShardboardError(
                phrase("A {bits}-bit copy of {name} is being made already.", bits=bits, name=name),
                "Wait until it is there.",
            )
        self._rows[key] = Conversion(name, source, bits)
        self._tasks[key] = asyncio.get_running_loop().create_task(self._run(key), name=f"convert-{name}-{bits}")
        self._on_change()

    async def cancel(self, source: Path, bits: int) -> None:
        """Ends it, or takes an ended one off the list; nothing of the copy stays."""
        task = self._tasks.pop((source, bits), None)
        if task:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        self._rows.pop((source, bits), None)
        self._on_change()

    def clear_done(self) -> None:
        self._rows = {key: row for key, row in self._rows.items() if row.state != "done"}
        self._on_change()

    async def close(self) -> None:
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _run(self, key: tuple[Path, int]) -> None:
        source, bits = key
        try:
            async with self._turn:
                self._set(key, replace(self._rows[key], state="running", text=phrase("Reading the model.")))
                made = await convert(source, self._root, bits, lambda done, total: self._show(key, done, total))
                size = await asyncio.to_thread(lambda: sum(file.stat().st_size for file in made.glob("*.safetensors")))
        except SentenceError as error:
            self._set(key, replace(self._rows[key], state="failed", text=str(error)))
        except OSError as error:
            text = phrase("The copy cannot be saved: {strerror}.", strerror=error.strerror or error)
            self._set(key, replace(self._rows[key], state="failed", text=text))
        else:
            text = phrase(
                "{name}/{name_2} is here: {size}.", name=made.parent.name, name_2=made.name, size=format_bytes(size)
            )
            self._set(key, replace(self._rows[key], state="done", text=text))
            self._on_here()
        self._tasks.pop(key, None)

    def _show(self, key: tuple[Path, int], done: int, total: int) -> None:
        now = asyncio.get_running_loop().time()
        row = replace(self._rows[key], done_bytes=done, total_bytes=total, text=phrase("Converting."))
        self._rows[key] = row
        if now - self._shown_at >= SHOW_S or done == total:
            self._shown_at = now
            self._on_change()

    def _set(self, key: tuple[Path, int], row: Conversion) -> None:
        self._rows[key] = row
        self._on_change()

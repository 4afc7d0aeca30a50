"""How a growing message is parsed without reading all of it again, and never for long at a stretch. No Qt.

    text so far    # Title ⏎ words words ⏎ ⏎ ```py ⏎ x = 1 …
                   └─── closed: frozen ────┘ └── tail: parsed again at each flush

A block is closed when a later block has begun on a complete line: more text cannot reach back to it, but for lists and
reference links, and these are settled by parsing everything once at the end.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from app.ui.chat.blocks import Block, Packing, blocks_of, clean, packed
from app.ui.chat.parsing import Parser
from app.ui.chat.slices import Look, Sliced
from app.ui.chat.text import RENDER_LIMIT_BYTES, cap


@dataclass(frozen=True, slots=True)
class BlockChange:
    """From block number `start` on, a message now consists of `blocks`."""

    start: int
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class _Tail:
    """What a tail was parsed to. closed: so many blocks are closed by now, and so many lines of the tail."""

    shown: Packing
    closed: Packing
    closed_lines: int


class GrowingMarkdown:
    """A message that grows by pieces. `flush` tells what changed since the last one.

    Attributes:
        text: everything fed so far.
        capped: whether the message is longer than what is rendered (RENDER_LIMIT_BYTES).
    """

    def __init__(self, limit: int = RENDER_LIMIT_BYTES) -> None:
        self._parser = Parser()
        self._pieces: list[str] = []
        self._limit = limit
        self._tail = ""
        self._closed = Packing()
        self._bytes = 0
        self._fresh: list[str] = []
        self._parsing: Sliced[_Tail] | None = None
        self._ending: Sliced[tuple[Block, ...]] | None = None
        self.capped = False

    @property
    def text(self) -> str:
        if len(self._pieces) > 1:
            self._pieces = ["".join(self._pieces)]
        return self._pieces[0] if self._pieces else ""

    def feed(self, text: str) -> None:
        if not text:
            return
        self._pieces.append(text)
        if self.capped:
            return
        self._bytes += len(text.encode("utf-8", "replace"))
        if self._bytes > self._limit:
            self.capped = True
        else:
            self._fresh.append(text)

    @property
    def busy(self) -> bool:
        """Whether a flush is under way: flush again to go on with it."""
        return self._parsing is not None

    def flush(self, seconds: float = math.inf) -> BlockChange | None:
        """What changed; None when nothing did, or the parser is not done within this time."""
        if self._parsing is None:
            if not self._fresh:
                return None
            self._tail = clean(self._tail + "".join(self._fresh))
            self._fresh.clear()
            self._parsing = Sliced(self._parse(self._tail, self._closed))
        if not self._parsing.run(seconds):
            return None
        found, self._parsing = self._parsing.result, None
        start = max(0, len(self._closed.blocks) - 1)  # the last closed one may have been merged with another
        if found.closed_lines:
            self._closed = found.closed
            self._tail = "\n".join(self._tail.split("\n")[found.closed_lines :])
        return BlockChange(start, tuple(found.shown.blocks[start:]))

    def _parse(self, tail: str, closed: Packing) -> Callable[[Look], _Tail]:
        def work(look: Look) -> _Tail:
            lines = tail.split("\n")
            groups, whole = self._parser.groups(tail, look)
            complete = len(lines) - 1
            closable = [number for number, group in enumerate(groups) if number and group.start < complete]
            last = closable[-1] if closable and whole else 0
            shown, kept = closed.copy(), closed
            for number, group in enumerate(groups):
                if number == last:
                    kept = shown.copy()
                for block in blocks_of(group, lines, look):
                    shown.add(block)
            return _Tail(shown, kept, groups[last].start if groups else 0)

        return work

    def finish(self, seconds: float = math.inf) -> tuple[Block, ...] | None:
        """All blocks, parsed once more as a whole; None while that is not done within this time: ask again.

        Where the whole is too much for the parser, what was parsed as it came stays."""
        if self._ending is None:
            head, self.capped = cap(self.text, self._limit)
            tail = clean(self._tail + "".join(self._fresh))
            self._parsing = None
            self._fresh.clear()
            self._ending = Sliced(self._parse_all(head, tail, self._closed))
        return self._ending.result if self._ending.run(seconds) else None

    def _parse_all(self, text: str, tail: str, closed: Packing) -> Callable[[Look], tuple[Block, ...]]:
        def work(look: Look) -> tuple[Block, ...]:
            blocks, whole = packed(text, self._parser, look) if text.strip() else ((), True)
            if whole or not closed.blocks:
                return blocks
            return tuple(self._parse(tail, closed)(look).shown.blocks)

        return work

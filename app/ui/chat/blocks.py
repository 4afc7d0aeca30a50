"""A message as top-level blocks, and how a growing message is split without reading all of it again. No Qt.

    text so far    # Title ⏎ words words ⏎ ⏎ ```py ⏎ x = 1 …
                   └─── closed: frozen ────┘ └── tail: parsed again at each flush

A block is closed when a later block has begun on a complete line: more text cannot reach back to it, but for lists and
reference links, and these are settled by parsing everything once at the end.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass

from markdown_it import MarkdownIt
from markdown_it.token import Token

from app.ui.chat.inline import render_blocks
from app.ui.chat.text import RENDER_LIMIT_BYTES, cap

TABLE_CELLS_LIMIT = 2000  # more than this is shown as it was written


class BlockKind(enum.Enum):
    PROSE = "prose"
    QUOTE = "quote"
    TABLE = "table"
    CODE = "code"
    RULE = "rule"


@dataclass(frozen=True, slots=True)
class Block:
    """One widget's worth. `html` for prose, quotes and tables; `text` and `language` for code."""

    kind: BlockKind
    html: str = ""
    text: str = ""
    language: str = ""


@dataclass(frozen=True, slots=True)
class BlockChange:
    """From block number `start` on, a message now consists of `blocks`."""

    start: int
    blocks: tuple[Block, ...]


def make_parser() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])


def _groups(tokens: Sequence[Token]) -> list[tuple[int, list[Token]]]:
    """Top-level blocks with the line each starts on."""
    groups: list[tuple[int, list[Token]]] = []
    current: list[Token] = []
    depth = 0
    for token in tokens:
        current.append(token)
        depth += token.nesting
        if depth == 0:
            start = current[0].map
            groups.append((start[0] if start else 0, current))
            current = []
    return groups


def _block(tokens: list[Token], source_lines: Sequence[str]) -> Block:
    first = tokens[0]
    match first.type:
        case "fence" | "code_block":
            words = first.info.split()
            return Block(BlockKind.CODE, text=first.content.removesuffix("\n"), language=words[0] if words else "")
        case "hr":
            return Block(BlockKind.RULE)
        case "blockquote_open":
            return Block(BlockKind.QUOTE, html=render_blocks(tokens[1:-1]))
        case "table_open":
            if sum(token.type in ("td_open", "th_open") for token in tokens) > TABLE_CELLS_LIMIT:
                start, end = first.map or (0, 0)
                return Block(BlockKind.CODE, text="\n".join(source_lines[start:end]), language="table")
            return Block(BlockKind.TABLE, html=render_blocks(tokens))
        case _:
            return Block(BlockKind.PROSE, html=render_blocks(tokens))


def _clean(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def split(text: str, parser: MarkdownIt | None = None) -> tuple[Block, ...]:
    """A whole message as blocks."""
    clean = _clean(text)
    lines = clean.split("\n")
    return tuple(_block(tokens, lines) for _, tokens in _groups((parser or make_parser()).parse(clean)))


class GrowingMarkdown:
    """A message that grows by pieces. `flush` tells what changed since the last one.

    Attributes:
        text: everything fed so far.
        capped: whether the message is longer than what is rendered (64 KiB).
    """

    def __init__(self, limit: int = RENDER_LIMIT_BYTES) -> None:
        self._parser = make_parser()
        self._pieces: list[str] = []
        self._limit = limit
        self._tail = ""
        self._closed = 0
        self._bytes = 0
        self._fresh: list[str] = []
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

    def flush(self) -> BlockChange | None:
        """What changed; None when nothing did."""
        if not self._fresh:
            return None
        self._tail = _clean(self._tail + "".join(self._fresh))
        self._fresh.clear()
        lines = self._tail.split("\n")
        groups = _groups(self._parser.parse(self._tail))
        change = BlockChange(self._closed, tuple(_block(tokens, lines) for _, tokens in groups))
        complete = len(lines) - 1
        closable = [index for index, (line, _) in enumerate(groups) if index and line < complete]
        if closable:
            last = closable[-1]
            self._closed += last
            self._tail = "\n".join(lines[groups[last][0] :])
        return change

    def finish(self) -> tuple[Block, ...]:
        """All blocks, parsed once more as a whole."""
        self._fresh.clear()
        head, self.capped = cap(self.text, self._limit)
        return split(head, self._parser)

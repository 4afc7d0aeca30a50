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

from app.ui.chat.budget import BudgetedParser, OutOfBudget
from app.ui.chat.inline import render_blocks
from app.ui.chat.math_text import with_math
from app.ui.chat.text import RENDER_LIMIT_BYTES, cap

TABLE_CELLS_LIMIT = 2000  # more than this is shown as it was written
WEIGHT_LIMIT = 400  # the same for what follows so many widgets, counted by what they cost
MERGED_AFTER = 64  # then paragraphs share a widget
MERGED_HTML = 6 * 1024
HTML_LIMIT = 16 * 1024  # the same for one block: Qt lays it out in one go
PLAIN_LIMIT = 8 * 1024
LINES_LIMIT = 500
CODE_LINES_LIMIT = 3000
BUDGET_S = 0.045
SECOND_TRY_BYTES = 8 * 1024
SECOND_BUDGET_S = 0.015


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
    return with_math(MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"]))


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


def _as_written(lines: Sequence[str]) -> tuple[Block, ...]:
    """Plain, in parts that Qt lays out quickly."""
    text = "\n".join(lines)
    parts: list[Block] = []
    while text:
        part = text[:PLAIN_LIMIT]
        end = part.rfind("\n") + 1 if len(text) > PLAIN_LIMIT else 0
        part = part[:end] if end > PLAIN_LIMIT // 2 else part
        text = text[len(part) :]
        parts.append(Block(BlockKind.CODE, text=part.removesuffix("\n"), language="text"))
    return tuple(parts)


def _too_much(block: Block, lines: int) -> bool:
    if block.kind is BlockKind.CODE:
        return lines > CODE_LINES_LIMIT or (block.language == "table" and len(block.text) > PLAIN_LIMIT)
    return len(block.html) > HTML_LIMIT or lines > LINES_LIMIT


_WEIGHTS = {BlockKind.PROSE: 1, BlockKind.RULE: 1, BlockKind.QUOTE: 2, BlockKind.TABLE: 4, BlockKind.CODE: 6}


def _merged(blocks: Sequence[Block]) -> tuple[Block, ...]:
    """A long message in fewer widgets."""
    made = list(blocks[:MERGED_AFTER])
    for block in blocks[MERGED_AFTER:]:
        last = made[-1]
        if block.kind is last.kind is BlockKind.PROSE and len(last.html) + len(block.html) < MERGED_HTML:
            made[-1] = Block(BlockKind.PROSE, html=last.html + block.html)
        else:
            made.append(block)
    return tuple(made)


def _bounded(groups: Sequence[tuple[int, list[Token]]], lines: Sequence[str]) -> tuple[Block, ...]:
    """One block a group; what is too much for the window is shown as it was written."""
    blocks: list[Block] = []
    weight = 0
    for number, (start, tokens) in enumerate(groups):
        if weight >= WEIGHT_LIMIT:
            return (*blocks, *_as_written(lines[start:]))
        block = _block(tokens, lines)
        weight += _WEIGHTS[block.kind]
        end = groups[number + 1][0] if number + 1 < len(groups) else len(lines)
        blocks.extend(_as_written(lines[start:end]) if _too_much(block, end - start) else [block])
    return tuple(blocks)


def split(text: str, parser: BudgetedParser | None = None) -> tuple[Block, ...]:
    """A whole message as blocks. What takes too long to parse is shown as it was written."""
    clean = _clean(text)
    budgeted = parser or BudgetedParser(make_parser())
    try:
        return _merged(_bounded(_groups(budgeted.parse(clean, BUDGET_S)), clean.split("\n")))
    except OutOfBudget:
        pass
    head, cut = cap(clean, SECOND_TRY_BYTES)
    rest = clean[len(head) :] if cut else ""
    try:
        begun = _merged(_bounded(_groups(budgeted.parse(head, SECOND_BUDGET_S)), head.split("\n"))) if cut else ()
    except OutOfBudget:
        begun = ()
    return (*begun, *_as_written((rest if begun else clean).split("\n")))


class GrowingMarkdown:
    """A message that grows by pieces. `flush` tells what changed since the last one.

    Attributes:
        text: everything fed so far.
        capped: whether the message is longer than what is rendered (64 KiB).
    """

    def __init__(self, limit: int = RENDER_LIMIT_BYTES) -> None:
        self._parser = BudgetedParser(make_parser())
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
        try:
            groups = _groups(self._parser.parse(self._tail, BUDGET_S)) if self._closed < WEIGHT_LIMIT else []
        except OutOfBudget:
            groups = []
        if not groups:
            return BlockChange(self._closed, _as_written(lines)) if self._tail.strip() else None
        change = BlockChange(self._closed, _bounded(groups, lines))
        if len(change.blocks) != len(groups):
            return change
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

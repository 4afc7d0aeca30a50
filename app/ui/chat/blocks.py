"""A message as blocks, one widget each: what is long is divided, what is many is merged, so that each is laid out
quickly. No Qt.

    a list of 300 points        ──▶  three lists, the numbers going on
    a table of 900 rows         ──▶  tables of 60 rows
    a paragraph of 30 kB        ──▶  four paragraphs
    neighbouring paragraphs     ──▶  several in one widget, more of them far below
    after 400 widgets' weight   ──▶  code, quotes and tables in that widget too
"""

from __future__ import annotations

import enum
import html
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markdown_it.token import Token

from app.ui.chat.inline import render_blocks, render_text
from app.ui.chat.parsing import Group, Parser, closed_groups
from app.ui.chat.slices import Look, at_once

PART = 6 * 1024  # what one widget holds, in characters and TOKEN for each token
TOKEN = 24
ROW_CELLS_LIMIT = 60  # a wider table is shown as written
PLAIN_LIMIT = 8 * 1024
CODE_LINES_LIMIT = 3000
WEIGHT_LIMIT = 400
MERGED_AFTER = 24
MERGED_HTML = 6 * 1024
MERGED_SOON = 1200  # before that: what grows is laid out again and again


class BlockKind(enum.Enum):
    PROSE = "prose"
    QUOTE = "quote"
    TABLE = "table"
    CODE = "code"
    RULE = "rule"
    PLAIN = "plain"  # text as it is, of a message that is not Markdown


@dataclass(frozen=True, slots=True)
class Block:
    """One widget's worth. `html` for prose, quotes and tables; `text` for code and plain text; `language` of code."""

    kind: BlockKind
    html: str = ""
    text: str = ""
    language: str = ""


class Undividable(Exception):
    """Too much for one widget, and no place to divide it."""


# -- dividing ---------------------------------------------------------------------------------------------------------


def blocks_of(group: Group, lines: Sequence[str], look: Look = at_once) -> tuple[Block, ...]:
    """A top-level block's widgets; as it was written where it cannot be shown otherwise."""
    look()
    try:
        made = tuple(_blocks(group, look)) if group.tokens else ()
    except Undividable:
        made = ()
    return made or as_written(lines[group.start : group.end])


def _blocks(group: Group, look: Look) -> Iterator[Block]:
    tokens = group.tokens
    first = tokens[0]
    match first.type:
        case "fence" | "code_block":
            if first.content.count("\n") > CODE_LINES_LIMIT:
                raise Undividable
            words = first.info.split()
            yield Block(BlockKind.CODE, text=first.content.removesuffix("\n"), language=words[0] if words else "")
        case "hr":
            yield Block(BlockKind.RULE)
        case "blockquote_open":
            for part in _parts(tokens[1:-1], look):
                yield Block(BlockKind.QUOTE, part)
        case "table_open":
            for part in _tables(tokens, look):
                yield Block(BlockKind.TABLE, part)
        case _:
            for part in _parts(tokens, look):
                yield Block(BlockKind.PROSE, part)


def _weight(tokens: Sequence[Token]) -> int:
    return sum(TOKEN + len(token.content) + TOKEN * len(token.children or ()) for token in tokens)


def _parts(tokens: Sequence[Token], look: Look) -> Iterator[str]:
    """Block tokens as HTML, in parts that are not too long."""
    waiting: list[Token] = []
    weight = 0
    for group in closed_groups(tokens):
        look()
        heavy = _weight(group)
        if waiting and weight + heavy > PART:
            yield render_blocks(waiting)
            waiting, weight = [], 0
        if heavy > PART:
            yield from _divided(group, look)
        else:
            waiting += group
            weight += heavy
    if waiting:
        yield render_blocks(waiting)


def _divided(group: list[Token], look: Look) -> Iterator[str]:
    first = group[0]
    match first.type:
        case "bullet_list_open" | "ordered_list_open":
            yield from _lists(group, look)
        case "blockquote_open":
            for part in _parts(group[1:-1], look):
                yield f"<blockquote>{part}</blockquote>"
        case "table_open":
            yield from _tables(group, look)
        case "paragraph_open" | "heading_open":
            for children in _sentences(group[1].children or []):
                look()
                inline = Token("inline", "", 0, children=children)
                yield render_blocks([first, inline, group[-1]])
        case "fence" | "code_block":
            for text in _by_lines(first.content):
                yield f"<pre>{render_text(text)}</pre>"
        case _:
            raise Undividable


def _lists(group: list[Token], look: Look) -> Iterator[str]:
    opening, closing = group[0], group[-1]
    number = int(opening.attrGet("start") or 1)
    waiting: list[Token] = []
    weight = 0

    def made(items: Sequence[Token], first: int) -> str:
        whole = render_blocks([opening, *items, closing])
        begin = whole.index(">") + 1
        return (f'<ol start="{first}">' if opening.type == "ordered_list_open" else "<ul>") + whole[begin:]

    count = 0
    for item in closed_groups(group[1:-1]):
        look()
        heavy = _weight(item)
        if waiting and weight + heavy > PART:
            yield made(waiting, number)
            number, count, waiting, weight = number + count, 0, [], 0
        if heavy <= PART:
            waiting += item
            weight += heavy
            count += 1
            continue
        inside = list(closed_groups(item[1:-1]))
        yield made([item[0], *(inside[0] if _weight(inside[0]) <= PART else ()), item[-1]], number)
        yield from _parts([token for each in inside[_weight(inside[0]) <= PART :] for token in each], look)
        number += 1
    if waiting:
        yield made(waiting, number)


def _tables(tokens: Sequence[Token], look: Look) -> Iterator[str]:
    """Rows in parts, each under the table's head."""
    rows: list[tuple[int, int]] = []
    begin = 0
    for at, token in enumerate(tokens):
        if token.type == "tr_open":
            begin = at
        elif token.type == "tr_close":
            rows.append((begin, at + 1))
    if not rows or sum(token.type == "th_open" for token in tokens) > ROW_CELLS_LIMIT:
        raise Undividable
    before, after = tokens[: rows[0][1] + 1], tokens[-2:]  # "table thead tr … /tr /thead", "/tbody /table"
    if len(rows) == 1:
        yield render_blocks(tokens)
        return
    body = tokens[rows[0][1] + 1]
    waiting: list[Token] = []
    weight = 0
    for begin, end in rows[1:]:
        look()
        heavy = _weight(tokens[begin:end])
        if waiting and weight + heavy > PART:
            yield render_blocks([*before, body, *waiting, *after])
            waiting, weight = [], 0
        waiting += tokens[begin:end]
        weight += heavy
    yield render_blocks([*before, body, *waiting, *after])


def _sentences(children: Sequence[Token]) -> Iterator[list[Token]]:
    """Inline tokens in parts, cut where no mark is open, within long text at a space."""
    waiting: list[Token] = []
    weight = depth = 0
    for token in (piece for child in children for piece in _by_words(child)):
        waiting.append(token)
        depth += token.nesting
        weight += TOKEN + len(token.content) * (1 if " " in token.content else 3)  # Qt tries every letter of a run
        if depth == 0 and weight > PART:
            yield waiting
            waiting, weight = [], 0
        if weight > 4 * PART:
            raise Undividable
    if waiting:
        yield waiting


def _by_words(token: Token) -> Iterator[Token]:
    if token.type != "text" or len(token.content) <= PART:
        yield token
        return
    text = token.content
    while text:
        end = text.rfind(" ", PART // 2, PART) + 1 if len(text) > PART else 0
        end = end or PART // 3
        yield Token("text", "", 0, content=text[:end])
        text = text[end:]


def _by_lines(text: str, limit: int = PART) -> Iterator[str]:
    while text:
        part = text[:limit]
        end = part.rfind("\n") + 1 if len(text) > limit else 0
        part = part[:end] if end > limit // 2 else part
        text = text[len(part) :]
        yield part.removesuffix("\n")


def as_written(lines: Sequence[str]) -> tuple[Block, ...]:
    """Plain, in parts that Qt lays out quickly."""
    parts = _by_lines("\n".join(lines), PLAIN_LIMIT)
    return tuple(Block(BlockKind.CODE, text=part, language="text") for part in parts)


def plain_blocks(text: str) -> tuple[Block, ...]:
    """Text as it is, in parts that Qt lays out quickly."""
    return tuple(Block(BlockKind.PLAIN, text=part) for part in _by_lines(text, PLAIN_LIMIT))


# -- merging ----------------------------------------------------------------------------------------------------------

_WEIGHTS = {
    BlockKind.PROSE: 1, BlockKind.RULE: 1, BlockKind.QUOTE: 2, BlockKind.TABLE: 4, BlockKind.CODE: 6, BlockKind.PLAIN: 1
}  # fmt: skip


class Packing:
    """Blocks in few widgets. What was packed never depends on what comes later, but for the last block."""

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self._weight = 0

    def copy(self) -> Packing:
        other = Packing()
        other.blocks, other._weight = list(self.blocks), self._weight
        return other

    def add(self, block: Block) -> None:
        if self._weight >= WEIGHT_LIMIT:
            block = _light(block)
        last = self.blocks[-1] if self.blocks else None
        if last is not None and block.kind is last.kind is BlockKind.PROSE:
            most = MERGED_HTML if len(self.blocks) > MERGED_AFTER else MERGED_SOON
            if len(last.html) + len(block.html) < most:
                self.blocks[-1] = Block(BlockKind.PROSE, html=last.html + block.html)
                return
        self._weight += _WEIGHTS[block.kind]
        self.blocks.append(block)


def _light(block: Block) -> Block:
    """As part of a text, without a widget of its own; what is long keeps it."""
    match block.kind:
        case BlockKind.RULE:
            return Block(BlockKind.PROSE, "<hr/>")
        case BlockKind.QUOTE:
            return Block(BlockKind.PROSE, f"<blockquote>{block.html}</blockquote>")
        case BlockKind.TABLE:
            return Block(BlockKind.PROSE, block.html)
        case BlockKind.CODE if len(block.text) < PART // 2:
            return Block(BlockKind.PROSE, f"<pre>{html.escape(block.text)}</pre>")
        case _:
            return block


def clean(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def packed(text: str, parser: Parser, look: Look = at_once) -> tuple[tuple[Block, ...], bool]:
    """A whole message's blocks, and whether all of it could be parsed."""
    text = clean(text)
    lines = text.split("\n")
    groups, whole = parser.groups(text, look)
    packing = Packing()
    for group in groups:
        for block in blocks_of(group, lines, look):
            packing.add(block)
    return tuple(packing.blocks), whole


def split(text: str) -> tuple[Block, ...]:
    """A whole message as blocks, at once."""
    return packed(text, Parser())[0] if text.strip() else ()

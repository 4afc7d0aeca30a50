"""Markdown to tokens, a top-level block at a time, with an end to what costs more than its length allows. No Qt.

How long is measured in steps of the parser (each time it asks its rules for what comes next), never in seconds: the
same text is shown alike on every machine.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.rules_core import StateCore, text_join
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token

from app.ui.chat.math_text import with_math
from app.ui.chat.slices import Look, at_once

LEAST_STEPS: Final = 2000
STEPS_PER_CHARACTER: Final = 6  # ordinary text takes less than 1
MARKS_LIMIT: Final = 10_000  # of emphasis in one paragraph: pairing them is not interrupted


class TooMuch(Exception):
    """The text takes more steps than ordinary text of its length."""


@dataclass(frozen=True, slots=True)
class Group:
    """A top-level block: its tokens, none where it is to be shown as written, and its lines from `start` to `end`."""

    tokens: tuple[Token, ...]
    start: int
    end: int


def make_parser() -> MarkdownIt:
    return with_math(MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"]))


class Parser:
    """Counts the parser's steps. Not for two texts at once."""

    def __init__(self) -> None:
        self._markdown = make_parser()
        self._look: Look = at_once
        self._left = 0
        block, inline = self._markdown.block, self._markdown.inline
        block.ruler.before("code", "steps", self._block_step, {"alt": ["paragraph", "reference", "blockquote", "list"]})
        inline.ruler.before("text", "steps", self._inline_step)
        inline.ruler2.before("balance_pairs", "marks", self._count_marks)

    def groups(self, text: str, look: Look = at_once) -> tuple[list[Group], bool]:
        """The top-level blocks of a text with plain line ends, and whether all of it could be parsed; what could not is
        a last group without tokens."""
        self._look = look
        text = text.replace("\0", "\ufffd")
        last = text.count("\n") + 1
        tokens: list[Token] = []
        references: dict[str, Any] = {}
        self._allow(text)
        whole = True
        try:
            self._markdown.block.parse(text, self._markdown, references, tokens)
        except TooMuch:
            whole = False
        rough = _top_level(tokens, look)
        rest = last if whole or not rough else rough[-1][2]
        ends = [*(start for _, start, _ in rough[1:]), rest]
        groups = [
            Group(tuple(group) if self._fill(group, text, references) else (), start, end)
            for (group, start, _), end in zip(rough, ends, strict=False)
        ]
        if not whole:
            groups.append(Group((), rest if rough else 0, last))
        return groups, whole

    def _fill(self, group: list[Token], text: str, references: dict[str, Any]) -> bool:
        """Parses what is written in the lines of a block; False where that is too much."""
        try:
            for token in group:
                if token.type == "inline":
                    self._allow(token.content)
                    token.children = []
                    self._markdown.inline.parse(token.content, self._markdown, references, token.children)
                self._look()
        except TooMuch:
            return False
        text_join(StateCore(text, self._markdown, references, group))
        return True

    def _allow(self, text: str) -> None:
        self._left = LEAST_STEPS + STEPS_PER_CHARACTER * len(text)

    def _block_step(self, state: StateBlock, start: int, end: int, silent: bool) -> bool:
        self._step()
        return False

    def _inline_step(self, state: StateInline, silent: bool) -> bool:
        self._step()
        return False

    def _count_marks(self, state: StateInline) -> None:
        if len(state.delimiters) > MARKS_LIMIT:
            raise TooMuch

    def _step(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise TooMuch
        self._look()


def closed_groups(tokens: Sequence[Token]) -> Iterator[list[Token]]:
    """The tokens, cut wherever everything that was opened is closed. What was not closed is left out."""
    current: list[Token] = []
    depth = 0
    for token in tokens:
        current.append(token)
        depth += token.nesting
        if depth == 0:
            yield current
            current = []


def _top_level(tokens: Sequence[Token], look: Look) -> list[tuple[list[Token], int, int]]:
    """Top-level blocks with the lines that each says it holds."""
    found: list[tuple[list[Token], int, int]] = []
    for group in closed_groups(tokens):
        start, end = group[0].map or (0, 0)
        found.append((group, start, end))
        look()
    return found

"""Markdown is parsed within a budget of processor time: hostile text costs a parser the square of its length."""

from __future__ import annotations

import time

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token


class OutOfBudget(Exception):
    """The text would take too long."""


class BudgetedParser:
    """A parser that gives up. Looks at the clock wherever the parser asks its rules for the next token."""

    def __init__(self, parser: MarkdownIt) -> None:
        self._parser = parser
        self._until = 0.0
        parser.block.ruler.before("code", "budget", self._block)
        parser.inline.ruler.before("text", "budget", self._inline)

    def parse(self, text: str, seconds: float) -> list[Token]:
        """Raises OutOfBudget after about so many seconds of this thread's processor time."""
        self._until = time.thread_time() + seconds
        return self._parser.parse(text)

    def _block(self, state: StateBlock, start: int, end: int, silent: bool) -> bool:
        self._look()
        return False

    def _inline(self, state: StateInline, silent: bool) -> bool:
        self._look()
        return False

    def _look(self) -> None:
        if time.thread_time() > self._until:
            raise OutOfBudget

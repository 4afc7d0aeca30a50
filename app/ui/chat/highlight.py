"""Code to coloured spans, by Pygments, without Qt."""

from __future__ import annotations

import enum
import time
from dataclasses import dataclass

from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name
from pygments.token import Comment, Keyword, Name, Number, Operator, String, _TokenType
from pygments.util import ClassNotFound

BUDGET_S = 0.05
HIGHLIGHT_LIMIT = 32 * 1024  # characters; longer code stays in one colour


class Ink(enum.Enum):
    KEYWORD = "keyword"
    STRING = "string"
    NUMBER = "number"
    COMMENT = "comment"
    NAME = "name"


@dataclass(frozen=True, slots=True)
class Span:
    """`length` characters from `start` of one line, counted in UTF-16 units as Qt does."""

    start: int
    length: int
    ink: Ink


_INKS: tuple[tuple[_TokenType, Ink], ...] = (
    (Comment, Ink.COMMENT),
    (String, Ink.STRING),
    (Number, Ink.NUMBER),
    (Keyword, Ink.KEYWORD),
    (Operator.Word, Ink.KEYWORD),
    (Name.Function, Ink.NAME),
    (Name.Class, Ink.NAME),
    (Name.Decorator, Ink.NAME),
    (Name.Tag, Ink.KEYWORD),
    (Name.Attribute, Ink.NAME),
)


def lexer_for(language: str) -> Lexer | None:
    """None where the language is not known: then nothing is coloured, rather than guessed."""
    if not language or len(language) > 40:
        return None
    try:
        return get_lexer_by_name(language.lower(), stripnl=False, ensurenl=False)
    except ClassNotFound:
        return None


def _units(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def _ink(kind: _TokenType) -> Ink | None:
    return next((ink for parent, ink in _INKS if kind in parent), None)


def spans(code: str, language: str) -> tuple[tuple[Span, ...], ...]:
    """Spans of each line; empty where there is nothing to colour."""
    lexer = lexer_for(language) if len(code) <= HIGHLIGHT_LIMIT else None
    if lexer is None:
        return ()
    lines: list[list[Span]] = [[]]
    column = 0
    until = time.thread_time() + BUDGET_S
    for kind, text in lexer.get_tokens(code):
        if time.thread_time() > until:
            return ()
        ink = _ink(kind)
        for number, piece in enumerate(text.split("\n")):
            if number:
                lines.append([])
                column = 0
            length = _units(piece)
            if ink is not None and length:
                lines[-1].append(Span(column, length, ink))
            column += length
    return tuple(tuple(line) for line in lines)

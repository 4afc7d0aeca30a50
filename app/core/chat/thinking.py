"""What a model thinks aloud before its answer, told apart from the answer. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MARKS: Final = (
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("<reasoning>", "</reasoning>"),
    ("[THINK]", "[/THINK]"),
    ("<|channel|>analysis<|message|>", "<|channel|>final<|message|>"),
)
"""How models open and close their thinking. Some templates write the opening one themselves, so that it never comes."""


@dataclass(frozen=True, slots=True)
class Thinking:
    """open: the thinking has not come to its end. answer_from: where the answer begins in the whole text."""

    thought: str = ""
    answer: str = ""
    open: bool = False
    answer_from: int = 0


def split_thinking(text: str, ended: bool = True) -> Thinking:
    """ended: no more text will come; before that, a mark that has only begun is held back."""
    lead = len(text) - len(text.lstrip())
    for opening, closing in MARKS:
        inside = text.startswith(opening, lead)
        at = text.find(closing)
        if inside:
            begin = lead + len(opening)
            if at >= 0:
                return _closed(text, begin, at, closing)
            thought = text[begin:] if ended else _without_begun(text[begin:], closing)
            return Thinking(thought.strip(), "", True, len(text))
        if at >= 0 and opening not in text[:at]:
            return _closed(text, lead, at, closing)
    if not ended and text.strip() and any(opening.startswith(text[lead:]) for opening, _ in MARKS):
        return Thinking(answer_from=lead)
    return Thinking("", text, False, 0)


def answer_only(text: str) -> str:
    """What is said to the reader, and what the model is given of its own earlier answers."""
    return split_thinking(text).answer


def _closed(text: str, begin: int, at: int, closing: str) -> Thinking:
    after = at + len(closing)
    after += len(text[after:]) - len(text[after:].lstrip())
    return Thinking(text[begin:at].strip(), text[after:], False, after)


def _without_begun(text: str, mark: str) -> str:
    for size in range(min(len(mark) - 1, len(text)), 0, -1):
        if text.endswith(mark[:size]):
            return text[:-size]
    return text

"""A conversation as a value: a tree of turns, of which one path is shown. No Qt, no disk, no network.

    turns, in the order they were written; each names the one it follows:

    0 "What is a shard?"  ┬─ 1 "A part …"   ── 3 "And a hop?" ── 4 "One crossing …"
                          └─ 2 "A range …"     (written again: a second branch)

    leaf = 4: turns 0, 1, 3, 4 are shown and sent to the model, and turn 1 reads "1 of 2".

A turn always follows one of a smaller number, so that a file of turns cannot hold a circle.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from app.core.generation.request import Sampling

NEW_CHAT: Final = "New chat"
ROOT: Final = -1
TITLE_LIMIT: Final = 48
INTERRUPTED: Final = "interrupted"
EDITED: Final = "edited"
UNFINISHED: Final = ("cancelled", "length", INTERRUPTED, "error")

WhenFull = Literal["stop", "forget"]
"""What happens when the context is full: the reader is told, or the oldest messages are no longer sent."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured of one answer. None means not measured.

    shares: of a token's time by machine, the largest part of which is computing; what is missing from 1 was in no
    stage's own figures.
    """

    tokens_per_s: float | None = None
    first_token_ms: float | None = None
    completion_tokens: int | None = None
    prompt_tokens: int | None = None
    stages: int | None = None
    shares: tuple[tuple[str, float], ...] = ()

    @property
    def used_tokens(self) -> int | None:
        """Of the context; None while the prompt was not measured."""
        return None if self.prompt_tokens is None else self.prompt_tokens + (self.completion_tokens or 0)


NOTHING_MEASURED: Final = Figures()


@dataclass(frozen=True, slots=True)
class Problem:
    """An error in words: what is wrong, and what can be done about it."""

    cause: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A text file that goes with a message."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Settings:
    """Kept with each conversation."""

    system_prompt: str = ""
    sampling: Sampling = field(default_factory=Sampling)
    max_tokens: int = 1024
    when_full: WhenFull = "stop"


@dataclass(frozen=True, slots=True)
class Turn:
    """A message. follows: the number of the turn before it, ROOT for a first one.

    Figures, outcome, problem and note belong to answers. outcome: GenerationResult.finish_reason, "cancelled" after a
    stop, "interrupted" where its end was never seen, "edited" where the reader wrote it.
    """

    role: str  # "user" or "assistant"
    text: str
    figures: Figures = NOTHING_MEASURED
    outcome: str = ""
    problem: Problem | None = None
    note: str = ""
    attachments: tuple[Attachment, ...] = ()
    follows: int = ROOT


@dataclass(frozen=True, slots=True)
class Conversation:
    """key: what the shelf knows it by. leaf: the last turn that is shown, ROOT where there is none."""

    key: str = ""
    title: str = ""
    settings: Settings = field(default_factory=Settings)
    turns: tuple[Turn, ...] = ()
    leaf: int = ROOT
    folder: str = ""

    @property
    def path(self) -> tuple[int, ...]:
        """The numbers of the turns that are shown, the first one first."""
        return path_to(self, self.leaf)

    @property
    def shown(self) -> tuple[Turn, ...]:
        return tuple(self.turns[number] for number in self.path)


def linear(turns: Sequence[Turn]) -> tuple[Turn, ...]:
    """Turns that follow each other, without branches."""
    return tuple(replace(turn, follows=number - 1) for number, turn in enumerate(turns))


def path_to(conversation: Conversation, leaf: int) -> tuple[int, ...]:
    found: list[int] = []
    here = leaf
    while here != ROOT:
        found.append(here)
        here = conversation.turns[here].follows
    return tuple(reversed(found))


def added(conversation: Conversation, turn: Turn, after: int) -> Conversation:
    """With this turn written after that one, and shown; the first message names the conversation."""
    title = conversation.title or (title_of(turn.text) if turn.role == "user" else "")
    turns = (*conversation.turns, replace(turn, follows=after))
    return replace(conversation, title=title, turns=turns, leaf=len(turns) - 1)


def asked(conversation: Conversation, text: str, attachments: tuple[Attachment, ...] = ()) -> Conversation:
    """With the reader's next message."""
    return added(conversation, Turn("user", text, attachments=attachments), conversation.leaf)


def answered(conversation: Conversation, number: int, turn: Turn) -> Conversation:
    """With this turn in the place of that one, for an answer that grows."""
    turns = list(conversation.turns)
    turns[number] = replace(turn, follows=turns[number].follows)
    return replace(conversation, turns=tuple(turns))


def edited(conversation: Conversation, number: int, text: str) -> Conversation:
    """A new branch beside that turn. A message ends the path, to be answered anew; so does an answer, as it is now
    another one."""
    before = conversation.turns[number]
    fresh = Turn(before.role, text, attachments=before.attachments)
    if before.role == "assistant":
        fresh = replace(fresh, outcome=EDITED)
    return added(conversation, fresh, before.follows)


def siblings(conversation: Conversation, number: int) -> tuple[int, ...]:
    """All turns that follow what this one follows and are said by the same, itself included, in the order written."""
    turn = conversation.turns[number]
    return tuple(
        other
        for other, each in enumerate(conversation.turns)
        if each.follows == turn.follows and each.role == turn.role
    )


class Versions:
    """siblings() of many turns of one conversation: found once for all as long as its tree is the same."""

    def __init__(self) -> None:
        self._turns: tuple[Turn, ...] = ()
        self._found: dict[tuple[int, str], tuple[int, ...]] = {}

    def of(self, conversation: Conversation, number: int) -> tuple[int, ...]:
        if conversation.turns is not self._turns:
            self._turns = conversation.turns
            found: dict[tuple[int, str], list[int]] = {}
            for other, turn in enumerate(self._turns):
                found.setdefault((turn.follows, turn.role), []).append(other)
            self._found = {place: tuple(numbers) for place, numbers in found.items()}
        turn = self._turns[number]
        return self._found[(turn.follows, turn.role)]


def walked(conversation: Conversation, number: int, steps: int) -> Conversation:
    """With the sibling so many steps away shown, down to where it was last written on."""
    every = siblings(conversation, number)
    at = every.index(number) + steps
    if not 0 <= at < len(every):
        return conversation
    return replace(conversation, leaf=latest_below(conversation, every[at]))


def latest_below(conversation: Conversation, number: int) -> int:
    """The end of the path that was written last among those that go through this turn."""
    below, last = {number}, number
    for other in range(number + 1, len(conversation.turns)):
        if conversation.turns[other].follows in below:
            below.add(other)
            last = other
    return last


def cut(conversation: Conversation, number: int) -> Conversation:
    """Without that turn and all that follows it; the nearest sibling is shown then, or what came before."""
    gone = {number}
    for other in range(number + 1, len(conversation.turns)):
        if conversation.turns[other].follows in gone:
            gone.add(other)
    others = [other for other in siblings(conversation, number) if other != number]
    keep = [other for other in range(len(conversation.turns)) if other not in gone]
    renumbered = {old: new for new, old in enumerate(keep)} | {ROOT: ROOT}
    turns = tuple(replace(conversation.turns[old], follows=renumbered[conversation.turns[old].follows]) for old in keep)
    left = replace(conversation, turns=turns)
    if conversation.leaf not in gone:
        return replace(left, leaf=renumbered[conversation.leaf])
    if others:
        nearest = min(others, key=lambda other: abs(other - number))
        return replace(left, leaf=latest_below(left, renumbered[nearest]))
    return replace(left, leaf=renumbered[conversation.turns[number].follows])


def forked(conversation: Conversation, number: int, key: str) -> Conversation:
    """A conversation of its own that holds what leads to this turn."""
    turns = linear([conversation.turns[each] for each in path_to(conversation, number)])
    return replace(conversation, key=key, turns=turns, leaf=len(turns) - 1)


def used_tokens(conversation: Conversation) -> int | None:
    """How much of the context the path took, as its last answer measured it; None where it was not."""
    shown = conversation.shown
    if not shown:
        return 0
    return next((t.figures.used_tokens for t in reversed(shown) if t.figures.used_tokens is not None), None)


def title_of(first_message: str, limit: int = TITLE_LIMIT) -> str:
    """A conversation's title from its first message: one line, cut at a word."""
    line = " ".join(first_message.split())
    if len(line) <= limit:
        return line
    head = line[: limit - 1]
    space = head.rfind(" ")
    return (head[:space] if space > limit // 2 else head).rstrip(" ,.;:") + "…"

"""A conversation as the chat holds it: turns, settings, and what is asked of the model. No Qt, no disk."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final, Protocol

from app.core.generation.request import GenerationRequest, Message, Sampling
from app.ui.chat.answer import Phase, Running
from app.ui.chat.text import Figures, Problem, title_of

NEW_CHAT: Final = "New chat"
NOTHING_MEASURED: Final = Figures()
_SAMPLING: Final = Sampling()


@dataclass(frozen=True, slots=True)
class Settings:
    """Kept with each conversation."""

    system_prompt: str = ""
    sampling: Sampling = _SAMPLING
    max_tokens: int = 1024


DEFAULTS: Final = Settings()


@dataclass(frozen=True, slots=True)
class Turn:
    """A message. What is after `text` belongs to answers alone; outcome "interrupted": its end was never seen."""

    role: str  # "user" or "assistant"
    text: str
    figures: Figures = NOTHING_MEASURED
    outcome: str = ""
    problem: Problem | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Conversation:
    """key: what the shelf knows it by; "" while it was never saved."""

    key: str = ""
    title: str = ""
    settings: Settings = DEFAULTS
    turns: tuple[Turn, ...] = ()


@dataclass(frozen=True, slots=True)
class Listed:
    """A conversation in the list."""

    key: str
    title: str
    changed_at: float  # seconds since the epoch


class Shelf(Protocol):
    """Where conversations are kept."""

    def list(self, words: str = "") -> tuple[Listed, ...]:
        """The latest first; only those that hold the words, where words are given."""
        ...

    def load(self, key: str) -> Conversation: ...

    def save(self, conversation: Conversation) -> str:
        """Returns its key."""
        ...

    def delete(self, key: str) -> None: ...


def asked(conversation: Conversation, text: str) -> Conversation:
    """With the reader's message; the first one names the conversation."""
    title = conversation.title or title_of(text)
    return replace(conversation, title=title, turns=(*conversation.turns, Turn("user", text)))


def answered(conversation: Conversation, turn: Turn) -> Conversation:
    """With this answer; it takes the place of one that is there already."""
    turns = conversation.turns
    if turns and turns[-1].role == "assistant":
        turns = turns[:-1]
    return replace(conversation, turns=(*turns, turn))


def without_answer(conversation: Conversation) -> Conversation:
    turns = conversation.turns
    return replace(conversation, turns=turns[:-1]) if turns and turns[-1].role == "assistant" else conversation


def turn_of(state: Running, text: str) -> Turn:
    outcome = state.outcome if state.phase is Phase.DONE else "interrupted"
    return Turn("assistant", text, state.figures, outcome, state.problem, " ".join(state.notes))


def messages_of(settings: Settings, turns: Iterable[Turn]) -> tuple[Message, ...]:
    """What the model is given. An answer without text is left out, and neighbours of one role become one message:
    many chat templates refuse anything but question and answer in turn."""
    messages: list[Message] = []
    if settings.system_prompt.strip():
        messages.append(Message("system", settings.system_prompt.strip()))
    for turn in turns:
        if not turn.text.strip():
            continue
        if messages and messages[-1].role == turn.role:
            messages[-1] = Message(turn.role, f"{messages[-1].content}\n\n{turn.text}")
        else:
            messages.append(Message(turn.role, turn.text))
    return tuple(messages)


def request_for(conversation: Conversation) -> GenerationRequest:
    settings = conversation.settings
    return GenerationRequest(
        messages=messages_of(settings, conversation.turns),
        sampling=settings.sampling,
        max_tokens=settings.max_tokens,
    )


def used_tokens(conversation: Conversation) -> int | None:
    """How much of the context the conversation took, as the last answer measured it; None where it was not."""
    if not conversation.turns:
        return 0
    for turn in reversed(conversation.turns):
        if turn.figures.used_tokens is not None:
            return turn.figures.used_tokens
    return None

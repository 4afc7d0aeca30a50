"""The chat's shelf in the core's conversation store: turns and settings as JSON, and back. Imports no Qt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any, TypeVar

from app.core.chat.store import ConversationStore, StoredMessage
from app.core.generation.request import Sampling
from app.ui.chat.session import Conversation, Listed, Settings, Turn
from app.ui.chat.text import Figures, Problem

T = TypeVar("T")


class StoreShelf:
    """See app.ui.chat.session.Shelf."""

    def __init__(self, store: ConversationStore) -> None:
        self._store = store

    def list(self, words: str = "") -> tuple[Listed, ...]:
        return tuple(Listed(found.id, found.title, found.updated_at) for found in self._store.list(words))

    def load(self, key: str) -> Conversation:
        found = self._store.get(key)
        if found is None:
            return Conversation()
        settings = found.settings
        return Conversation(
            key,
            found.title,
            Settings(
                str(settings.get("system_prompt", "")),
                _made(Sampling, settings.get("sampling")) or Sampling(),
                int(settings.get("max_tokens", Settings().max_tokens)),
            ),
            tuple(_turn(message) for message in self._store.messages(key)),
        )

    def save(self, conversation: Conversation) -> str:
        settings = conversation.settings
        return self._store.save(
            conversation.key,
            conversation.title,
            {
                "system_prompt": settings.system_prompt,
                "sampling": asdict(settings.sampling),
                "max_tokens": settings.max_tokens,
            },
            [_stored(turn) for turn in conversation.turns],
        )

    def delete(self, key: str) -> None:
        self._store.delete(key)


def _stored(turn: Turn) -> StoredMessage:
    facts: dict[str, Any] = {}
    if turn.role == "assistant":
        facts = {
            "figures": asdict(turn.figures),
            "outcome": turn.outcome,
            "problem": asdict(turn.problem) if turn.problem else None,
            "note": turn.note,
        }
    return StoredMessage(turn.role, turn.text, facts)


def _turn(message: StoredMessage) -> Turn:
    facts = message.facts
    return Turn(
        message.role,
        message.content,
        _made(Figures, facts.get("figures")) or Figures(),
        str(facts.get("outcome", "")),
        _made(Problem, facts.get("problem")),
        str(facts.get("note", "")),
    )


def _made(kind: type[T], values: Mapping[str, Any] | None) -> T | None:
    """A value of this kind; fields that another version wrote and this one lacks are left out."""
    if not values:
        return None
    names = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    return kind(**{name: value for name, value in values.items() if name in names})

"""Where the chat keeps its conversations: in the store on disk, or in memory where there is none."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from app.core.chat import presets
from app.core.chat.codec import facts_of, turn_from
from app.core.chat.conversation import ROOT, Conversation, Turn
from app.core.chat.presets import Preset
from app.core.chat.store import ConversationStore, StoredMessage

PRESETS: Final = "presets"


@dataclass(frozen=True, slots=True)
class Listed:
    """A conversation in the list. changed_at: seconds since the epoch."""

    key: str
    title: str
    changed_at: float
    folder: str = ""


class Shelf(Protocol):
    """Where conversations are kept, each under the key it was made with."""

    def list(self, words: str = "") -> tuple[Listed, ...]:
        """The latest first; only those that hold the words, where words are given."""
        ...

    def load(self, key: str) -> Conversation: ...

    def save(self, conversation: Conversation) -> None: ...

    def save_turn(self, key: str, number: int, turn: Turn) -> None:
        """One turn of a conversation that was saved before, for an answer that grows."""
        ...

    def delete(self, key: str) -> None: ...

    def presets(self) -> tuple[Preset, ...]: ...

    def keep_presets(self, every: Sequence[Preset]) -> None: ...


class StoreShelf:
    """A Shelf in the conversation store."""

    def __init__(self, store: ConversationStore) -> None:
        self._store = store

    def list(self, words: str = "") -> tuple[Listed, ...]:
        return tuple(
            Listed(found.id, found.title, found.updated_at, str(found.settings.get("folder") or ""))
            for found in self._store.list(words)
        )

    def load(self, key: str) -> Conversation:
        found = self._store.get(key)
        if found is None:
            return Conversation(key)
        messages = self._store.messages(key)
        turns = tuple(turn_from(each.role, each.content, each.facts, n) for n, each in enumerate(messages))
        leaf = found.settings.get("leaf", len(turns) - 1)
        sound = isinstance(leaf, int) and ROOT <= leaf < len(turns)
        settings = presets.settings_from(found.settings)
        folder = str(found.settings.get("folder") or "")
        return Conversation(key, found.title, settings, turns, leaf if sound else len(turns) - 1, folder)

    def save(self, conversation: Conversation) -> None:
        settings: dict[str, Any] = presets.settings_json(conversation.settings)
        settings |= {"leaf": conversation.leaf, "folder": conversation.folder}
        messages = [_stored(turn) for turn in conversation.turns]
        self._store.save(conversation.key, conversation.title, settings, messages)

    def save_turn(self, key: str, number: int, turn: Turn) -> None:
        self._store.put(key, number, _stored(turn))

    def delete(self, key: str) -> None:
        self._store.delete(key)

    def presets(self) -> tuple[Preset, ...]:
        return presets.from_json(self._store.preference(PRESETS))

    def keep_presets(self, every: Sequence[Preset]) -> None:
        self._store.set_preference(PRESETS, presets.to_json(every))


class MemoryShelf:
    """A Shelf that forgets with the program."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[Conversation, float]] = {}
        self._presets = presets.BUILT_IN

    def list(self, words: str = "") -> tuple[Listed, ...]:
        sought = words.lower()
        found = [
            Listed(key, kept.title, at, kept.folder)
            for key, (kept, at) in self._kept.items()
            if sought in kept.title.lower() or any(sought in turn.text.lower() for turn in kept.turns)
        ]
        return tuple(sorted(found, key=lambda each: each.changed_at, reverse=True))

    def load(self, key: str) -> Conversation:
        return self._kept[key][0] if key in self._kept else Conversation(key)

    def save(self, conversation: Conversation) -> None:
        self._kept[conversation.key] = (conversation, time.time())

    def save_turn(self, key: str, number: int, turn: Turn) -> None:
        kept, at = self._kept[key]
        turns = (*kept.turns[:number], turn, *kept.turns[number + 1 :])
        self._kept[key] = (Conversation(key, kept.title, kept.settings, turns, kept.leaf, kept.folder), at)

    def delete(self, key: str) -> None:
        self._kept.pop(key, None)

    def presets(self) -> tuple[Preset, ...]:
        return self._presets

    def keep_presets(self, every: Sequence[Preset]) -> None:
        self._presets = tuple(every)


def _stored(turn: Turn) -> StoredMessage:
    return StoredMessage(turn.role, turn.text, facts_of(turn))

"""Conversations on disk, in SQLite."""

from __future__ import annotations

import json
import sqlite3
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SCHEMA_VERSION = 1

_SCHEMA = """
CREATE TABLE conversations (
    id TEXT PRIMARY KEY, title TEXT NOT NULL, updated_at REAL NOT NULL, settings TEXT NOT NULL);
CREATE TABLE messages (
    conversation_id TEXT NOT NULL REFERENCES conversations(id) ON DELETE CASCADE, position INTEGER NOT NULL,
    role TEXT NOT NULL, content TEXT NOT NULL, facts TEXT NOT NULL, PRIMARY KEY (conversation_id, position));
"""


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """facts: what else is known of it (figures, how it ended), as JSON can hold it."""

    role: str
    content: str
    facts: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class StoredConversation:
    """settings: system prompt and sampling, as JSON can hold them. updated_at: seconds since 1970."""

    id: str
    title: str
    updated_at: float
    settings: Mapping[str, Any]


class ConversationStore:
    """For one thread. Every call is one transaction: a kill loses nothing of what returned."""

    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(path, isolation_level=None)
        self._database.row_factory = sqlite3.Row
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA foreign_keys = ON")
        if self._database.execute("PRAGMA user_version").fetchone()[0] == 0:
            self._database.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")

    def close(self) -> None:
        self._database.close()

    def list(self, words: str = "") -> tuple[StoredConversation, ...]:
        """The latest first; with words, only those that hold them in the title or in a message."""
        pattern = "%" + words.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
        rows = self._database.execute(
            "SELECT * FROM conversations WHERE title LIKE ?1 ESCAPE '\\' OR id IN "
            "(SELECT conversation_id FROM messages WHERE content LIKE ?1 ESCAPE '\\') ORDER BY updated_at DESC",
            (pattern,),
        )
        return tuple(_conversation(row) for row in rows)

    def get(self, conversation_id: str) -> StoredConversation | None:
        row = self._database.execute("SELECT * FROM conversations WHERE id = ?", (conversation_id,)).fetchone()
        return _conversation(row) if row else None

    def messages(self, conversation_id: str) -> tuple[StoredMessage, ...]:
        rows = self._database.execute(
            "SELECT * FROM messages WHERE conversation_id = ? ORDER BY position", (conversation_id,)
        )
        return tuple(StoredMessage(row["role"], row["content"], json.loads(row["facts"])) for row in rows)

    def save(
        self, conversation_id: str, title: str, settings: Mapping[str, Any], messages: Sequence[StoredMessage]
    ) -> str:
        """Creates ("" as id) or updates a conversation, writing only the messages that differ. Answers its id."""
        key = conversation_id or uuid.uuid4().hex
        before = self.messages(key)
        changed = [
            (key, position, message.role, message.content, json.dumps(dict(message.facts)))
            for position, message in enumerate(messages)
            if position >= len(before) or before[position] != message
        ]
        self._database.execute("BEGIN IMMEDIATE")
        try:
            self._database.execute(
                "INSERT INTO conversations VALUES (?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET "
                "title = excluded.title, updated_at = excluded.updated_at, settings = excluded.settings",
                (key, title, time.time(), json.dumps(dict(settings))),
            )
            self._database.executemany("INSERT OR REPLACE INTO messages VALUES (?, ?, ?, ?, ?)", changed)
            self._database.execute(
                "DELETE FROM messages WHERE conversation_id = ? AND position >= ?", (key, len(messages))
            )
        except BaseException:
            self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")
        return key

    def delete(self, conversation_id: str) -> None:
        self._database.execute("DELETE FROM conversations WHERE id = ?", (conversation_id,))


def _conversation(row: sqlite3.Row) -> StoredConversation:
    return StoredConversation(row["id"], row["title"], row["updated_at"], json.loads(row["settings"]))

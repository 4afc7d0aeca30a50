"""Conversations on disk, in SQLite."""

from __future__ import annotations

import json
import sqlite3
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SCHEMA_VERSION = 1
TITLE_CHARACTERS = 48

_SCHEMA = """
CREATE TABLE conversations (
    id TEXT PRIMARY KEY, title TEXT NOT NULL, created_at REAL NOT NULL, updated_at REAL NOT NULL,
    system_prompt TEXT NOT NULL, model TEXT NOT NULL, settings TEXT NOT NULL);
CREATE TABLE messages (
    id TEXT PRIMARY KEY, conversation_id TEXT NOT NULL REFERENCES conversations(id) ON DELETE CASCADE,
    role TEXT NOT NULL, content TEXT NOT NULL, created_at REAL NOT NULL, stats TEXT);
CREATE INDEX messages_of ON messages (conversation_id, created_at);
"""


@dataclass(frozen=True, slots=True)
class Conversation:
    id: str
    title: str
    created_at: float  # seconds since 1970
    updated_at: float
    system_prompt: str
    model: str
    settings: Mapping[str, Any]  # sampling, as the window keeps it


@dataclass(frozen=True, slots=True)
class ChatMessage:
    id: str
    conversation_id: str
    role: str
    content: str
    created_at: float
    stats: Mapping[str, Any] | None


def title_from(text: str) -> str:
    """A conversation's title: the beginning of its first message, cut at a word."""
    words = " ".join(text.split())
    if len(words) <= TITLE_CHARACTERS:
        return words or "New chat"
    return words[:TITLE_CHARACTERS].rsplit(" ", 1)[0] + "…"


class ConversationStore:
    """For one thread. Every call is one transaction, so a kill loses nothing that returned."""

    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(path, isolation_level=None)
        self._database.row_factory = sqlite3.Row
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA foreign_keys = ON")
        version = self._database.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            self._database.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")

    def close(self) -> None:
        self._database.close()

    def create(self, title: str = "New chat", system_prompt: str = "", model: str = "") -> Conversation:
        now = time.time()
        conversation = Conversation(uuid.uuid4().hex, title, now, now, system_prompt, model, {})
        self._database.execute(
            "INSERT INTO conversations VALUES (?, ?, ?, ?, ?, ?, ?)",
            (conversation.id, title, now, now, system_prompt, model, "{}"),
        )
        return conversation

    def list(self) -> tuple[Conversation, ...]:
        """The latest first."""
        rows = self._database.execute("SELECT * FROM conversations ORDER BY updated_at DESC")
        return tuple(_conversation(row) for row in rows)

    def get(self, conversation_id: str) -> Conversation | None:
        row = self._database.execute("SELECT * FROM conversations WHERE id = ?", (conversation_id,)).fetchone()
        return _conversation(row) if row else None

    def messages(self, conversation_id: str) -> tuple[ChatMessage, ...]:
        rows = self._database.execute(
            "SELECT * FROM messages WHERE conversation_id = ? ORDER BY created_at, rowid", (conversation_id,)
        )
        return tuple(_message(row) for row in rows)

    def add_message(
        self, conversation_id: str, role: str, content: str, stats: Mapping[str, Any] | None = None
    ) -> ChatMessage:
        now = time.time()
        message = ChatMessage(uuid.uuid4().hex, conversation_id, role, content, now, stats)
        self._database.execute(
            "INSERT INTO messages VALUES (?, ?, ?, ?, ?, ?)",
            (message.id, conversation_id, role, content, now, json.dumps(stats) if stats is not None else None),
        )
        self._touch(conversation_id)
        return message

    def update_message(self, message_id: str, content: str, stats: Mapping[str, Any] | None = None) -> None:
        self._database.execute(
            "UPDATE messages SET content = ?, stats = ? WHERE id = ?",
            (content, json.dumps(stats) if stats is not None else None, message_id),
        )

    def delete_message(self, message_id: str) -> None:
        self._database.execute("DELETE FROM messages WHERE id = ?", (message_id,))

    def configure(self, conversation_id: str, system_prompt: str, settings: Mapping[str, Any]) -> None:
        self._database.execute(
            "UPDATE conversations SET system_prompt = ?, settings = ? WHERE id = ?",
            (system_prompt, json.dumps(dict(settings)), conversation_id),
        )

    def rename(self, conversation_id: str, title: str) -> None:
        self._database.execute("UPDATE conversations SET title = ? WHERE id = ?", (title, conversation_id))

    def delete(self, conversation_id: str) -> None:
        self._database.execute("DELETE FROM conversations WHERE id = ?", (conversation_id,))

    def _touch(self, conversation_id: str) -> None:
        self._database.execute("UPDATE conversations SET updated_at = ? WHERE id = ?", (time.time(), conversation_id))


def _conversation(row: sqlite3.Row) -> Conversation:
    return Conversation(
        row["id"],
        row["title"],
        row["created_at"],
        row["updated_at"],
        row["system_prompt"],
        row["model"],
        json.loads(row["settings"]),
    )


def _message(row: sqlite3.Row) -> ChatMessage:
    stats = json.loads(row["stats"]) if row["stats"] else None
    return ChatMessage(row["id"], row["conversation_id"], row["role"], row["content"], row["created_at"], stats)

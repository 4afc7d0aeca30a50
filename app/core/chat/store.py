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

from app.core.errors import ShardboardError
from app.core.text import phrase

_MIGRATIONS = (
    (
        "CREATE TABLE conversations (id TEXT PRIMARY KEY, title TEXT NOT NULL, updated_at REAL NOT NULL, "
        "settings TEXT NOT NULL)",
        "CREATE TABLE messages (conversation_id TEXT NOT NULL REFERENCES conversations(id) ON DELETE CASCADE, "
        "position INTEGER NOT NULL, role TEXT NOT NULL, content TEXT NOT NULL, facts TEXT NOT NULL, "
        "PRIMARY KEY (conversation_id, position))",
    ),
    ("CREATE TABLE preferences (name TEXT PRIMARY KEY, value TEXT NOT NULL)",),
)
"""What makes each version of the file out of the one before. Only ever add to the end."""

SCHEMA_VERSION = len(_MIGRATIONS)


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
    """For one thread. Every call is one transaction: a kill loses nothing of what returned.

    A file that is no database is set aside, with its name as `damaged`, and a new one begun. Raises ShardboardError
    where a newer version wrote it, or it cannot be opened: nothing is changed then.
    """

    def __init__(self, path: Path) -> None:
        self.damaged: Path | None = None
        try:
            try:
                self._database = _opened(path)
            except sqlite3.DatabaseError as error:
                if error.sqlite_errorcode not in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
                    raise
                self.damaged = _set_aside(path)
                self._database = _opened(path)
        except (sqlite3.Error, OSError) as error:
            raise ShardboardError(
                phrase("The conversations in {path} cannot be opened: {error}.", path=path, error=error)
            ) from error

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
                "INSERT INTO conversations (id, title, updated_at, settings) VALUES (?, ?, ?, ?) "
                "ON CONFLICT (id) DO UPDATE SET "
                "title = excluded.title, updated_at = excluded.updated_at, settings = excluded.settings",
                (key, title, time.time(), json.dumps(dict(settings))),
            )
            self._database.executemany("INSERT OR REPLACE INTO messages VALUES (?, ?, ?, ?, ?)", changed)
            self._database.execute(
                "DELETE FROM messages WHERE conversation_id = ? AND position >= ?", (key, len(messages))
            )
            self._database.execute("COMMIT")
        except BaseException:
            if self._database.in_transaction:  # a disk that is full has ended it already
                self._database.execute("ROLLBACK")
            raise
        return key

    def put(self, conversation_id: str, position: int, message: StoredMessage) -> None:
        """Writes one message of a conversation that was saved before, for an answer that grows."""
        self._database.execute(
            "INSERT OR REPLACE INTO messages VALUES (?, ?, ?, ?, ?)",
            (conversation_id, position, message.role, message.content, json.dumps(dict(message.facts))),
        )

    def preference(self, name: str) -> Any:
        """What was kept under this name, as JSON can hold it; None where nothing was."""
        row = self._database.execute("SELECT value FROM preferences WHERE name = ?", (name,)).fetchone()
        return json.loads(row["value"]) if row else None

    def set_preference(self, name: str, value: Any) -> None:
        self._database.execute("INSERT OR REPLACE INTO preferences VALUES (?, ?)", (name, json.dumps(value)))

    def delete(self, conversation_id: str) -> None:
        self._database.execute("DELETE FROM conversations WHERE id = ?", (conversation_id,))


def _opened(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, isolation_level=None)
    try:
        database.row_factory = sqlite3.Row
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA foreign_keys = ON")
        _migrate(database, path)
    except BaseException:
        database.close()
        raise
    return database


def _migrate(database: sqlite3.Connection, path: Path) -> None:
    """Brings the file to this version, all or nothing."""
    if _version(database) == SCHEMA_VERSION:
        return
    database.execute("BEGIN IMMEDIATE")  # and look again: another process may have done it meanwhile
    version = _version(database)
    if version > SCHEMA_VERSION:
        raise ShardboardError(
            phrase("The conversations in {path} were written by a newer Shardboard.", path=path),
            "Update Shardboard on this machine.",
        )
    for statements in _MIGRATIONS[version:]:
        for statement in statements:
            database.execute(statement)
    database.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    database.execute("COMMIT")


def _version(database: sqlite3.Connection) -> int:
    return int(database.execute("PRAGMA user_version").fetchone()[0])


def _set_aside(path: Path) -> Path:
    """Renames a damaged file, and what SQLite keeps beside it."""
    damaged = path.with_name(f"{path.name}.damaged-{time.time_ns()}")
    for end in ("", "-wal", "-shm"):
        source = path.with_name(path.name + end)
        if source.exists():
            source.rename(damaged.with_name(damaged.name + end))
    return damaged


def _conversation(row: sqlite3.Row) -> StoredConversation:
    return StoredConversation(row["id"], row["title"], row["updated_at"], json.loads(row["settings"]))

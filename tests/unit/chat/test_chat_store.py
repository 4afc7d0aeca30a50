"""Conversations come back as they were, whatever happened to the program in between."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.core.chat import store as module
from app.core.chat.store import SCHEMA_VERSION, ConversationStore, StoredMessage
from app.core.errors import ShardboardError

ROOT = Path(__file__).resolve().parents[3]
HELLO = StoredMessage("user", "What is a shard?")
ANSWER = StoredMessage(
    "assistant", "A part of a model. 🧩", {"figures": {"tokens": 7, "ttft_ms": 1.5}, "outcome": "stop"}
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "conversations.sqlite"


@pytest.fixture
def store(path: Path) -> Iterator[ConversationStore]:
    opened = ConversationStore(path)
    yield opened
    opened.close()


def test_a_conversation_comes_back_after_a_restart(path: Path) -> None:
    first = ConversationStore(path)
    key = first.save("", "Shards", {"system_prompt": "Be brief.", "sampling": {"seed": None}}, [HELLO, ANSWER])
    first.close()
    second = ConversationStore(path)
    found = second.get(key)
    assert found is not None and (found.id, found.title) == (key, "Shards")
    assert found.settings == {"system_prompt": "Be brief.", "sampling": {"seed": None}}
    assert second.messages(key) == (HELLO, ANSWER)
    second.close()


def test_an_answer_that_grows_rewrites_only_itself(store: ConversationStore) -> None:
    key = store.save("", "t", {}, [HELLO, StoredMessage("assistant", "A")])
    written: list[str] = []
    store._database.set_trace_callback(lambda sql: written.append(sql) if "INTO messages" in sql else None)
    assert store.save(key, "t", {}, [HELLO, StoredMessage("assistant", "A part")]) == key
    assert len(written) == 1 and "A part" in written[0]
    assert store.messages(key) == (HELLO, StoredMessage("assistant", "A part"))


def test_messages_that_were_taken_back_are_gone(store: ConversationStore) -> None:
    key = store.save("", "t", {}, [HELLO, ANSWER, HELLO])
    store.save(key, "t", {}, [HELLO])
    assert store.messages(key) == (HELLO,)


def test_a_full_disk_is_named_and_what_was_saved_stays(store: ConversationStore) -> None:
    kept = [StoredMessage("user", "Hello", {})]
    key = store.save("", "first", {}, kept)
    (pages,) = store._database.execute("PRAGMA page_count").fetchone()
    store._database.execute(f"PRAGMA max_page_count = {pages}")
    long = [*kept, StoredMessage("assistant", "x" * 100_000, {})]
    for _ in range(2):  # also when it is tried again
        with pytest.raises(sqlite3.OperationalError, match="disk is full"):
            store.save(key, "first", {}, long)
        with pytest.raises(sqlite3.OperationalError, match="disk is full"):
            store.put(key, 1, long[1])
        assert list(store.messages(key)) == kept
    store._database.execute("PRAGMA max_page_count = 1000000")
    store.save(key, "first", {}, long)
    assert list(store.messages(key)) == long


def test_the_latest_comes_first(store: ConversationStore, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(1, 9))
    monkeypatch.setattr(module.time, "time", lambda: float(next(clock)))
    one, two = store.save("", "one", {}, []), store.save("", "two", {}, [])
    assert [found.id for found in store.list()] == [two, one]
    store.save(one, "one again", {}, [])
    assert [(found.id, found.title, found.updated_at) for found in store.list()] == [
        (one, "one again", 3.0),
        (two, "two", 2.0),
    ]


@pytest.mark.parametrize(
    ("words", "titles"),
    [
        ("", {"Shards", "100% sure", "a_b"}),
        ("shard", {"Shards", "a_b"}),
        ("%", {"100% sure"}),
        ("_", {"a_b"}),
        ("\\", set()),
        ("'; DROP TABLE messages; --", set()),
        ("of a model", {"Shards"}),
    ],
)
def test_search_takes_words_as_they_are(store: ConversationStore, words: str, titles: set[str]) -> None:
    store.save("", "Shards", {}, [ANSWER])
    store.save("", "100% sure", {}, [])
    store.save("", "a_b", {}, [HELLO])
    assert {found.title for found in store.list(words)} == titles


def test_a_deleted_conversation_takes_its_messages_along(store: ConversationStore) -> None:
    key, other = store.save("", "t", {}, [HELLO]), store.save("", "u", {}, [ANSWER])
    store.delete(key)
    store.delete("never there")
    assert store.get(key) is None and store.messages(key) == ()
    assert store.messages(other) == (ANSWER,)


def test_a_save_that_fails_changes_nothing(store: ConversationStore) -> None:
    key = store.save("", "t", {}, [HELLO])
    with pytest.raises(TypeError):
        store.save(key, "u", {"bad": object()}, [ANSWER])
    with pytest.raises(sqlite3.Error):
        store.save(key, "u", {}, [StoredMessage(None, "x")])  # type: ignore[arg-type]
    found = store.get(key)
    assert found is not None and found.title == "t" and store.messages(key) == (HELLO,)


# Lone surrogates are no text: neither UTF-8 nor SQLite can hold them.
texts = st.text(st.characters(exclude_categories=("Cs",)))
messages = st.lists(
    st.builds(
        StoredMessage,
        st.sampled_from(["user", "assistant"]),
        texts,
        st.dictionaries(texts, st.none() | texts | st.floats(allow_nan=False), max_size=2),
    ),
    max_size=5,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(messages, min_size=1, max_size=4))
def test_what_was_saved_last_is_what_is_there(store: ConversationStore, versions: list[list[StoredMessage]]) -> None:
    key = ""
    for version in versions:
        key = store.save(key, "t", {}, version)
        assert store.messages(key) == tuple(version)
    store.delete(key)


def test_a_killed_program_loses_nothing_that_was_saved(path: Path) -> None:
    program = (
        "import os, sys; from pathlib import Path; from app.core.chat.store import *\n"
        "store = ConversationStore(Path(sys.argv[1]))\n"
        "print(store.save('', 't', {}, [StoredMessage('user', 'kept')]), flush=True)\n"
        "store._database.execute('BEGIN'); store._database.execute(\"UPDATE messages SET content = 'lost'\")\n"
        "os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(path)], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == -9, done.stderr
    again = ConversationStore(path)
    assert again.messages(done.stdout.strip()) == (StoredMessage("user", "kept"),)
    again.close()


def test_two_programs_may_have_it_open(path: Path, store: ConversationStore) -> None:
    other = ConversationStore(path)
    key = store.save("", "t", {}, [HELLO])
    assert other.messages(key) == (HELLO,)
    other.save(key, "t", {}, [HELLO, ANSWER])
    other.close()
    assert store.messages(key) == (HELLO, ANSWER)


@pytest.mark.parametrize("content", [b"this is no database" * 100, b"\0" * 4096])
def test_a_damaged_file_is_set_aside_and_kept(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    store = ConversationStore(path)
    assert store.list() == ()
    key = store.save("", "t", {}, [HELLO])
    assert store.messages(key) == (HELLO,)
    if store.damaged is None:
        assert not content.strip(b"\0")
    else:
        assert store.damaged.read_bytes() == content and store.damaged.name.startswith(path.name)
    store.close()


def test_a_file_of_a_newer_version_is_left_alone(path: Path) -> None:
    ConversationStore(path).close()
    raw = sqlite3.connect(path)
    raw.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    raw.close()
    with pytest.raises(ShardboardError, match="newer Shardboard"):
        ConversationStore(path)
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_an_older_file_is_brought_up_to_date(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = ConversationStore(path)
    key = store.save("", "t", {}, [HELLO])
    store.close()
    added = ("ALTER TABLE conversations ADD COLUMN pinned INTEGER NOT NULL DEFAULT 0",)
    monkeypatch.setattr(module, "_MIGRATIONS", (*module._MIGRATIONS, added))
    monkeypatch.setattr(module, "SCHEMA_VERSION", SCHEMA_VERSION + 1)
    later = ConversationStore(path)
    assert later.messages(key) == (HELLO,)
    assert later._database.execute("SELECT pinned FROM conversations").fetchone()[0] == 0
    assert later._database.execute("PRAGMA user_version").fetchone()[0] == SCHEMA_VERSION + 1
    later.close()


def test_a_migration_that_fails_leaves_the_file_as_it_was(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ConversationStore(path).close()
    broken = ("CREATE TABLE half (x)", "NOT SQL")
    monkeypatch.setattr(module, "_MIGRATIONS", (*module._MIGRATIONS, broken))
    monkeypatch.setattr(module, "SCHEMA_VERSION", SCHEMA_VERSION + 1)
    with pytest.raises(ShardboardError, match="cannot be opened"):
        ConversationStore(path)
    monkeypatch.undo()
    store = ConversationStore(path)
    assert store._database.execute("SELECT name FROM sqlite_master WHERE name = 'half'").fetchone() is None
    store.close()


def test_a_folder_that_is_not_there_is_told_in_words(tmp_path: Path) -> None:
    with pytest.raises(ShardboardError, match="cannot be opened"):
        ConversationStore(tmp_path / "missing" / "conversations.sqlite")

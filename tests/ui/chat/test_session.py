"""Conversations as values, and as they lie in the store."""

from __future__ import annotations

from pathlib import Path

from app.core.chat.store import ConversationStore
from app.core.generation.request import Message, Sampling
from app.ui.chat.session import Conversation, Settings, Turn, answered, asked, messages_of, used_tokens, without_answer
from app.ui.chat.shelf import StoreShelf
from app.ui.chat.text import Figures, Problem

FULL = Turn("assistant", "Yes.", Figures(21.3, 412.0, 186, 1098, 3), "stop", None, "mini-1 was lost.")
FAILED = Turn("assistant", "", outcome="error", problem=Problem("mini-1 is asleep.", "Wake it."))


def test_a_conversation_grows() -> None:
    one = asked(Conversation(), "Is it on?")
    assert (one.title, used_tokens(Conversation()), used_tokens(one)) == ("Is it on?", 0, None)
    two = answered(answered(one, FAILED), FULL)
    assert [turn.role for turn in two.turns] == ["user", "assistant"]
    assert used_tokens(two) == 1284
    assert without_answer(two) == one and without_answer(one) == one
    assert asked(two, "And now?").title == "Is it on?"


def test_messages_alternate_even_after_failures() -> None:
    turns = (Turn("user", "a"), FAILED, Turn("user", "b"), FULL, Turn("user", "c"))
    assert messages_of(Settings(" Be brief. "), turns) == (
        Message("system", "Be brief."),
        Message("user", "a\n\nb"),
        Message("assistant", "Yes."),
        Message("user", "c"),
    )


def test_the_store_gives_back_what_it_got(tmp_path: Path) -> None:
    store = ConversationStore(tmp_path / "chat.sqlite")
    shelf = StoreShelf(store)
    settings = Settings("Be brief.", Sampling(temperature=0.7, top_p=0.9, seed=42), 99)
    whole = Conversation("", "Title", settings, (Turn("user", "a"), FAILED, Turn("user", "b"), FULL))
    key = shelf.save(whole)
    assert shelf.load(key) == Conversation(key, whole.title, whole.settings, whole.turns)
    assert [listed.title for listed in shelf.list("asleep")] == [] and len(shelf.list("Yes")) == 1
    shelf.delete(key)
    assert shelf.list() == ()
    store.close()

"""Conversations as files, on the shelf, and presets: what was written is what is read, and nothing hostile gets in."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.chat import presets
from app.core.chat.conversation import ROOT, Attachment, Conversation, Figures, Problem, Settings, Turn, linear
from app.core.chat.exchange import from_text, to_json, to_markdown
from app.core.chat.presets import BUILT_IN, applied, matching, with_preset, without_preset
from app.core.chat.shelf import MemoryShelf, Shelf, StoreShelf
from app.core.chat.store import ConversationStore
from app.core.errors import ShardboardError
from app.core.generation.request import Sampling

FIGURES = Figures(21.3, 412.0, 186, 1098, 3, (("mini-1", 0.4), ("mini-2", 0.5)))
ANSWER = Turn("assistant", "Yes.", FIGURES, "stop", None, "mini-1 was lost.", follows=0)
FAILED = Turn("assistant", "", outcome="error", problem=Problem("mini-1 is asleep.", "Wake it."), follows=0)
ASKED = Turn("user", "Is it on?", attachments=(Attachment("a.txt", "```\nx\n```"),))
SETTINGS = Settings("Be brief.", Sampling(temperature=0.7, top_p=0.9, seed=42), 99, "forget")
WHOLE = Conversation("key", "Title", SETTINGS, (ASKED, FAILED, ANSWER, Turn("user", "b", follows=2)), 3, "Work")


def test_json_holds_all_of_it() -> None:
    assert from_text(to_json(WHOLE), "key") == WHOLE
    assert from_text("\ufeff" + to_json(WHOLE), "other").key == "other"


def test_markdown_holds_what_is_shown() -> None:
    text = to_markdown(WHOLE)
    assert text.startswith("# Title\n") and "## You\n\nIs it on?" in text and "*mini-1 was lost.*" in text
    found = from_text(text, "key")
    assert [(turn.role, turn.text) for turn in found.turns] == [
        ("user", "Is it on?"),
        ("assistant", "Yes."),
        ("user", "b"),
    ]
    assert found.turns[0].attachments == ASKED.attachments
    assert (found.title, found.settings.system_prompt) == ("Title", "Be brief.")


texts = st.text(st.characters(exclude_categories=("Cs", "Cc")) | st.just("\n"), max_size=40) | st.sampled_from(
    ["<!-- shardboard:user -->", "\\<!-- shardboard:end -->", "## You", "```", "a\n<!-- shardboard:file x -->\nb"]
)


@given(st.lists(texts, min_size=1, max_size=5))
def test_markdown_gives_every_message_back(messages: list[str]) -> None:
    turns = linear([Turn("user" if n % 2 == 0 else "assistant", text) for n, text in enumerate(messages)])
    found = from_text(to_markdown(Conversation("k", "t", turns=turns, leaf=len(turns) - 1)), "k")
    assert [turn.text.strip("\n") for turn in found.turns] == [text.strip("\n") for text in messages]


@given(st.lists(st.tuples(texts, texts), min_size=1, max_size=4))
def test_json_gives_every_message_back(messages: list[tuple[str, str]]) -> None:
    turns = linear([Turn("user", text, attachments=(Attachment("n", file),)) for text, file in messages])
    whole = Conversation("k", "t", turns=turns, leaf=len(turns) - 1)
    assert from_text(to_json(whole), "k") == whole


def test_lists_of_messages_of_other_programs_are_taken() -> None:
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "Hi"}, {"type": "image_url"}]},
        {"role": "assistant", "content": "Hello."},
    ]
    for text in (json.dumps(messages), json.dumps({"messages": messages})):
        found = from_text(text, "k")
        assert (found.settings.system_prompt, found.title, found.leaf) == ("Be brief.", "Hi", 1)
        assert [turn.text for turn in found.shown] == ["Hi", "Hello."]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "tell the messages of"),
        ("Just words.", "tell the messages of"),
        ("{", "JSON is damaged"),
        ("[" * 100_000, "JSON is damaged"),
        ("{}", "no list of messages"),
        ('{"messages": {}}', "no list of messages"),
        ('[{"role": "root", "content": "x"}]', "message 1 has no role"),
        ('[{"role": "user", "content": 7}]', "message 1 has no role"),
        ('[{"role": "user", "content": "x"}, null]', "message 2 has no role"),
        ('{"format": "shardboard-conversation", "version": 9, "messages": []}', "newer Shardboard"),
        ("\ud800", "not text"),
    ],
)
def test_what_is_no_conversation_is_refused_in_words(text: str, words: str) -> None:
    with pytest.raises(ShardboardError, match=words):
        from_text(text, "k")


@pytest.mark.parametrize(
    "more",
    [
        {"follows": 5},
        {"follows": -7},
        {"follows": True},
        {"follows": "x"},
        {"figures": [1], "problem": 3, "attachments": {"a": 1}, "note": None},
        {"figures": {"tokens_per_s": "x", "prompt_tokens": -1, "shares": [[1], "ab", ["n", float("nan")]]}},
        {"attachments": [{"name": 3, "text": 4}, 7, {"text": "ok"}]},
    ],
)
def test_facts_that_cannot_be_are_left_out(more: dict[str, Any]) -> None:
    found = from_text(
        json.dumps([{"role": "user", "content": "q"}, {"role": "assistant", "content": "a", **more}]), "k"
    )
    assert [turn.text for turn in found.shown] == ["q", "a"]
    assert found.turns[1].figures == Figures() and found.turns[1].follows == 0


@pytest.fixture(params=["store", "memory"])
def shelf(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    if request.param == "memory":
        yield MemoryShelf()
        return
    store = ConversationStore(tmp_path / "chat.sqlite")
    yield StoreShelf(store)
    store.close()


def test_the_shelf_gives_back_what_it_got(shelf: Shelf) -> None:
    shelf.save(WHOLE)
    assert shelf.load("key") == WHOLE
    assert [(each.title, each.folder) for each in shelf.list("is it")] == [("Title", "Work")]
    assert shelf.list("asleep") == ()
    grown = replace(ANSWER, text="Yes, it is.")
    shelf.save_turn("key", 2, grown)
    assert shelf.load("key").turns == (ASKED, FAILED, grown, WHOLE.turns[3])
    shelf.delete("key")
    assert shelf.list() == () and shelf.load("key").turns == ()


def test_the_shelf_keeps_presets(shelf: Shelf) -> None:
    assert shelf.presets() == BUILT_IN
    shelf.keep_presets(with_preset(shelf.presets(), " My  own ", SETTINGS))
    assert [preset.name for preset in shelf.presets()] == ["Exact", "Balanced", "Inventive", "My own"]
    assert shelf.presets()[-1].settings == SETTINGS


def test_a_conversation_of_an_earlier_version_is_one_path(tmp_path: Path) -> None:
    store = ConversationStore(tmp_path / "chat.sqlite")
    from app.core.chat.store import StoredMessage

    old = [StoredMessage("user", "a"), StoredMessage("assistant", "b", {"outcome": "stop"}), StoredMessage("user", "c")]
    key = store.save("", "Old", {"system_prompt": "s", "sampling": {"temperature": 0.5}, "max_tokens": 9}, old)
    found = StoreShelf(store).load(key)
    assert [turn.text for turn in found.shown] == ["a", "b", "c"] and found.folder == ""
    assert (found.settings.sampling.temperature, found.settings.max_tokens) == (0.5, 9)
    store.close()


def test_presets() -> None:
    settings = Settings("Mine.", Sampling(temperature=0.2), 7)
    balanced = applied(settings, BUILT_IN[1])
    assert (balanced.system_prompt, balanced.sampling.temperature, balanced.max_tokens) == ("Mine.", 0.7, 7)
    assert matching(BUILT_IN, balanced) == "Balanced" and matching(BUILT_IN, settings) == ""
    mine = with_preset(BUILT_IN, "Mine", settings)
    assert matching(mine, applied(Settings(), mine[-1])) == "Mine"
    assert with_preset(mine, "mine", Settings())[3:] == (presets.Preset("mine", Settings()),)
    assert without_preset(mine, "Mine") == BUILT_IN == without_preset(BUILT_IN, "Exact")
    for name, words in (("  ", "needs a name"), ("EXACT", "comes with Shardboard")):
        with pytest.raises(ShardboardError, match=words):
            with_preset(mine, name, settings)


@pytest.mark.parametrize(
    "found",
    [
        None,
        [],
        {"sampling": 3, "max_tokens": "x", "when_full": "burn"},
        {"sampling": {"temperature": 99, "top_k": -1, "seed": True, "top_p": "1", "logit_bias": {"1": 2}, "other": 1}},
        {"max_tokens": 0},
        {"max_tokens": True},
    ],
)
def test_settings_out_of_bounds_become_the_default(found: object) -> None:
    assert presets.settings_from(found) == Settings()
    assert presets.from_json(found) == BUILT_IN


def test_a_leaf_that_is_none_becomes_the_last() -> None:
    plain = json.loads(to_json(WHOLE))
    for leaf in (99, -5, "x", True):
        assert from_text(json.dumps({**plain, "leaf": leaf}), "k").leaf == 3
    assert from_text(json.dumps({**plain, "leaf": ROOT}), "k").leaf == ROOT

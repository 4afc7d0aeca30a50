"""A conversation as a tree of turns: what each change shows, and what it keeps."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.chat import conversation as values
from app.core.chat.conversation import ROOT, Attachment, Conversation, Figures, Turn, linear, used_tokens


def tree(*turns: tuple[str, int], leaf: int | None = None) -> Conversation:
    """Turns as "q…" (the reader's) or "a…" (an answer), and what each follows."""
    made = tuple(Turn("user" if text.startswith("q") else "assistant", text, follows=at) for text, at in turns)
    return Conversation("key", "title", turns=made, leaf=len(made) - 1 if leaf is None else leaf)


BRANCHED = tree(("q0", ROOT), ("a1", 0), ("a2", 0), ("q3", 1), ("a4", 3), ("q5", ROOT))


def shown(conversation: Conversation) -> str:
    return " ".join(turn.text for turn in conversation.shown)


@pytest.mark.parametrize(("leaf", "texts"), [(4, "q0 a1 q3 a4"), (2, "q0 a2"), (5, "q5"), (ROOT, ""), (1, "q0 a1")])
def test_the_path_leads_to_the_leaf(leaf: int, texts: str) -> None:
    assert shown(replace(BRANCHED, leaf=leaf)) == texts


@pytest.mark.parametrize(
    ("number", "steps", "texts"),
    [
        (2, -1, "q0 a1 q3 a4"),  # down to where it was written on
        (1, 1, "q0 a2"),
        (0, 1, "q5"),
        (5, -1, "q0 a1 q3 a4"),
        (1, -1, "q0 a1 q3 a4"),  # no further one: nothing changes
        (4, 1, "q0 a1 q3 a4"),
    ],
)
def test_walking_among_versions(number: int, steps: int, texts: str) -> None:
    assert shown(values.walked(replace(BRANCHED, leaf=4), number, steps)) == texts


@pytest.mark.parametrize(
    ("number", "siblings"), [(0, (0, 5)), (5, (0, 5)), (1, (1, 2)), (2, (1, 2)), (3, (3,)), (4, (4,))]
)
def test_versions_follow_the_same_turn(number: int, siblings: tuple[int, ...]) -> None:
    assert values.siblings(BRANCHED, number) == siblings
    versions = values.Versions()
    assert versions.of(values.added(BRANCHED, Turn("user", "more"), values.ROOT), 0) == (0, 5, 6)
    assert versions.of(BRANCHED, number) == siblings


@pytest.mark.parametrize(
    ("leaf", "number", "left", "texts"),
    [
        (4, 1, 3, "q0 a2"),  # with all that follows it; the sibling is shown
        (4, 3, 4, "q0 a1"),  # no sibling: what came before
        (2, 1, 3, "q0 a2"),  # what is shown stays shown
        (4, 0, 1, "q5"),
        (4, 5, 5, "q0 a1 q3 a4"),
    ],
)
def test_cutting_a_branch(leaf: int, number: int, left: int, texts: str) -> None:
    after = values.cut(replace(BRANCHED, leaf=leaf), number)
    assert (len(after.turns), shown(after)) == (left, texts)


def test_cutting_all_leaves_an_empty_conversation() -> None:
    after = values.cut(tree(("q0", ROOT), ("a1", 0)), 0)
    assert (after.turns, after.leaf) == ((), ROOT)


def test_editing_keeps_the_version_before_and_its_files() -> None:
    files = (Attachment("notes.txt", "words"),)
    begun = values.asked(Conversation(), "Is it on?", files)
    whole = values.added(begun, Turn("assistant", "Yes."), begun.leaf)
    changed = values.edited(whole, 0, "Is it off?")
    assert shown(changed) == "Is it off?" and changed.shown[0].attachments == files
    assert shown(values.walked(changed, 2, -1)) == "Is it on? Yes."
    answer = values.edited(whole, 1, "No.")
    assert shown(answer) == "Is it on? No." and answer.shown[1].outcome == "edited"


def test_the_first_message_names_the_conversation() -> None:
    one = values.asked(Conversation(), "Is it\non?")
    assert one.title == "Is it on?"
    assert values.asked(one, "And now?").title == "Is it on?"


def test_a_fork_holds_what_leads_to_its_turn() -> None:
    fork = values.forked(BRANCHED, 3, "other")
    assert (fork.key, shown(fork), len(fork.turns)) == ("other", "q0 a1 q3", 3)


def test_used_tokens_are_those_of_the_path() -> None:
    first = Turn("assistant", "a", Figures(prompt_tokens=10, completion_tokens=5))
    second = Turn("assistant", "b", Figures(prompt_tokens=10, completion_tokens=50), follows=0)
    whole = Conversation(turns=(Turn("user", "q"), replace(first, follows=0), second), leaf=1)
    assert (used_tokens(whole), used_tokens(replace(whole, leaf=2)), used_tokens(replace(whole, leaf=0))) == (
        15,
        60,
        None,
    )
    assert used_tokens(Conversation()) == 0


@given(st.data())
def test_whatever_is_done_the_tree_stays_sound(data: st.DataObject) -> None:
    whole = Conversation(turns=linear([Turn("user", "q"), Turn("assistant", "a")]), leaf=1)
    for _ in range(data.draw(st.integers(1, 12))):
        if not whole.turns:
            whole = values.asked(whole, "q")
        number = data.draw(st.integers(0, len(whole.turns) - 1))
        match data.draw(st.integers(0, 3)):
            case 0:
                whole = values.added(whole, Turn(data.draw(st.sampled_from(["user", "assistant"])), "x"), number)
            case 1:
                whole = values.cut(whole, number)
            case 2:
                whole = values.walked(whole, number, data.draw(st.integers(-1, 1)))
            case _:
                whole = values.edited(whole, number, "y")
        assert all(ROOT <= turn.follows < at for at, turn in enumerate(whole.turns))
        assert ROOT <= whole.leaf < len(whole.turns)
        assert (whole.leaf == ROOT) == (not whole.turns)

"""Stop strings, however the text is cut into pieces."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.generation.stopping import StopMatcher


@pytest.mark.parametrize(
    ("pieces", "stops", "shown", "matched"),
    [
        (["Hello", " world"], (), "Hello world", False),
        (["Hello", " world"], ("wor",), "Hello ", True),
        (["Hel", "lo w", "or", "ld"], ("world",), "Hello ", True),
        (["ab", "ab", "ac"], ("abac",), "ab", True),
        (["a\n", "\n"], ("\n\n",), "a", True),
        (["one two"], ("two", "one"), "", True),
        (["un", "finished sto"], ("stop",), "unfinished sto", False),
    ],
)
def test_table(pieces: list[str], stops: tuple[str, ...], shown: str, matched: bool) -> None:
    matcher = StopMatcher(stops)
    text = "".join(matcher.feed(piece) for piece in pieces)
    assert (text + ("" if matcher.matched else matcher.finish()), matcher.matched) == (shown, matched)


@given(
    st.lists(st.text("ab\n", max_size=4), max_size=12), st.lists(st.text("ab\n", min_size=1, max_size=4), max_size=3)
)
def test_pieces_do_not_matter(pieces: list[str], stops: list[str]) -> None:
    whole, parts = StopMatcher(stops), StopMatcher(stops)
    text = "".join(pieces)
    at_once = whole.feed(text) + ("" if whole.matched else whole.finish())
    piecewise = "".join(parts.feed(piece) for piece in pieces) + ("" if parts.matched else parts.finish())
    assert parts.matched == whole.matched == any(stop in text for stop in stops)
    assert text.startswith(piecewise) and text.startswith(at_once)
    assert not any(stop in piecewise for stop in stops)

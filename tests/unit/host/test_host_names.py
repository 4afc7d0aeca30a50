import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shardd.host.names import clean_name


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("Anna's MacBook Pro", "Anna's MacBook Pro"),
        ("  two\n lines\t", "two lines"),
        ("bell\x07 \x1b[31mred", "bell [31mred"),
        ("\u202eevil\u200b", "evil"),
        ("Ko\u0308ln 🍏", "Köln 🍏"),
        ("\x00", ""),
        ("x" * 100, "x" * 64),
    ],
)
def test_names_are_cleaned(text: str, cleaned: str) -> None:
    assert clean_name(text) == cleaned


@given(st.text(), st.integers(min_value=1, max_value=80))
def test_a_cleaned_name_is_short_one_line_and_stays_as_it_is(text: str, limit: int) -> None:
    name = clean_name(text, limit)
    assert len(name) <= limit
    assert all(unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Zl", "Zp") for character in name)
    assert clean_name(name, limit) == name

"""A file of prompts: a paragraph each."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.cli.prompts import Batch, paragraphs, read_prompts
from app.core.errors import ShardboardError


@pytest.mark.parametrize(
    ("text", "prompts"),
    [
        ("", ()),
        (" \n\n\t\n", ()),
        ("one", ("one",)),
        ("one\ntwo\n", ("one\ntwo",)),
        ("one\n\ntwo\n", ("one", "two")),
        ("one\n \t\ntwo", ("one", "two")),
        ("\n\n\none\n\n\n\ntwo\n\n", ("one", "two")),
        ("one\r\n\r\ntwo\r\nmore\r\n", ("one", "two\nmore")),
        ("    indented\n    code\n\nlast", ("    indented\n    code", "last")),
        ("one  \n\ntwo", ("one", "two")),
    ],
)
def test_paragraphs(text: str, prompts: tuple[str, ...]) -> None:
    assert paragraphs(text) == prompts


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "no prompt in"), (b"\xff\xfe\x00a", "not text in UTF-8"), (None, "could not be read")],
)
def test_a_file_without_prompts_is_refused(content: bytes | None, words: str, tmp_path: Path) -> None:
    path = tmp_path / "prompts.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ShardboardError, match=words):
        read_prompts(path)


def test_a_byte_order_mark_is_not_part_of_a_prompt(tmp_path: Path) -> None:
    path = tmp_path / "prompts.txt"
    path.write_bytes("\ufeffGrüß Gott\n\nzwei".encode())
    assert read_prompts(path) == ("Grüß Gott", "zwei")


def test_nothing_answered_has_no_rate() -> None:
    assert Batch((), 1.0).tokens_per_s is None

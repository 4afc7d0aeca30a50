"""Splitting Markdown into blocks: tables of cases, growth in every possible piece size, hostile text."""

from __future__ import annotations

import random

import pytest

from app.ui.chat import parsing
from app.ui.chat.blocks import Block, BlockKind, split
from app.ui.chat.growing import GrowingMarkdown

ANSWER = """# Title

A pipeline splits a model **by depth**: each *Mac* holds `layers`.

| stage | layers |
| --- | ---: |
| studio-a | 0-27 |

1. one

2. two
   - inner

> quoted

---

```python
def f(x):
    return x

```
The end, see [docs][d] and https://example.org/a.

[d]: https://example.com/deep
"""


def kinds(text: str) -> list[str]:
    return [block.kind.value for block in split(text)]


def test_kinds_of_top_level_blocks() -> None:
    assert kinds(ANSWER) == ["prose", "table", "prose", "quote", "rule", "code", "prose"]
    code = split(ANSWER)[5]
    assert (code.language, code.text) == ("python", "def f(x):\n    return x\n")


@pytest.mark.parametrize(
    ("source", "html"),
    [
        ("<script>x</script> & <b>", "<p>&lt;script&gt;x&lt;/script&gt; &amp; &lt;b&gt;</p>"),
        ("<div>\nhi\n</div>", "<p>&lt;div&gt;\nhi\n&lt;/div&gt;</p>"),
        (
            "![cat](https://e.org/c.png)",
            '<p><a href="https://e.org/c.png">[image: cat]</a> <span class="target">(e.org)</span></p>',
        ),
        ("![cat](file:///etc/passwd)", "<p>![cat](file:///etc/passwd)</p>"),
        ("![cat](pic.png)", "<p>[image: cat]</p>"),
        ("[a](javascript:alert(1))", "<p>[a](javascript:alert(1))</p>"),
        ("[a](file:///etc/passwd)", "<p>[a](file:///etc/passwd)</p>"),
        ("[a](ftp://e.org/x)", "<p>a</p>"),
        (
            "[bank.com](https://evil.org)",
            '<p><a href="https://evil.org">bank.com</a> <span class="target">(evil.org)</span></p>',
        ),
        ("[e.org](https://e.org)", '<p><a href="https://e.org">e.org</a></p>'),
        (
            "see https://e.org/a?b=1&c=2.",
            '<p>see <a href="https://e.org/a?b=1&amp;c=2">https://e.org/a?b=1&amp;c=2</a>.</p>',
        ),
        ("`https://e.org`", "<p><code>https://e.org</code></p>"),
        ("- a\n- b", "<ul><li>a</li><li>b</li></ul>"),
        ("- a\n\n- b\n\n  more", "<ul><li>a</li><li>b<p>more</p></li></ul>"),
        ("- [ ] a\n- [x] b", "<ul><li>☐ a</li><li>☑ b</li></ul>"),
        ("3. c\n4. d", '<ol start="3"><li>c</li><li>d</li></ol>'),
        ("a\\\nb", "<p>a<br/>b</p>"),
        ("~~gone~~", "<p><s>gone</s></p>"),
        ("1. x\n   ```\n   <y>\n   ```", '<ol start="1"><li>x<pre>&lt;y&gt;</pre></li></ol>'),
    ],
)
def test_html(source: str, html: str) -> None:
    assert split(source)[0].html.replace("\n</li>", "</li>") == html


def grow(text: str, sizes: list[int]) -> tuple[list[Block], int]:
    """Blocks after feeding pieces of these sizes, and how many blocks were made on the way."""
    growing = GrowingMarkdown()
    shown: list[Block] = []
    made = 0
    at = 0
    for size in sizes:
        growing.feed(text[at : at + size])
        at += size
        change = growing.flush()
        if change is not None:
            made += len(change.blocks)
            shown[change.start :] = change.blocks
    assert at >= len(text)
    assert tuple(growing.finish()) == split(text)
    return shown, made


@pytest.mark.parametrize("size", [1, 2, 3, 5, 17, 400])
def test_growth_in_any_piece_size_shows_the_same_blocks(size: int) -> None:
    text = (
        ANSWER.replace("[docs][d]", "docs")
        .replace("1. one\n\n2. two", "1. one\n2. two")
        .replace("\n[d]: https://example.com/deep\n", "")
    )
    shown, _ = grow(text, [size] * (len(text) // size + 1))
    assert tuple(shown) == split(text)


def test_growth_at_random() -> None:
    rng = random.Random(7)
    for _ in range(30):
        sizes: list[int] = []
        while sum(sizes) < len(ANSWER):
            sizes.append(rng.randint(1, 40))
        grow(ANSWER, sizes)


def test_a_long_answer_is_not_parsed_again_from_the_start() -> None:
    text = "Some words in a paragraph.\n\n" * 400
    _, made = grow(text, [7] * (len(text) // 7 + 1))
    assert made < 3 * (len(text) // 7 + 1)


def test_carriage_returns() -> None:
    growing = GrowingMarkdown()
    for piece in ("a\r", "\nb\r\n", "\r\nc"):
        growing.feed(piece)
        growing.flush()
    assert growing.finish() == split("a\nb\n\nc")


def test_rendering_stops_at_the_cap_and_the_text_does_not() -> None:
    growing = GrowingMarkdown(limit=1000)
    for _ in range(200):
        growing.feed("words and\n\n")
        growing.flush()
    assert growing.capped
    assert len(growing.text) == 2200
    assert sum(len(block.html) for block in growing.finish()) < 2000


def test_a_long_table_goes_on_under_its_head() -> None:
    blocks = split("a|b\n-|-\n" + "".join(f"{row}|2\n" for row in range(1500)))
    assert {block.kind for block in blocks} == {BlockKind.TABLE} and len(blocks) > 4
    assert all(">a</th>" in block.html for block in blocks)
    assert sum(block.html.count("<tr>") - 1 for block in blocks) == 1500


def test_a_very_wide_table_is_shown_as_written() -> None:
    source = "a|" * 300 + "b\n" + "-|" * 300 + "-\n" + "1|" * 300 + "2"
    assert "".join(block.text for block in split(source)).startswith("a|a|")
    assert {block.kind for block in split(source)} == {BlockKind.CODE}


def test_a_long_list_goes_on_with_its_numbers() -> None:
    blocks = split("".join(f"{number}. point {number}\n" for number in range(1, 801)))
    assert len(blocks) > 2 and {block.kind for block in blocks} == {BlockKind.PROSE}
    seen = 1
    for block in blocks:
        assert block.html.startswith(f'<ol start="{seen}"><li>point {seen}')
        seen += block.html.count("<li>")
    assert seen == 801


def test_a_long_paragraph_is_several() -> None:
    blocks = split("Some **bold** and `code` words. " * 1900)
    assert len(blocks) > 4 and all(block.html.startswith("<p>") for block in blocks)
    assert sum(block.html.count("<b>bold</b>") for block in blocks) == 1900


ORDINARY = {
    "mixed": ANSWER.replace("[d]: https://example.com/deep\n", "") + "\n",
    "paragraphs": "Some words in a paragraph.\n\n",
    "short lines": "Some words\n",
    "points": "- point with `code` and **bold** words\n",
    "deep points": "- a\n  - b with words\n    - c with words\n\n",
    "steps with code": "1. Do this:\n\n   ```sh\n   ls -l\n   ```\n\n",
    "code": "```python\ndef f(x):\n    return x + 1\n```\n\n",
    "quotes": "> quoted words\n> go on\n\n",
    "links": "See [one](https://e.org/a) and [two](https://e.org/b).\n\n",
    "math": "The sum is $a + b$, and $$c = d$$ follows.\n\n",
    "headings": "## Title\n\nWords.\n\n",
}


@pytest.mark.parametrize("name", ORDINARY)
def test_ordinary_text_up_to_the_cap_is_markdown_and_stays_so(name: str) -> None:
    """Whatever the speed of the machine: nothing in this depends on a clock."""
    text = (ORDINARY[name] * 40_000)[: 64_000 if name in ("mixed", "points") else 24_000]
    whole = split(text)
    assert not [block for block in whole if block.language == "text"]
    assert len(whole) < 450
    growing = GrowingMarkdown()
    shown: list[Block] = []
    for at in range(0, len(text), 24_000):
        growing.feed(text[at : at + 24_000])
        change = growing.flush()
        assert change is not None
        shown[change.start :] = change.blocks
        assert not [block for block in shown if block.language == "text"]
    assert growing.finish() == whole


def test_slices_come_to_the_same() -> None:
    text = (ORDINARY["mixed"] * 40_000)[:20_000]
    growing = GrowingMarkdown()
    growing.feed(text)
    turns = 0
    while growing.flush(0.0) is None:
        turns += 1
        assert growing.busy
    while (blocks := growing.finish(0.0)) is None:
        turns += 1
    assert turns > 20
    assert blocks == split(text)


def test_what_was_shown_as_markdown_stays_where_the_whole_is_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    growing = GrowingMarkdown()
    for _ in range(40):
        growing.feed("Words with **bold** ones.\n\n")
        growing.flush()
    growing.feed("The *end*.")
    monkeypatch.setattr(parsing, "LEAST_STEPS", 20)
    monkeypatch.setattr(parsing, "STEPS_PER_CHARACTER", 0)
    assert split("Words with **bold** ones.\n\n" * 40)[-1].language == "text"
    blocks = growing.finish()
    assert blocks is not None and blocks[-1].html.endswith("<p>The <i>end</i>.</p>")
    assert not [block for block in blocks if block.language == "text"]


@pytest.mark.parametrize("source", ["[" * 3000, "> " * 3000, "- " * 3000, "*a **b " * 500, "`" * 3000, "\x00" * 50, ""])
def test_hostile_text_is_split_without_an_exception(source: str) -> None:
    split(source)

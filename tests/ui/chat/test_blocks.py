"""Splitting Markdown into blocks: tables of cases, growth in every possible piece size, hostile text."""

from __future__ import annotations

import random

import pytest

from app.ui.chat.blocks import Block, BlockKind, GrowingMarkdown, split

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
    assert kinds(ANSWER) == ["prose", "prose", "table", "prose", "quote", "rule", "code", "prose"]
    code = split(ANSWER)[6]
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


def test_huge_tables_are_shown_as_written() -> None:
    source = "a|b\n-|-\n" + "1|2\n" * 1500
    (block,) = split(source)
    assert block.kind is BlockKind.CODE
    assert block.text.startswith("a|b")


@pytest.mark.parametrize("source", ["[" * 3000, "> " * 3000, "- " * 3000, "*a **b " * 500, "`" * 3000, "\x00" * 50, ""])
def test_hostile_text_is_split_without_an_exception(source: str) -> None:
    split(source)

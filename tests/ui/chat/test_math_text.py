"""Mathematics as readable text, and what is no mathematics."""

from __future__ import annotations

import pytest

from app.ui.chat.blocks import split
from app.ui.chat.growing import GrowingMarkdown
from app.ui.chat.math_text import LIMIT, readable


@pytest.mark.parametrize(
    ("tex", "text"),
    [
        (r"x^2 + y_{i}", "x² + yᵢ"),
        (r"\frac{a+b}{c} \le \sqrt{2\pi}", "(a+b)/c ≤ √(2π)"),
        (r"\sum_{i=1}^{n} x_i^2", "∑ᵢ₌₁ⁿ xᵢ²"),
        (r"e^{i\pi} = -1", "e^(iπ) = −1"),
        (r"\hat{y} \in \mathbb{R}^n", "y\u0302 ∈ ℝⁿ"),
        (r"\text{if } x \neq 0", "if x ≠ 0"),
        (r"\sqrt[3]{x}", "³√x"),
        (r"\left( \alpha \right)", "( α )"),
        (r"y_{\text{pred}}", "y_pred"),
        (r"\begin{aligned} a &= b \\ c &= d \end{aligned}", "a = b\nc = d"),
        (r"\unknown{x}", "unknownx"),
        (r"f'(x)", "f′(x)"),
        ("{" * 30 + "x" + "}" * 30, "x"),
        ("}", ""),
        ("\\", "\\"),
        ("x^", "x"),
        ("a" * (LIMIT + 1), "a" * (LIMIT + 1)),
    ],
)
def test_readable(tex: str, text: str) -> None:
    assert readable(tex) == text


@pytest.mark.parametrize(
    ("source", "html"),
    [
        ("It costs $5 and $10.", "<p>It costs $5 and $10.</p>"),
        (r"So \(x^2\) and $y_1$.", "<p>So <i>x²</i> and <i>y₁</i>.</p>"),
        ("`$x$` stays", "<p><code>$x$</code> stays</p>"),
        ("$ a $", "<p>$ a $</p>"),
        (r"\$5", "<p>$5</p>"),
        ("$$\n\\frac{1}{2}\n$$", "<p>&nbsp;&nbsp;&nbsp;<i>1/2</i></p>"),
        (r"Then \[ a \] or", "<p>Then <br/>&nbsp;&nbsp;&nbsp;<i>a</i><br/> or</p>"),
        ("a $x<b>$ z", "<p>a <i>x&lt;b&gt;</i> z</p>"),
        ("$$", "<p>$$</p>"),
        (r"\(\)", "<p>()</p>"),
    ],
)
def test_in_markdown(source: str, html: str) -> None:
    assert [block.html for block in split(source)] == [html]


def test_depth_and_length_are_bounded() -> None:
    assert readable("{" * 3900) and readable("^" * 3900) == ""
    assert readable(r"\frac" * 700)
    growing = GrowingMarkdown()
    growing.feed("$a" * 20_000)
    assert growing.finish()

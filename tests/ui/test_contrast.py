"""Contrast of text, measured from the tokens: every pair of colours that the style sheets put one on the other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from app.ui.chat.rich import document_style
from app.ui.chat.style import chat_style
from app.ui.theme import DARK, LIGHT, Tokens, blend, contrast
from app.ui.theme.stylesheet import stylesheet

ENOUGH = 4.5
RULE = re.compile(r"([^{}]+)\{([^{}]*)\}")
COLOUR = re.compile(r"(?:^|;)\s*color:\s*(#[0-9a-f]{6})")
GROUND = re.compile(r"(?:^|;)\s*background(?:-color)?:\s*(#[0-9a-f]{6}|transparent)")
SELECTED = re.compile(r"selection-color:\s*(#[0-9a-f]{6})")
SELECTION = re.compile(r"selection-background-color:\s*(#[0-9a-f]{6})")
# What text stands on that has no ground of its own: the window, a card or the side bar, a popover, a field or a bubble.
GROUNDS = ("window", "surface", "raised")


def rules(sheet: str) -> list[tuple[str, str]]:
    """Each selector with what it declares; a list of selectors is taken apart."""
    return [
        (selector.strip(), body)
        for selectors, body in RULE.findall(sheet)
        for selector in selectors.split(",")
        if selector.strip()
    ]


def base_of(selector: str) -> str:
    """The selector of the same thing at rest: without its states."""
    return re.sub(r"(?<!:):[a-z-]+", "", selector)


def pairs(sheet: str, t: Tokens) -> set[tuple[str, str, str]]:
    """(selector, text, ground) for every rule that sets either; what a rule leaves out comes from the thing at rest."""
    every = rules(sheet)
    inks: dict[str, str] = {}
    grounds: dict[str, str] = {}
    for selector, body in every:
        if ink := COLOUR.search(body):
            inks[selector] = ink[1]
        if ground := GROUND.search(body):
            grounds[selector] = ground[1]
    found: set[tuple[str, str, str]] = set()
    for selector, body in every:
        if "::" in selector and "item" not in selector and "tab" not in selector:
            continue  # arrows, handles and indicators hold no text
        if selector in inks or selector in grounds:
            ink = inks.get(selector) or inks.get(base_of(selector)) or t.text
            ground = grounds.get(selector) or grounds.get(base_of(selector)) or "transparent"
            under = [getattr(t, name) for name in GROUNDS] if ground == "transparent" else [ground]
            found |= {(selector, ink, each) for each in under}
        if SELECTED.search(body) and SELECTION.search(body):
            found.add((f"{selector} selected", SELECTED.search(body)[1], SELECTION.search(body)[1]))  # type: ignore[index]
    return found


def every_pair(t: Tokens) -> set[tuple[str, str, str]]:
    sheets = stylesheet(t, Path("icons")) + chat_style(t)
    found = pairs(sheets, t) | pairs(document_style(t), t) | pairs(document_style(t, quote=True), t)
    # What is painted by hand: blocks of the board and their words, and what the palette gives to fields and tool tips.
    for number in range(len(t.nodes)):
        ground = t.node_surface(number)
        over = blend(t.node(number), ground, 0.05)
        found |= {(f"block {number}", ink, each) for ink in (t.text, t.text_muted) for each in (ground, over)}
        found |= {(f"block {number} that is too full", t.danger, ground)}
    found |= {("placeholder", t.text_muted, ground) for ground in (t.raised, t.surface)}
    found |= {("banner's remedy", t.text_muted, ground) for ground in (t.danger_surface, t.warning_surface)}
    found |= {("banner's remedy", t.text_muted, ground) for ground in (t.success_surface, t.info_surface)}
    found |= {("activity", ink, t.raised) for ink in (t.text, t.warning, t.danger)}
    return found


@pytest.mark.parametrize("t", [DARK, LIGHT], ids=["dark", "light"])
def test_text_can_be_read(t: Tokens) -> None:
    found = every_pair(t)
    assert len(found) > 100
    measured = sorted((contrast(ink, on), what, ink, on) for what, ink, on in found)
    poor = [f"{ratio:.2f} {what}: {ink} on {on}" for ratio, what, ink, on in measured if ratio < ENOUGH]
    assert not poor, "\n" + "\n".join(poor)


def test_a_poor_pair_is_found() -> None:
    button = "QPushButton { color: #ffffff; background: #000000; } QPushButton:hover { background: #ffffff; }"
    sheet = f"QLabel {{ color: #777777; }} {button}"
    poor = {what for what, ink, on in pairs(sheet, LIGHT) if contrast(ink, on) < ENOUGH}
    assert poor == {"QLabel", "QPushButton:hover"}

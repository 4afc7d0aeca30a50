"""Markdown tokens to the small HTML that Qt's text documents draw. Safe by construction: no tag but those made here.

Everything that comes from the model goes through `html.escape`. An image becomes its description with its address as a
link. A link keeps its words, and where they do not already show where it leads, its host follows in brackets.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from markdown_it.token import Token

from app.ui.chat.text import break_runs

_BARE_URL = re.compile(r"https?://[^\s<>\"'`]+[^\s<>\"'`.,;:!?)\]}]")
_CHECKBOX = re.compile(r"^\[([ xX])\] ")
_ALIGN = re.compile(r"text-align:(left|right|center)")
_SIMPLE = {"strong": "b", "em": "i", "s": "s"}


def safe_link(address: str) -> str:
    """The address where it may be opened (http and https with a host), else ""."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return ""
    return address if parts.scheme.lower() in ("http", "https") and parts.hostname else ""


def render_text(text: str) -> str:
    return html.escape(break_runs(text))


def _link_opening(address: str) -> str:
    return f'<a href="{html.escape(address, quote=True)}">'


def _target_note(address: str, words: str) -> str:
    host = urlsplit(address).hostname or ""
    if host and host not in words:
        return f' <span class="target">({html.escape(host)})</span>'
    return ""


def _with_bare_links(text: str) -> str:
    pieces: list[str] = []
    at = 0
    for match in _BARE_URL.finditer(text):
        address = safe_link(match.group())
        if not address:
            continue
        pieces.append(render_text(text[at : match.start()]))
        pieces.append(f"{_link_opening(address)}{render_text(address)}</a>")
        at = match.end()
    pieces.append(render_text(text[at:]))
    return "".join(pieces)


def plain_words(tokens: Sequence[Token]) -> str:
    """What is read of inline tokens, without marks."""
    pieces: list[str] = []
    for token in tokens:
        if token.type == "image":
            pieces.append(plain_words(token.children or ()))
        elif token.type in ("softbreak", "hardbreak"):
            pieces.append(" ")
        else:
            pieces.append(token.content)
    return "".join(pieces)


def render_inline(tokens: Sequence[Token]) -> str:
    out: list[str] = []
    links: list[tuple[str, int]] = []  # address ("" when it may not be opened), where its words start in tokens
    for at, token in enumerate(tokens):
        match token.type:
            case "text":
                out.append(render_text(token.content) if links else _with_bare_links(token.content))
            case "softbreak":
                out.append("\n")
            case "hardbreak":
                out.append("<br/>")
            case "code_inline":
                out.append(f"<code>{render_text(token.content)}</code>")
            case "math_inline":
                out.append(f"<i>{render_text(token.content)}</i>")
            case "math_block":
                lines = "<br/>&nbsp;&nbsp;&nbsp;".join(render_text(line) for line in token.content.split("\n"))
                before, after = "<br/>" if at else "", "<br/>" if at < len(tokens) - 1 else ""
                out.append(f"{before}&nbsp;&nbsp;&nbsp;<i>{lines}</i>{after}")
            case "link_open":
                address = safe_link(str(token.attrGet("href") or ""))
                links.append((address, at + 1))
                if address:
                    out.append(_link_opening(address))
            case "link_close":
                address, start = links.pop() if links else ("", at)
                if address:
                    out.append("</a>" + _target_note(address, plain_words(tokens[start:at])))
            case "image":
                out.append(_image(token, inside_link=bool(links)))
            case _:
                mark, _, side = token.type.rpartition("_")
                if tag := _SIMPLE.get(mark):
                    out.append(f"<{tag}>" if side == "open" else f"</{tag}>")
                else:
                    out.append(render_text(token.content))
    return "".join(out)


def _image(token: Token, inside_link: bool) -> str:
    """Never fetched: its description, and its address for whoever wants to open it."""
    words = plain_words(token.children or ()).strip()
    label = render_text(f"[image: {words}]" if words else "[image]")
    address = "" if inside_link else safe_link(str(token.attrGet("src") or ""))
    return f"{_link_opening(address)}{label}</a>{_target_note(address, words)}" if address else label


def render_blocks(tokens: Sequence[Token]) -> str:
    """Block tokens (one top-level block with all that is in it) as HTML."""
    out: list[str] = []
    fresh_item = False  # an item's first paragraph stands beside its mark, without a paragraph of its own
    bare: list[bool] = []
    for token in tokens:
        kind = token.type
        if kind == "inline":
            children = token.children or []
            if bare and bare[-1] and children and children[0].type == "text":
                children[0].content = _CHECKBOX.sub(
                    lambda found: "☐ " if found.group(1) == " " else "☑ ", children[0].content
                )
            out.append(render_inline(children))
        elif kind == "paragraph_open":
            bare.append(fresh_item or token.hidden)
            fresh_item = False
            if not bare[-1]:
                out.append("<p>")
        elif kind == "paragraph_close":
            if not bare.pop():
                out.append("</p>")
        elif kind == "list_item_open":
            out.append("<li>")
            fresh_item = True
        elif kind in ("fence", "code_block"):
            fresh_item = False
            lines = render_text(token.content.rstrip("\n"))
            out.append(f"<pre>{lines}</pre>")
        elif kind == "hr":
            out.append("<hr/>")
        elif kind == "ordered_list_open":
            out.append(f'<ol start="{int(token.attrGet("start") or 1)}">')
        elif kind == "table_open":
            out.append('<table cellspacing="0" cellpadding="6" border="1">')
        elif kind in ("th_open", "td_open"):
            align = _ALIGN.search(str(token.attrGet("style") or ""))
            out.append(f'<{token.tag} align="{align.group(1) if align else "left"}">')
        elif token.tag and token.nesting:
            fresh_item = False
            out.append(f"<{token.tag}>" if token.nesting > 0 else f"</{token.tag}>")
        else:
            out.append(render_text(token.content))
    return "".join(out)

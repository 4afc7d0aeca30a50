"""Conversations as files: JSON holds all of one, branches and figures too; Markdown holds what is shown, to be read.

Both can be read back. A file may come from anywhere: everything in it is checked, nothing of it is believed.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any, Final, cast

from app.core.chat.attachments import fenced
from app.core.chat.codec import ROLES, facts_of, turn_from
from app.core.chat.conversation import NEW_CHAT, ROOT, Attachment, Conversation, Settings, Turn, linear, title_of
from app.core.chat.presets import settings_from, settings_json
from app.core.errors import ShardboardError
from app.core.text import phrase

FORMAT: Final = "shardboard-conversation"
VERSION: Final = 1
LIMIT_BYTES: Final = 64 << 20
MOST_TURNS: Final = 100_000
HEADINGS: Final = {"system": "System prompt", "user": "You", "assistant": "Answer"}
REMEDY: Final = "Choose a file that Shardboard exported, or one with a list of messages."

_MARK = re.compile(r"^<!-- shardboard:(title|system|user|assistant|file|end)(?: (.*?))? -->$")
_QUOTED = re.compile(r"^(\\*)<!-- shardboard:", re.MULTILINE)


def to_json(conversation: Conversation) -> str:
    """All of it, and nothing of the machine it comes from."""
    whole: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "title": conversation.title,
        "folder": conversation.folder,
        "settings": settings_json(conversation.settings),
        "leaf": conversation.leaf,
        "messages": [{"role": turn.role, "content": turn.text, **facts_of(turn)} for turn in conversation.turns],
    }
    return json.dumps(whole, ensure_ascii=False, indent=1) + "\n"


def to_markdown(conversation: Conversation) -> str:
    """What is shown. Comments, which no reader of Markdown shows, say where each message begins."""
    title = conversation.title or NEW_CHAT
    parts = [f"# {_one_line(title)}\n", f"<!-- shardboard:title {_one_line(title)} -->\n"]
    if conversation.settings.system_prompt.strip():
        parts.append(_section("system", conversation.settings.system_prompt))
    for turn in conversation.shown:
        body = [_section(turn.role, turn.text)]
        for each in turn.attachments:
            body.append(f"<!-- shardboard:file {_one_line(each.name)} -->\n{fenced(_quoted(each.text))}\n")
        if turn.note or turn.problem:
            said = " ".join(filter(None, (turn.note, turn.problem.cause if turn.problem else "")))
            body.append(f"<!-- shardboard:end -->\n*{_one_line(said)}*\n")
        parts += body
    return "\n".join(parts)


def from_text(text: str, key: str) -> Conversation:
    """A conversation from what either of the two wrote, or from JSON with a list of messages as other programs write
    it. Raises ShardboardError."""
    if len(text) > LIMIT_BYTES:
        raise ShardboardError(phrase("This file holds no conversation that can be read: it is too long."), REMEDY)
    text = text.removeprefix("\ufeff")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ShardboardError(phrase("This file holds no conversation: it is not text."), REMEDY) from None
    if text.lstrip().startswith(("{", "[")):
        return _from_json(text, key)
    return _from_markdown(text, key)


def _from_json(text: str, key: str) -> Conversation:
    try:
        found: object = json.loads(text)
    except (ValueError, RecursionError):
        raise ShardboardError(phrase("This file holds no conversation: its JSON is damaged."), REMEDY) from None
    plain = cast("dict[str, Any]", found) if isinstance(found, dict) else {"messages": found}
    version = plain.get("version", VERSION)
    if plain.get("format") == FORMAT and isinstance(version, int) and version > VERSION:
        raise ShardboardError("This conversation was exported by a newer Shardboard.", "Update Shardboard.")
    messages = plain.get("messages")
    if not isinstance(messages, list) or not messages or len(cast("list[object]", messages)) > MOST_TURNS:
        raise ShardboardError(phrase("This file holds no conversation: there is no list of messages in it."), REMEDY)
    settings = settings_from(plain.get("settings"))
    turns: list[Turn] = []
    for each in cast("list[object]", messages):
        entry = cast("dict[str, Any]", each) if isinstance(each, dict) else {}
        role, content = entry.get("role"), _content(entry.get("content"))
        if role == "system" and content is not None and not turns:
            settings = replace(settings, system_prompt=content)
        elif role in ROLES and content is not None:
            turns.append(turn_from(cast("str", role), content, entry, len(turns)))
        else:
            raise ShardboardError(
                phrase(
                    "This file holds no conversation: message {number} has no role or no text.", number=len(turns) + 1
                ),
                REMEDY,
            )
    leaf = plain.get("leaf", len(turns) - 1)
    if not isinstance(leaf, int) or isinstance(leaf, bool) or not ROOT <= leaf < len(turns):
        leaf = len(turns) - 1
    return Conversation(
        key,
        title_of(str(plain.get("title") or "") or (turns[0].text if turns else "")),
        settings,
        tuple(turns),
        leaf,
        " ".join(str(plain.get("folder") or "").split())[:60],
    )


def _content(found: object) -> str | None:
    """A string, or the list of parts that some programs write."""
    if isinstance(found, str):
        text = found
    elif isinstance(found, list):
        parts = [cast("dict[str, Any]", part) for part in cast("list[object]", found) if isinstance(part, dict)]
        text = "\n\n".join(str(part["text"]) for part in parts if isinstance(part.get("text"), str))
    else:
        return None
    return text.encode("utf-8", "replace").decode()  # a lone surrogate, written as an escape, is no text


def _from_markdown(text: str, key: str) -> Conversation:
    title, system = "", ""
    turns: list[Turn] = []
    kind, name = "", ""
    lines: list[str] = []

    def close() -> None:
        nonlocal system
        if kind in ("system", *ROLES):
            body = _unquoted("\n".join(_without_heading(lines, kind))).strip("\n")
            if kind == "system":
                system = body
            else:
                turns.append(Turn(kind, body))
        elif kind == "file" and turns:
            inside = "\n".join(lines).strip("\n").split("\n")[1:-1]
            taken = Attachment(name, _unquoted("\n".join(inside)))
            turns[-1] = replace(turns[-1], attachments=(*turns[-1].attachments, taken))

    for line in text.replace("\r\n", "\n").split("\n"):
        found = _MARK.match(line)
        if found is None:
            lines.append(line)
            continue
        close()
        kind, name, lines = found.group(1), found.group(2) or "", []
        if kind == "title":
            title = name
        if len(turns) > MOST_TURNS:
            raise ShardboardError(phrase("This file holds no conversation that can be read: it is too long."), REMEDY)
    close()
    if not turns:
        raise ShardboardError(
            phrase("This file holds no conversation that Shardboard can tell the messages of."), REMEDY
        )
    return Conversation(key, title or title_of(turns[0].text), Settings(system), linear(turns), len(turns) - 1)


def _section(role: str, text: str) -> str:
    return f"<!-- shardboard:{role} -->\n## {HEADINGS[role]}\n\n{_quoted(text)}\n"


def _without_heading(lines: list[str], kind: str) -> list[str]:
    return lines[1:] if lines and lines[0] == f"## {HEADINGS[kind]}" else lines


def _quoted(text: str) -> str:
    """A message that holds our marks itself keeps them, as text."""
    return _QUOTED.sub(lambda found: f"\\{found.group()}", text)


def _unquoted(text: str) -> str:
    return re.sub(r"^\\(\\*<!-- shardboard:)", r"\1", text, flags=re.MULTILINE)


def _one_line(text: str) -> str:
    return " ".join(text.split()).replace("-->", "- ->")

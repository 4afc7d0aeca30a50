"""Entries as lines of text. Imports no Qt."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from app.core.snapshot import ActivityEntry, Level
from app.core.text import phrase

Say = Callable[[str], str]
LEVELS = {Level.INFO: phrase("info"), Level.WARNING: phrase("warning"), Level.ERROR: phrase("error")}
NODE_WIDTH = 12
MESSAGE_AT = 8 + 2 + NODE_WIDTH + 2  # letters before the message: the clock, the machine, and what parts them


def told(entry: ActivityEntry, say: Say = str) -> str:
    """warning: the text, in the language that say() puts it into."""
    text = " ".join(say(entry.message).splitlines())
    return text if entry.level is Level.INFO else f"{say(LEVELS[entry.level])}: {text}"


def line(entry: ActivityEntry, say: Say = str) -> str:
    clock = time.strftime("%H:%M:%S", time.localtime(entry.at))
    node = entry.node if len(entry.node) <= NODE_WIDTH else entry.node[: NODE_WIDTH - 1] + "…"
    return f"{clock}  {node:<{NODE_WIDTH}}  {told(entry, say)}"


def wanted(
    entries: Iterable[ActivityEntry],
    only_warnings: bool,
    cleared: int,
    node: str = "",
    text: str = "",
    say: Say = str,
) -> list[ActivityEntry]:
    """What is shown: entries after the last that was cleared away; perhaps warnings and errors alone, those of one
    machine, and those with every word of a text in them."""
    words = text.lower().split()
    return [
        each
        for each in entries
        if each.number > cleared
        and not (only_warnings and each.level is Level.INFO)
        and (not node or each.node == node)
        and all(word in f"{each.node} {told(each, say)}".lower() for word in words)
    ]


def as_file(entries: Iterable[ActivityEntry], say: Say = str) -> str:
    """Lines for a file, with the day and the whole name of each machine."""
    return "".join(
        f"{time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(each.at))}\t{each.node}\t{say(LEVELS[each.level])}\t"
        f"{' '.join(say(each.message).split())}\n"
        for each in entries
    )

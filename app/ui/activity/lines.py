"""Entries as lines of text. Imports no Qt."""

from __future__ import annotations

import time
from collections.abc import Iterable

from app.core.snapshot import ActivityEntry, Level

WORDS = {Level.INFO: "", Level.WARNING: "warning: ", Level.ERROR: "error: "}
NODE_WIDTH = 12


def line(entry: ActivityEntry) -> str:
    clock = time.strftime("%H:%M:%S", time.localtime(entry.at))
    node = entry.node if len(entry.node) <= NODE_WIDTH else entry.node[: NODE_WIDTH - 1] + "…"
    return f"{clock}  {node:<{NODE_WIDTH}}  {WORDS[entry.level]}{' '.join(entry.message.splitlines())}"


def wanted(
    entries: Iterable[ActivityEntry], only_warnings: bool, cleared: int, node: str = "", text: str = ""
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
        and all(word in f"{each.node} {WORDS[each.level]}{each.message}".lower() for word in words)
    ]


def as_file(entries: Iterable[ActivityEntry]) -> str:
    """Lines for a file, with the day and the whole name of each machine."""
    return "".join(
        f"{time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(each.at))}\t{each.node}\t{each.level.value}\t"
        f"{' '.join(each.message.split())}\n"
        for each in entries
    )

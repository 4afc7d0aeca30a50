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
    return f"{clock}  {node:<{NODE_WIDTH}}  {WORDS[entry.level]}{entry.message}"


def wanted(entries: Iterable[ActivityEntry], only_warnings: bool, cleared: int) -> list[ActivityEntry]:
    """What is shown: entries after the last that was cleared away, perhaps warnings and errors alone."""
    return [e for e in entries if e.number > cleared and not (only_warnings and e.level is Level.INFO)]

"""The laps of an answer as a trace that a browser's viewer opens: the Chrome trace event format, as JSON. Pure.

One thread a stage, numbered from 1, and thread 0 for the tokens themselves:

    tokens      |------- lap -------|------- lap -------|
    1 mini-1    |hop|q|compute|s|
    2 mini-2                     |hop|q|compute|s|

The stages report how long each part took, and in which order; not when by a common clock. So parts are laid end to end
from the beginning of their lap, and what no part covers is left empty at its end.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from app.core.generation.accounting import KINDS, Lap, laps, part_ms
from app.core.generation.request import TokenEvent

PROCESS: Final = 1
WORDS: Final = {"hop": "hop", "queue": "waiting", "compute": "computing", "serialise": "packing"}


def trace(events: Sequence[TokenEvent], machines: Sequence[str], model: str = "") -> dict[str, Any]:
    """Times in microseconds from the first lap's beginning. machines: the stages' nodes, in order."""
    rows: list[dict[str, Any]] = [
        _name("process_name", 0, f"Shardboard {model}".strip()),
        _name("thread_name", 0, "tokens"),
    ]
    found = laps(tuple(events))
    for stage in sorted({timing.stage for lap in found for timing in lap.timings}):
        node = machines[stage] if stage < len(machines) else ""
        rows.append(_name("thread_name", stage + 1, f"{stage + 1} {node}".strip()))
    at = 0.0
    for number, lap in enumerate(found, 1):
        rows += _lap_rows(lap, number, at)
        at += lap.observed_ms
    return {"traceEvents": rows, "displayTimeUnit": "ms"}


def _lap_rows(lap: Lap, number: int, at_ms: float) -> list[dict[str, Any]]:
    about = {"tokens": lap.tokens, "answers in the step": lap.shared}
    rows = [_span(f"token {number}", "token", 0, at_ms, lap.observed_ms, about)]
    here = at_ms
    for timing in sorted(lap.timings, key=lambda each: each.stage):
        for kind in KINDS:
            took = part_ms(timing, kind)
            if took > 0:
                rows.append(_span(WORDS[kind], kind, timing.stage + 1, here, took, {"token": number}))
            here += took
    return rows


def _span(name: str, kind: str, thread: int, at_ms: float, took_ms: float, about: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "cat": kind,
        "ph": "X",
        "pid": PROCESS,
        "tid": thread,
        "ts": round(at_ms * 1000, 3),
        "dur": round(took_ms * 1000, 3),
        "args": about,
    }


def _name(what: str, thread: int, name: str) -> dict[str, Any]:
    return {"name": what, "ph": "M", "pid": PROCESS, "tid": thread, "args": {"name": name}}

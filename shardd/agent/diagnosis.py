"""Why a stage's process ended, in one sentence, from its exit code and the last lines it wrote."""

from __future__ import annotations

import signal
from collections.abc import Sequence

_MEANINGS = {
    signal.SIGKILL: "Somebody ended it, or the system did because memory ran out.",
    signal.SIGABRT: "The library that computes gave up, most often because memory or the GPU failed.",
    signal.SIGSEGV: "It read memory that is not its own; this is a fault in the program.",
    signal.SIGBUS: "It read memory that is not its own; this is a fault in the program.",
    signal.SIGTERM: "Somebody ended it.",
}


def diagnose(return_code: int, told: str | None, last_lines: Sequence[str]) -> str:
    """return_code as asyncio gives it: negative for a signal. told: the cause that the process itself reported."""
    if told:
        return told
    if return_code < 0:
        number = -return_code
        try:
            name = signal.Signals(number).name
            meaning = _MEANINGS.get(signal.Signals(number), "")
        except ValueError:
            name, meaning = f"signal {number}", ""
        return f"The stage's process was killed by {name}. {meaning}".strip()
    evidence = next((line.strip() for line in reversed(last_lines) if line.strip()), "")
    return f"The stage's process ended with code {return_code}" + (f": {evidence}" if evidence else ".")

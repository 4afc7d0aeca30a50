"""Causes of a stage's death, as a table."""

from __future__ import annotations

import pytest

from shardd.agent.diagnosis import diagnose


@pytest.mark.parametrize(
    ("code", "told", "lines", "words"),
    [
        (-9, None, [], "killed by SIGKILL"),
        (-9, None, [], "memory ran out"),
        (-6, None, ["[METAL] out of memory"], "SIGABRT"),
        (-11, None, [], "SIGSEGV"),
        (-200, None, [], "signal 200"),
        (1, "Layer 3 gave no numbers.", ["Traceback"], "Layer 3 gave no numbers."),
        (1, None, ["Traceback", "ValueError: odd", ""], "code 1: ValueError: odd"),
        (0, None, [], "ended with code 0."),
    ],
)
def test_table(code: int, told: str | None, lines: list[str], words: str) -> None:
    assert words in diagnose(code, told, lines)

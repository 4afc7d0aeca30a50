"""TABLE.md is true: a fifth of the architectures is tried again each day, all with SHARDBOARD_SLOW_TESTS=1.

What is not in the table, because a newer mlx-lm brought it, is always tried.
"""

from __future__ import annotations

import os
import time

import pytest

from tests.architectures.configurations import SHARED, model_types
from tests.architectures.table import COLUMNS, DEADLINE_S, TABLE, line, try_in_a_process

PARTS = 5
LINES = {row.split(" | ")[0].removeprefix("| "): row for row in TABLE.read_text().splitlines() if row.startswith("| ")}
LISTED = {row.split(" | ")[1] for row in LINES.values()}
TODAY = int(time.time() // 86400) % PARTS


def todays() -> list[str]:
    """The model types whose turn it is."""
    names = model_types()
    if os.environ.get("SHARDBOARD_SLOW_TESTS"):
        return names
    return [name for number, name in enumerate(names) if number % PARTS == TODAY or name not in LISTED]


def test_every_architecture_of_mlx_lm_is_in_the_table() -> None:
    rows = [row.strip("| ").split(" | ") for name, row in LINES.items() if name != COLUMNS[0]]
    exact = {row[1] for row in rows} - {row[1] for row in rows if "exact" not in row}
    assert not [row for row in rows if "WRONG" in row]
    assert set(model_types()) <= LISTED
    assert len(exact) >= 122


@pytest.mark.skipif(not SHARED.is_dir(), reason="../shared is absent")
@pytest.mark.timeout(DEADLINE_S)
@pytest.mark.parametrize("model_type", todays())
def test_the_table_is_true(model_type: str) -> None:
    for outcome in try_in_a_process(model_type):
        assert not any("WRONG" in result for result in outcome.results.values()), outcome
        if outcome.name in LINES:
            assert line(outcome) == LINES[outcome.name]

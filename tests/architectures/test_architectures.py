"""TABLE.md is true: a twelfth of the architectures is tried again each day, with SHARDBOARD_SLOW_TESTS=1 all of them.

Some each day, with SHARDBOARD_SLOW_TESTS=1 all, are tried with fused kernels, as the table does it: a machine that has
none yet compiles them for minutes. What is not in the table, because a newer mlx-lm brought it, is always tried.
"""

from __future__ import annotations

import importlib
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import mlx.core as mx
import pytest

from shardd.model.inventory import inspect
from shardd.model.light import contained_imports
from tests.architectures import check
from tests.architectures.check import NO_CONFIGURATION, Outcome, try_architecture, try_model_type, write_checkpoint
from tests.architectures.configurations import SHARED, configurations, model_types, other_names
from tests.architectures.table import COLUMNS, DEADLINE_S, TABLE, is_exact, line, try_in_a_process

PARTS, FUSED_PARTS = 12, 48
LINES = {row.split(" | ")[0].removeprefix("| "): row for row in TABLE.read_text().splitlines() if row.startswith("| ")}
LISTED = {row.split(" | ")[1] for row in LINES.values()}
SLOW = bool(os.environ.get("SHARDBOARD_SLOW_TESTS"))
DAY = int(time.time() // 86400)


def todays(parts: int) -> list[str]:
    """The model types whose turn it is."""
    names = model_types()
    return [name for number, name in enumerate(names) if SLOW or (number - DAY) % parts == 0 or name not in LISTED]


@pytest.fixture(scope="module")
def outcomes(request: pytest.FixtureRequest) -> dict[str, list[Outcome]]:
    """Of all model types that were chosen, as many at a time as there are cores."""
    items: list[Any] = request.session.items
    chosen = [item.callspec.params["model_type"] for item in items if item.name.startswith("test_the_table_is_true[")]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        fused = todays(FUSED_PARTS)
        tried = pool.map(lambda name: try_in_a_process(name, fused=name in fused), chosen)
        return dict(zip(chosen, tried, strict=True))


def test_every_architecture_of_mlx_lm_is_in_the_table() -> None:
    rows = [row.strip("| ").split(" | ") for name, row in LINES.items() if name != COLUMNS[0]]
    exact = {row[1] for row in rows} - {row[1] for row in rows if "exact" not in row}
    assert not [row for row in rows if "WRONG" in " ".join(row)]
    assert LISTED - {COLUMNS[1]} == set(model_types()), "write it anew: python -m tests.architectures.table"
    assert len(exact) >= 122


@pytest.mark.skipif(not SHARED.is_dir(), reason="../shared is absent")
@pytest.mark.timeout(2 * DEADLINE_S)
@pytest.mark.parametrize("model_type", todays(PARTS))
def test_the_table_is_true(model_type: str, outcomes: dict[str, list[Outcome]]) -> None:
    for outcome in outcomes[model_type]:
        assert not any("WRONG" in result for result in outcome.results.values()), outcome
        assert line(outcome) == LINES.get(outcome.name), "write it anew: python -m tests.architectures.table"


def test_other_names_of_a_model_type_are_known(tmp_path: Path) -> None:
    for name, model_type in other_names().items():
        given = configurations(model_type)[0]
        alias = replace(given, config=given.config | {"model_type": name})
        inventory = inspect(write_checkpoint(alias, "float32", tmp_path / name))
        assert inventory.model_type == name and inventory.layer_count > 1


def test_a_difference_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Were a split model a rounding away from the whole one, it would be wrong."""
    real = check.whole_logits

    def rounded(directory: Path) -> list[mx.array]:
        return [each * (1 + 2**-23) for each in real(directory)]

    monkeypatch.setattr(check, "whole_logits", rounded)
    outcome = try_architecture(configurations("gpt2")[0], ["float32"])
    assert outcome.results["float32"].startswith("WRONG at [[1, 2, 3, 4], [1], [2]")
    assert not is_exact(outcome)


# -- a newer mlx-lm ---------------------------------------------------------------------------------------------------


@pytest.fixture
def newer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """`newer(name, source)` gives the installed mlx-lm one more architecture."""
    with contained_imports():
        models: Any = importlib.import_module("mlx_lm.models")
    monkeypatch.setattr(models, "__path__", [*models.__path__, str(tmp_path)])

    def add(name: str, source: str) -> None:
        (tmp_path / f"{name}.py").write_text(source)

    return add


def test_a_new_architecture_is_found_and_tried(newer: Callable[[str, str], None]) -> None:
    newer("tomorrow", "from mlx_lm.models.qwen3_next import Model, ModelArgs")
    assert "tomorrow" in model_types()
    mx.disable_compile()
    try:
        (outcome,) = try_model_type("tomorrow")
    finally:
        mx.enable_compile()
    assert outcome.origin == "derived" and is_exact(outcome)
    assert outcome.allowed == [1, 2, 3, 4]


@pytest.mark.parametrize(
    "source",
    [
        "import a_module_that_is_nowhere\nModel = ModelArgs = None",
        "Model = ModelArgs = object",
        "from mlx_lm.models.llama import ModelArgs\ndef Model(args): raise KeyError('secret')",
    ],
)
def test_an_architecture_that_cannot_be_guessed_is_told(source: str, newer: Callable[[str, str], None]) -> None:
    newer(name := f"riddle_{abs(hash(source))}", source)
    (outcome,) = try_model_type(name)
    assert outcome.note.startswith(NO_CONFIGURATION) and not is_exact(outcome)
    assert NO_CONFIGURATION in line(outcome)

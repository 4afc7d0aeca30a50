"""Which model may draft for another, and where its memory counts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from app.core.deployment.drafting import DraftModel, cannot_forget, vocabulary_difference
from app.core.library.models import built_in_model
from app.core.placement.budget import draft_bytes, kv_capacity_tokens, memory_problems, needs
from app.core.placement.placement import even_split
from shardd.model.inventory import Inventory
from shardd.model.survey import survey


@pytest.fixture(scope="module")
def inventory() -> Inventory:
    directory: Path = built_in_model()
    return survey(directory)


@pytest.mark.parametrize(
    ("draft", "model", "words"),
    [
        ({"a": 0, "b": 1}, {"b": 1, "a": 0}, ""),
        ({"a": 0}, {"a": 0, "b": 1}, "1 tokens against 2"),
        ({"a": 1, "b": 0}, {"a": 0, "b": 1}, "2 of 2 are others"),
        ({"a": 0, "c": 1}, {"a": 0, "b": 1}, "1 of 2 are others"),
    ],
)
def test_vocabularies(draft: dict[str, int], model: dict[str, int], words: str) -> None:
    assert vocabulary_difference(draft, model) == words


def test_a_draft_must_be_able_to_forget(inventory: Inventory) -> None:
    count = inventory.layer_count
    assert cannot_forget(DraftModel("small", inventory), 4096) == ""
    window = replace(inventory, kv_limit_tokens=(512, *[None] * (count - 1)))
    assert cannot_forget(DraftModel("small", window), 512) == ""
    assert "its caches hold 512" in cannot_forget(DraftModel("small", window), 1024)
    running = replace(inventory, fixed_cache_bytes=(64, *[0] * (count - 1)))
    assert "running state" in cannot_forget(DraftModel("small", running), 512)


def test_its_memory_counts_on_the_head(inventory: Inventory) -> None:
    placement = even_split(("a", "b"), inventory.layer_count)
    half = inventory.layer_count // 2
    enough = {"a": needs(inventory, 0, half - 1, 512).total, "b": needs(inventory, half, 2 * half - 1, 512).total}
    assert memory_problems(placement, inventory, enough, 512) == ()
    drafting = draft_bytes(inventory, 512)
    assert drafting > inventory.total_bytes
    (problem,) = memory_problems(placement, inventory, enough, 512, drafting)
    assert problem.node == "a"
    assert "its layers and the draft model need" in problem.sentence and "without the draft" in problem.sentence
    roomy: dict[str, int | None] = {name: size + 40_000_000 for name, size in enough.items()}
    assert kv_capacity_tokens(placement, inventory, roomy, 512, drafting) < kv_capacity_tokens(
        placement, inventory, roomy, 512
    )

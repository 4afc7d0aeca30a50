"""What a stage computes next, as tables."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shardd.stage.scheduler import PATIENCE, Waiting, choose
from shardd.stage.timings import Recent, percentile, spread


def chunk(sequence: int) -> Waiting:
    return Waiting((sequence,), chunk=True)


def step(sequence: int) -> Waiting:
    return Waiting((sequence,), chunk=False)


@pytest.mark.parametrize(
    ("queue", "quick", "chosen"),
    [
        ([step(1)], 0, 0),
        ([chunk(1)], 0, 0),
        ([chunk(1), step(2)], 0, 1),  # a running answer goes first
        ([chunk(1), step(1)], 0, 0),  # but never past its own prompt
        ([chunk(1), step(1), step(2)], 0, 2),
        ([step(2), chunk(1)], PATIENCE, 1),  # and a prompt is not starved
        ([step(2)], PATIENCE, 0),
    ],
)
def test_choice(queue: list[Waiting], quick: int, chosen: int) -> None:
    assert choose(queue, quick) == chosen


@given(st.lists(st.tuples(st.integers(1, 3), st.booleans()), min_size=1, max_size=20))
def test_every_sequence_keeps_its_order(items: list[tuple[int, bool]]) -> None:
    """Chunks come before steps within a sequence, as the engine queues them."""
    queue = [chunk(s) for s, is_chunk in items if is_chunk] + [step(s) for s, is_chunk in items if not is_chunk]
    labelled = list(enumerate(queue))
    done: list[tuple[int, Waiting]] = []
    quick = 0
    while labelled:
        at = choose([item for _, item in labelled], quick)
        taken = labelled.pop(at)
        quick = 0 if taken[1].chunk else quick + 1
        done.append(taken)
    for sequence in {item.sequences for item in queue}:
        order = [number for number, item in done if item.sequences == sequence]
        assert order == sorted(order)


def test_percentiles() -> None:
    assert percentile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert percentile([1.0, 2.0], 0.95) == pytest.approx(1.95)
    assert spread([]) is None
    recent = Recent(2)
    for value in (1.0, 2.0, 3.0):
        recent.add(value)
    assert recent.values() == [2.0, 3.0]

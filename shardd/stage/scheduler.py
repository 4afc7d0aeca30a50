"""What a stage computes next: a pure choice over its queue.

Decode steps go before prefill chunks, so that a long prompt never holds up a running answer; after `patience` decode
steps in a row a waiting chunk has its turn, so that it is never starved either. Within one sequence the order is kept.

    queue, oldest first:  chunk A   step B   step C   step A(after its chunk)
    chosen:               step B,   step C,  chunk A,  step A
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

PATIENCE = 4


@dataclass(frozen=True, slots=True)
class Waiting:
    """One item in a queue: which sequences, and whether it is a prefill chunk rather than a quick thing."""

    sequences: tuple[int, ...]
    chunk: bool


def choose(queue: Sequence[Waiting], quick_in_a_row: int, patience: int = PATIENCE) -> int:
    """Index of the item to take. queue must not be empty; quick_in_a_row counts non-chunks since the last chunk."""
    if quick_in_a_row >= patience:
        chunk = next((index for index, item in enumerate(queue) if item.chunk), None)
        if chunk is not None:
            return chunk
    behind_chunk: set[int] = set()
    for index, item in enumerate(queue):
        if item.chunk:
            behind_chunk.update(item.sequences)
        elif behind_chunk.isdisjoint(item.sequences):
            return index
    return 0

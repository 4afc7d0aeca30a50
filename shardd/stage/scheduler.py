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
    """One item in a queue: which sequence, and whether it is a prefill chunk rather than a quick thing."""

    sequence: int
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
            behind_chunk.add(item.sequence)
        elif item.sequence not in behind_chunk:
            return index
    return 0


def chunk_ready(done: int, total: int, in_flight: int, stage_count: int) -> bool:
    """Whether the head may send another prefill chunk of a sequence.

    done: prompt tokens already sent, of total that are prefilled. At most stage_count + 1 chunks travel at a time, so
    that no stage ever holds more than about two waiting chunks.
    """
    return done < total and in_flight <= stage_count

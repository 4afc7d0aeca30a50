"""Which caches are kept after their sequence, and which of them a new prompt can begin with. Pure but for its table.

The head decides for all stages: entries are named by a number, and every stage keeps its own part under it.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass

MIN_SHARED = 16  # fewer tokens than these are quicker computed than looked after
TAKE_SHARE = 0.9


@dataclass(slots=True)
class Kept:
    """A kept cache: which tokens it holds, and when it was used last (a count, not a time)."""

    number: int
    tokens: array[int]
    used: int


@dataclass(frozen=True, slots=True)
class Reuse:
    """Begin with the first `tokens` tokens of entry `number`; take: the entry is used up."""

    number: int
    tokens: int
    take: bool


def shared_length(one: array[int], other: array[int]) -> int:
    """Length of the longest common prefix."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


class PrefixIndex:
    """The head's table of kept caches. trimmable: whether caches can forget their last tokens."""

    def __init__(self) -> None:
        self._entries: dict[int, Kept] = {}
        self._clock = 0

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def tokens(self) -> int:
        """Tokens in all entries."""
        return sum(len(entry.tokens) for entry in self._entries.values())

    def add(self, number: int, tokens: Sequence[int]) -> list[int]:
        """Books an entry; the numbers of those that it makes superfluous, being their continuation."""
        self._clock += 1
        fresh = Kept(number, array("q", tokens), self._clock)
        covered = [
            entry.number
            for entry in self._entries.values()
            if len(entry.tokens) <= len(fresh.tokens) and shared_length(entry.tokens, fresh.tokens) == len(entry.tokens)
        ]
        self._entries[number] = fresh
        return covered

    def find(self, prompt: Sequence[int], *, trimmable: bool) -> Reuse | None:
        """The entry that shares most with the prompt, of which at least the last token is left to compute."""
        wanted = array("q", prompt)
        best: Reuse | None = None
        for entry in self._entries.values():
            shared = shared_length(entry.tokens, wanted)
            if shared == len(wanted):
                shared -= 1
            if not trimmable and shared < len(entry.tokens):
                continue
            if shared >= MIN_SHARED and (best is None or shared > best.tokens):
                best = Reuse(entry.number, shared, take=shared >= TAKE_SHARE * len(entry.tokens))
        if best is not None:
            self._clock += 1
            self._entries[best.number].used = self._clock
        return best

    def remove(self, number: int) -> None:
        self._entries.pop(number, None)

    def to_evict(self, tokens: int) -> list[int]:
        """The least recently used entries that together hold at least so many tokens, or all."""
        chosen: list[int] = []
        for entry in sorted(self._entries.values(), key=lambda entry: entry.used):
            if tokens <= 0:
                break
            chosen.append(entry.number)
            tokens -= len(entry.tokens)
        return chosen

"""Which caches are kept after their sequence, and which of them a new prompt can begin with. Pure but for its table.

The head decides for all stages: entries are named by a number, and every stage keeps its own part under it.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

MIN_SHARED = 16  # fewer tokens than these are quicker computed than looked after
TAKE_SHARE = 0.9
WORTH_READING = 64  # tokens more that a cache on disk must have in common than one in memory


@dataclass(slots=True)
class Kept:
    """A kept cache: which tokens it holds, and when it was used last (a count, not a time).

    weight: of the memory that its tokens would take in a running sequence, the share that it takes. trims: whether it
    can forget its last tokens. booked_at: since when it has not been on disk, in seconds.
    """

    number: int
    tokens: array[int]
    used: int
    weight: float = 1.0
    trims: bool = True
    in_memory: bool = True
    on_disk: bool = False
    booked_at: float = 0.0

    @property
    def room(self) -> float:
        """Tokens of a running sequence that would take the same memory."""
        return len(self.tokens) * self.weight if self.in_memory else 0.0


@dataclass(frozen=True, slots=True)
class Reuse:
    """Begin with the first `tokens` tokens of entry `number`; take: what is in memory of it is used up."""

    number: int
    tokens: int
    take: bool
    in_memory: bool = True


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


def surplus(rooms: Iterable[tuple[int, float]], share: float, capacity: int, running: int) -> list[int]:
    """Which kept caches have to leave the memory. Running answers come first, then the latest used ones.

    rooms: number and room of each, the longest unused first. share: of `capacity`, both as tokens, that they may take
    together; the latest used one may take more, so that a conversation can always go on, but never what runs needs.
    """
    entries = list(rooms)
    total = sum(room for _, room in entries)
    free = capacity - running
    doomed: list[int] = []
    for place, (number, room) in enumerate(entries):
        latest = place == len(entries) - 1
        allowed = free if latest and share > 0 else min(share * capacity, free)
        if total <= allowed:
            break
        doomed.append(number)
        total -= room
    return doomed


class PrefixIndex:
    """The head's table of kept caches."""

    def __init__(self) -> None:
        self._entries: dict[int, Kept] = {}
        self._clock = 0

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, number: int) -> bool:
        return number in self._entries

    def __getitem__(self, number: int) -> Kept:
        return self._entries[number]

    def all(self) -> list[Kept]:
        """The longest unused first."""
        return sorted(self._entries.values(), key=lambda entry: entry.used)

    @property
    def room(self) -> float:
        """What all entries in memory take, as tokens of a running sequence."""
        return sum(entry.room for entry in self._entries.values())

    def add(self, number: int, tokens: Sequence[int], *, trims: bool = True, weight: float = 1.0) -> Kept:
        """Books an entry."""
        self._clock += 1
        entry = self._entries[number] = Kept(number, array("q", tokens), self._clock, weight, trims)
        return entry

    def covered_by(self, number: int) -> list[Kept]:
        """Entries for which this one serves too, being their continuation."""
        longer = self._entries[number]
        if not longer.trims:
            return []
        return [
            entry
            for entry in self._entries.values()
            if entry is not longer and shared_length(entry.tokens, longer.tokens) == len(entry.tokens)
        ]

    def find(self, prompt: Sequence[int], without: Collection[int] = ()) -> Reuse | None:
        """The entry that shares most with the prompt, of which at least the last token is left to compute."""
        wanted = array("q", prompt)
        best: Reuse | None = None
        best_worth = MIN_SHARED - 1
        for entry in self._entries.values():
            if entry.number in without:
                continue
            shared = shared_length(entry.tokens, wanted)
            if shared == len(wanted):
                shared -= 1
            if not entry.trims and shared < len(entry.tokens):
                continue
            worth = shared if entry.in_memory else shared - WORTH_READING
            if shared >= MIN_SHARED and worth > best_worth:
                take = entry.on_disk or shared >= TAKE_SHARE * len(entry.tokens)
                best, best_worth = Reuse(entry.number, shared, take, entry.in_memory), worth
        if best is not None:
            self._clock += 1
            self._entries[best.number].used = self._clock
        return best

    def rooms(self, without: Collection[int] = ()) -> list[tuple[int, float]]:
        """Number and room of each entry in memory, the longest unused first."""
        return [(entry.number, entry.room) for entry in self.all() if entry.in_memory and entry.number not in without]

    def out_of_memory(self, number: int) -> None:
        """It is not in memory any more: what is not on disk either is forgotten."""
        entry = self._entries.get(number)
        if entry is not None:
            entry.in_memory = False
            if not entry.on_disk:
                del self._entries[number]

    def remove(self, number: int) -> None:
        self._entries.pop(number, None)

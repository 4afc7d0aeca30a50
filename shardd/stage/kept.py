"""The head's decisions on kept caches: which a prompt begins with, which stay in memory, which go to the disk.

    running --ends--> in memory --taken--> running
                      in memory --no room for it, or at rest for a while--> on disk --wanted again--> in memory

All stages do what is decided here. What is on disk is only believed to be there: when it is wanted, all stages say.
"""

from __future__ import annotations

import secrets
import time
from array import array
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from shardd.stage.orders import PipelineOptions
from shardd.stage.prefixes import Kept, PrefixIndex, Reuse, surplus

REST_S = 20.0  # what was not used for so long goes to the disk too, so that a crash does not lose it
RECALL_S = 20.0
MAX_SPILLED = 256
MAX_MISSES = 3  # caches that a prompt asks back in vain before it begins without


class Keeping(Protocol):
    """What the head can have done with kept caches, on all stages at once. token_ids: asked when one is written."""

    token_ids: Callable[[int], Sequence[int]]

    def manage(self, *, drop: Sequence[int] = (), release: Sequence[int] = (), save: Sequence[int] = ()) -> None: ...
    def recall(self, number: int) -> None: ...
    def holds(self, number: int) -> bool: ...
    def weight(self, number: int) -> float: ...
    def trims(self, number: int) -> bool: ...
    def later(self, seconds: float, job: Callable[[], None]) -> None: ...
    def spilled(self, most: int) -> list[tuple[int, array[int], bool]]: ...


class KeptCaches:
    """Used by the compute thread.

    capacity: tokens that all caches may hold together. given_up: called with (number, False) where no answer comes to
    a recall.
    """

    def __init__(
        self,
        options: PipelineOptions,
        capacity: int,
        keeping: Keeping,
        given_up: Callable[[int, bool], None],
    ) -> None:
        self._share = options.kept_share
        self._spills = options.spill_bytes > 0
        self._capacity = capacity
        self._keeping = keeping
        keeping.token_ids = self.token_ids
        self._given_up = given_up
        self._index = PrefixIndex()
        self._recalling: set[int] = set()
        self._settling = False
        for number, tokens, trims in reversed(keeping.spilled(MAX_SPILLED) if self._spills else []):
            entry = self._index.add(number, tokens, trims=trims)
            entry.in_memory, entry.on_disk = False, True

    @property
    def wanted(self) -> bool:
        """Whether any cache is kept at all."""
        return self._share > 0 or self._spills

    def new_number(self) -> int:
        """A name for a cache to be kept, never used before."""
        return secrets.randbits(63) + 1

    def token_ids(self, number: int) -> Sequence[int]:
        return self._index[number].tokens if number in self._index else ()

    def awaited(self, prompt: Sequence[int], running: int) -> bool:
        """Whether the cache that the prompt begins with best has to come from the disk first; it is asked for.

        running: tokens of memory for all running answers, this one's included.
        """
        best = self._index.find(prompt)
        if best is None or best.in_memory:
            return False
        if best.number not in self._recalling:
            self._make_room(running)
            self._recalling.add(best.number)
            self._keeping.recall(best.number)
            self._keeping.later(RECALL_S, lambda: self._give_up(best.number))
        return True

    def begin(self, prompt: Sequence[int], running: int) -> Reuse | None:
        """What in memory an answer begins with; makes room for the answer."""
        best = self._index.find(prompt, {entry.number for entry in self._index.all() if not entry.in_memory})
        if best is not None and not best.take:
            others = self._index.rooms(without={best.number})
            kept = self._index[best.number].room
            if kept + running > self._capacity or not self._share:  # no room for both
                best = Reuse(best.number, best.tokens, take=True)
            else:
                self._evict(surplus([*others, (best.number, kept)], self._share, self._capacity, running))
        if best is None or best.take:
            if best is not None:
                self._index.out_of_memory(best.number)
            self._make_room(running)
        return best

    def book(self, number: int, tokens: Sequence[int], running: int) -> None:
        """A sequence has ended and all stages keep its cache under this number."""
        if not self._keeping.holds(number):  # its kind of cache could not be kept
            self._keeping.manage(drop=[number])
            return
        entry = self._index.add(number, tokens, trims=self._keeping.trims(number), weight=self._keeping.weight(number))
        entry.booked_at = time.monotonic()
        self._forget(each for each in self._index.covered_by(number) if not each.on_disk)
        self._free(each.number for each in self._index.covered_by(number) if each.in_memory)
        self._make_room(running)
        self._settle_later()

    def discard(self, number: int) -> None:
        """A cache that stages may have kept is not wanted after all."""
        self._keeping.manage(drop=[number])

    def recalled(self, number: int, held: bool) -> bool:
        """All stages have said whether they have a cache again. False: a prompt has waited for it in vain."""
        if number not in self._recalling:  # too late
            if held:
                self._keeping.manage(release=[number])
            return True
        self._recalling.discard(number)
        if number not in self._index:
            self._keeping.manage(drop=[number])
            return False
        entry = self._index[number]
        if held:
            entry.in_memory, entry.weight = True, self._keeping.weight(number)
        else:
            self._forget([entry])
        return held

    def reset(self) -> None:
        """The pipeline broke. Every stage wrote what it could; what it could not is found missing when it is wanted."""
        self._recalling.clear()
        for entry in self._index.all():
            entry.on_disk = entry.on_disk or self._spills
            self._index.out_of_memory(entry.number)

    # -- inside ------------------------------------------------------------------------------------------------------

    def _make_room(self, running: int) -> None:
        self._evict(surplus(self._index.rooms(), self._share, self._capacity, running))

    def _evict(self, numbers: Sequence[int]) -> None:
        """Out of memory, onto the disk where that is wanted."""
        if not numbers:
            return
        if not self._spills:
            self._forget([self._index[number] for number in numbers])
            return
        self._keeping.manage(release=numbers)
        self._now_on_disk(numbers)
        for number in numbers:
            self._index.out_of_memory(number)

    def _free(self, numbers: Iterable[int]) -> None:
        """Out of memory, being on disk already."""
        doomed = list(numbers)
        if doomed:
            self._keeping.manage(release=doomed)
        for number in doomed:
            self._index.out_of_memory(number)

    def _forget(self, entries: Iterable[Kept]) -> None:
        numbers = [entry.number for entry in entries]
        if numbers:
            self._keeping.manage(drop=numbers)
        for number in numbers:
            self._index.remove(number)

    def _now_on_disk(self, numbers: Sequence[int]) -> None:
        """What these continue is not needed any longer, nor more of the oldest than can be looked after."""
        for number in numbers:
            if number in self._index:
                self._index[number].on_disk = True
                self._forget(self._index.covered_by(number))
        spilled = [entry for entry in self._index.all() if entry.on_disk and not entry.in_memory]
        self._forget(spilled[: max(0, len(spilled) - MAX_SPILLED)])

    def _settle_later(self) -> None:
        if self._spills and not self._settling and any(not entry.on_disk for entry in self._index.all()):
            self._settling = True
            self._keeping.later(REST_S, self._settle)

    def _settle(self) -> None:
        """Writes what has been at rest for long enough."""
        self._settling = False
        before = time.monotonic() - REST_S
        resting = [each.number for each in self._index.all() if not each.on_disk and each.booked_at <= before]
        if resting:
            self._keeping.manage(save=resting)
            self._now_on_disk(resting)
        self._settle_later()

    def _give_up(self, number: int) -> None:
        if number in self._recalling:  # a stage's disk hangs
            self._given_up(number, False)

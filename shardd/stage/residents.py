"""The sequences that live on a stage, and their caches, alone or merged in batches."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from shardd.model.caches import StageCache
from shardd.model.stage import Stage
from shardd.rpc import lane_pb2
from shardd.stage.frames import FrameError
from shardd.stage.keeper import Keeper
from shardd.stage.work import Row

HELD_S = 60.0  # how long an interrupted sequence's cache waits for it to be resumed


@dataclass(slots=True)
class Batch:
    """A merged cache; members are its rows, in order."""

    members: tuple[int, ...]
    cache: StageCache


@dataclass(slots=True)
class Resident:
    """One sequence on this stage. Its cache is its own, or a row of a batch.

    position: tokens that the cache holds. held: of them from before an interruption. snapshot_at: keep a copy as
    `opened.snapshot` when it holds so many.
    """

    id: int
    opened: lane_pb2.Open
    source: str
    cache: StageCache | None
    position: int = 0
    snapshot_at: int = 0
    held: int = 0
    batch: Batch | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class _Held:
    """The cache of an interrupted sequence."""

    cache: StageCache
    tokens: int


class Residents:
    """The caches of all sequences of a stage. Used by the compute thread; bytes() may be called from any.

    capacity: tokens that all caches may hold together, to be set.
    """

    def __init__(self, stage: Stage, keeper: Keeper) -> None:
        self._stage = stage
        self._keeper = keeper
        self.capacity = 0
        self._residents: dict[int, Resident] = {}
        self._held: dict[int, _Held] = {}  # the latest interrupted last

    def __len__(self) -> int:
        return len(self._residents)

    def __contains__(self, sequence_id: int) -> bool:
        return sequence_id in self._residents

    def get(self, sequence_id: int) -> Resident | None:
        return self._residents.get(sequence_id)

    def all(self) -> list[Resident]:
        return list(self._residents.values())

    def open(
        self, sequence_id: int, opened: lane_pb2.Open, source: str, prompt_tokens: int, *, resumed: bool = False
    ) -> Resident:
        """Begins a sequence, with a kept cache where the head says so. Raises FrameError where that is not here.

        resumed: it goes on with the cache of the interrupted one, where that is here."""
        held = self._held.pop(opened.resumes, None)
        if resumed and held is not None and self._holds(held, prompt_tokens):
            position = prompt_tokens - 1
            if held.tokens == position or held.cache.trim(held.tokens - position):
                resident = Resident(sequence_id, opened, source, held.cache, position, held=position)
                self._residents[sequence_id] = resident
                return resident
        self._make_room(prompt_tokens + opened.max_tokens - opened.generated)
        if opened.kept:
            cache = self._keeper.take(opened.kept, opened.kept_tokens, last=opened.take_kept)
        else:
            cache = self._stage.make_cache()
        snapshot_at = prompt_tokens - 1 if opened.snapshot else 0
        resident = Resident(sequence_id, opened, source, cache, opened.kept_tokens, snapshot_at)
        self._residents[sequence_id] = resident
        return resident

    def cache_for(self, rows: Sequence[Row]) -> StageCache:
        """The cache with which these rows are computed: the sequence's own, or a batch's. Raises FrameError."""
        if len(rows) == 1:
            return self._own_cache(rows[0])
        ids = tuple(row.sequence for row in rows)
        batch = self._residents[ids[0]].batch
        if batch is None or batch.members != ids:
            # Merged anew from the single caches: rotating caches cannot be put together in another way.
            batch = Batch(ids, self._stage.merge_caches([self._own_cache(row) for row in rows]))
            for number in ids:
                self._residents[number].batch, self._residents[number].cache = batch, None
        for row in rows:
            self._check(row)
        return batch.cache

    def holder(self, rows: Sequence[Row]) -> Resident | Batch | None:
        """Who holds the cache of these rows' next step, where that is ready to go on; None: it has to be made."""
        first = self._residents.get(rows[0].sequence)
        if first is None or any(self._residents[row.sequence].position != row.position for row in rows):
            return None
        if first.batch is None:
            return first if len(rows) == 1 else None
        return first.batch if first.batch.members == tuple(row.sequence for row in rows) else None

    def moved(self, rows: Iterable[Row], tokens: int) -> None:
        """These sequences have so many tokens more."""
        for row in rows:
            resident = self._residents[row.sequence]
            resident.position += tokens
            if resident.snapshot_at and resident.position == resident.snapshot_at and resident.cache is not None:
                self._keeper.put(resident.opened.snapshot, self._stage.fork_cache(resident.cache), resident.position)

    def close(self, sequence_id: int, keep_tokens: int = 0, keep_as: int = 0) -> Resident | None:
        """Ends a sequence; keeps the cache of its first tokens, under a number, where that is asked and possible."""
        resident = self._residents.get(sequence_id)
        if resident is None:
            return None
        if 0 < keep_tokens <= resident.position:
            cache = self._own_cache(Row(sequence_id, resident.position))
            if resident.position == keep_tokens or cache.trim(resident.position - keep_tokens):
                self._keeper.put(keep_as, cache, keep_tokens)
        return self._residents.pop(sequence_id)

    def trimmable(self, sequence_id: int, more: int) -> bool:
        """Whether a sequence's cache can be trimmed after so many more tokens."""
        resident = self._residents.get(sequence_id)
        cache = resident.cache if resident else None
        return cache is not None and cache.trimmable_after(more)

    # -- interrupted ones --------------------------------------------------------------------------------------------

    def hold(self, sequence_id: int) -> None:
        """Keeps the cache of a sequence that is interrupted, for a while, in case it is resumed."""
        resident = self._residents.get(sequence_id)
        if resident is not None and resident.position:
            cache = self._own_cache(Row(sequence_id, resident.position))
            self._held[sequence_id] = held = _Held(cache, resident.position)
            self._keeper.later(HELD_S, lambda: self._give_up(sequence_id, held))

    def resumable(self, opened: lane_pb2.Open, prompt_tokens: int) -> bool:
        """Whether the cache is here with which this sequence is to be resumed."""
        held = self._held.get(opened.resumes)
        return held is not None and self._holds(held, prompt_tokens)

    def passes(self, rows: Sequence[Row], tokens: int) -> bool:
        """Whether the cache has these tokens of a prompt from before an interruption."""
        resident = self._residents.get(rows[0].sequence)
        return resident is not None and rows[0].position + tokens <= resident.held

    def nobody_needs(self, rows: Sequence[Row], stage_index: int) -> bool:
        """Whether all stages after this one have the sequence's prompt from before an interruption."""
        resident = self._residents.get(rows[0].sequence)
        return resident is not None and resident.opened.resumes != 0 and stage_index + 1 >= resident.opened.held_from

    @staticmethod
    def _holds(held: _Held, prompt_tokens: int) -> bool:
        more = held.tokens - (prompt_tokens - 1)
        return more == 0 or (more > 0 and held.cache.trimmable)

    def _give_up(self, sequence_id: int, held: _Held) -> None:
        if self._held.get(sequence_id) is held:
            del self._held[sequence_id]

    def _make_room(self, tokens: int) -> None:
        """For a new sequence those give way that may not be resumed at all, the latest interrupted last."""
        running = sum(resident.position for resident in self._residents.values())
        while self._held and running + tokens + sum(held.tokens for held in self._held.values()) > self.capacity:
            del self._held[next(iter(self._held))]

    # -- their memory ------------------------------------------------------------------------------------------------

    def bytes(self) -> int:
        """Of these and of the kept ones."""
        caches: dict[int, StageCache] = {}
        for resident in list(self._residents.values()):
            batch = resident.batch
            cache = batch.cache if batch else resident.cache
            if cache is not None:
                caches[id(cache)] = cache
        caches |= {id(held.cache): held.cache for held in list(self._held.values())}
        return sum(self._stage.cache_bytes(cache) for cache in caches.values()) + self._keeper.bytes()

    def _own_cache(self, row: Row) -> StageCache:
        """The sequence's cache, taken out of its batch and trimmed where proposed tokens were wrong."""
        resident = self._residents[row.sequence]
        if resident.batch is not None:
            place = resident.batch.members.index(resident.id)
            resident.cache = self._stage.extract_cache(resident.batch.cache, place)
            resident.batch = None
        cache = resident.cache
        assert cache is not None
        if row.position < resident.position:
            if not cache.trim(resident.position - row.position):
                raise FrameError("a step back in a sequence whose cache cannot be trimmed")
            resident.position = row.position
        self._check(row)
        return cache

    def _check(self, row: Row) -> None:
        position = self._residents[row.sequence].position
        if row.position != position:
            raise FrameError(f"token {row.position} of a sequence that is at {position}")

"""One sequence's caches on a stage.

Model files index one list of caches for the whole model, and read masks and offsets from entries of layers that
are elsewhere. So a stage hands them a list of full length in which

    own    entries of the stage's layers are real;
    alias  a foreign entry is a local one of the same kind: it has seen the same tokens;
    clock  a foreign entry without a local one of its kind counts tokens in rows of width one.
"""

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, cast

import mlx.core as mx

from shardd.model.flow import Flow
from shardd.model.leaves import class_of, evaluate, flatten, state_of
from shardd.model.trace import BATCH, Trace, new_cache


@dataclass(frozen=True)
class CacheCost:
    """What one layer's cache takes for one sequence.

    Attributes:
        per_token: bytes for each token.
        limit: tokens after which it grows no more (a sliding window), if any.
        fixed: bytes it takes however many tokens there are.
    """

    per_token: int = 0
    limit: int | None = None
    fixed: int = 0


@dataclass(frozen=True)
class StageCache:
    """The caches of one sequence (or one batch) on one stage.

    Attributes:
        entries: the list that the model is given.
        own: the stage's own entries, each once.
        clocks: entries that only count tokens.
    """

    entries: list[Any]
    own: tuple[Any, ...]
    clocks: tuple[Any, ...]

    def arrays(self) -> list[mx.array]:
        return [leaf for entry in (*self.own, *self.clocks) for leaf in _state(entry)]

    @property
    def trimmable(self) -> bool:
        """Whether every entry can forget its last tokens."""
        return all(entry.is_trimmable() for entry in (*self.own, *self.clocks))

    def trimmable_after(self, tokens: int) -> bool:
        """Whether `trimmable` will still hold after so many more tokens."""
        parts = [part for entry in (*self.own, *self.clocks) for part in _parts(entry)]
        return self.trimmable and all(
            part.offset + tokens < part.max_size for part in parts if hasattr(part, "max_size")
        )

    def trim(self, tokens: int) -> bool:
        """Forget the last `tokens` tokens; False, and nothing done, where an entry cannot."""
        if not self.trimmable:
            return False
        for entry in (*self.own, *self.clocks):
            entry.trim(tokens)
        return True


class CacheLayout:
    """Which entry of the model's cache list is what on the stage of layers `first` to `last`."""

    def __init__(self, model: Any, flow: Flow, first: int, last: int) -> None:
        self._model = model
        self._model_entries = new_cache(model)
        handed = frozenset[int]().union(*flow.handed)
        own = frozenset[int]().union(*flow.handed[first : last + 1])
        # An entry that no layer is given (a state of the embedding) is the head's; elsewhere it is made anew.
        rest = frozenset(range(len(self._model_entries))) - handed
        self._own = sorted(own | rest if first == 0 else own)
        self._blank = sorted(rest) if first else []
        home: dict[Any, int] = {}
        for number in (*self._own, *sorted(handed - own)):
            home.setdefault(_kind(self._model_entries[number]), number)
        self._clocks = [number for number in home.values() if number not in own and number in handed]
        self._alias = [
            home[_kind(entry)] if number in handed - own else number for number, entry in enumerate(self._model_entries)
        ]

    @property
    def ticks(self) -> bool:
        """Whether `tick` does anything."""
        return bool(self._clocks or self._blank)

    @property
    def mergeable(self) -> bool:
        """Whether caches of several sequences can become one of a batch."""
        used = [self._model_entries[number] for number in (*self._own, *self._clocks)]
        return not self._blank and all(hasattr(part, "merge") for entry in used for part in _parts(entry))

    def make(self) -> StageCache:
        """An empty cache."""
        return self._arrange(dict(enumerate(new_cache(self._model))))

    def merge(self, caches: Sequence[StageCache]) -> StageCache:
        """One cache for a batch of sequences, a row each, with as many tokens each as they have. Copies."""
        merged = {number: _merge([cache.entries[number] for cache in caches]) for number in self._used}
        return self._arrange(merged)

    def extract(self, batch: StageCache, row: int) -> StageCache:
        """The cache of one row of a batch, as a copy."""
        return self._arrange({number: _extract(batch.entries[number], row) for number in self._used})

    def fork(self, cache: StageCache) -> StageCache:
        """A cache with the same tokens that goes its own way. Shares memory until one of both changes it."""
        forked = self._arrange({number: _fork(cache.entries[number]) for number in self._used})
        for number in self._blank:
            forked.entries[number] = copy.deepcopy(self._model_entries[number])
        return forked

    @property
    def _used(self) -> list[int]:
        return [*self._own, *self._clocks]

    def _arrange(self, entries: Mapping[int, Any]) -> StageCache:
        return StageCache(
            entries=[entries.get(number) for number in self._alias],
            own=tuple(entries[number] for number in self._own),
            clocks=tuple(entries[number] for number in self._clocks),
        )

    def tick(self, cache: StageCache, batch: int, tokens: int) -> None:
        """Bring the foreign entries to the end of the step that the own ones have just done."""
        for number in self._blank:
            cache.entries[number] = copy.deepcopy(self._model_entries[number])
        for clock in cache.clocks:
            for part in _parts(clock):
                if hasattr(part, "update_and_fetch"):
                    row = mx.zeros((batch, 1, tokens, 1))
                    part.update_and_fetch(row, row)
                    evaluate(part.keys, part.values)  # nothing else ever asks for them


def _merge(entries: list[Any]) -> Any:
    return class_of(entries[0]).merge(entries)


def _extract(entry: Any, row: int) -> Any:
    if hasattr(entry, "caches"):
        return class_of(entry)(*(_extract(part, row) for part in entry.caches))
    slots: list[Any] | None = getattr(entry, "cache", None)
    if isinstance(slots, list) and None in slots:  # a clock's: extract would index nothing
        twin = _fork(entry)
        twin.cache = [None if slot is None else slot[row : row + 1] for slot in slots]
        twin.left_padding = None
        return twin
    return entry.extract(row)


def _fork(entry: Any) -> Any:
    """A shallow copy: arrays are values, only lists of them have to be new."""
    twin = copy.copy(entry)
    for name, value in state_of(entry).items():
        if name == "caches":
            twin.caches = tuple(_fork(part) for part in value)
        elif isinstance(value, list | dict):
            setattr(twin, name, copy.copy(cast("list[Any]", value)))
        elif isinstance(value, mx.array):
            setattr(twin, name, copy.copy(value))  # `keys[...] = x` changes the array object in place
    return twin


def cache_costs(traced: Trace, flow: Flow) -> tuple[CacheCost, ...]:
    """What each layer's cache takes; an entry that several layers share counts for the first."""
    seen: set[int] = set()
    costs: list[CacheCost] = []
    for handed in flow.handed:
        parts = [part for number in sorted(handed - seen) for part in _parts(traced.cache[number])]
        seen |= handed
        costs.append(_sum(_cost(part) for part in parts))
    return tuple(costs)


def _cost(part: Any) -> CacheCost:
    keys: Any = getattr(part, "keys", None)
    values: Any = getattr(part, "values", None)
    if isinstance(keys, mx.array) and isinstance(values, mx.array):
        rows = keys.shape[-2]
        limit: int | None = getattr(part, "max_size", None) or getattr(part, "chunk_size", None)
        return CacheCost(per_token=(keys.nbytes + values.nbytes) // (BATCH * rows), limit=limit)
    return CacheCost(fixed=sum(prod(leaf.shape[1:]) * leaf.itemsize for leaf in _own_state(part) if leaf.ndim))


def _sum(costs: Iterable[CacheCost]) -> CacheCost:
    total = CacheCost()
    for cost in costs:
        # Of several limits the later one: the layer grows until then.
        growing = [one for one in (total, cost) if one.per_token]
        limits = [one.limit for one in growing]
        limit = None if None in limits else max((n for n in limits if n is not None), default=None)
        total = CacheCost(total.per_token + cost.per_token, limit, total.fixed + cost.fixed)
    return total


def _kind(entry: Any) -> Any:
    """What two entries must have in common to stand for each other: class and settings."""
    if hasattr(entry, "caches"):
        return class_of(entry), tuple(_kind(part) for part in entry.caches)
    settings = ((name, value) for name, value in state_of(entry).items() if isinstance(value, int | str))
    return class_of(entry), tuple(sorted(settings))


def _parts(entry: Any) -> tuple[Any, ...]:
    """The simple caches in an entry."""
    return tuple(getattr(entry, "caches", (entry,)))


def _state(entry: Any) -> list[mx.array]:
    return [leaf for part in _parts(entry) for leaf in _own_state(part)]


def _own_state(part: Any) -> list[mx.array]:
    return list(flatten(dict(state_of(part))).values())

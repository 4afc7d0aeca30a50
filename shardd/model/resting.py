"""Caches at rest: one sequence's cache as plain arrays and a description, in fewer bits where asked.

A description names classes and attributes only to be compared with those of a fresh cache: nothing is looked up by it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import mlx.core as mx

from shardd.model.caches import StageCache
from shardd.model.leaves import class_of, evaluate, state_of

GROUPS = (64, 32)  # values that share a scale, by preference
KEYS_AND_VALUES = ("keys", "values")
DEEPEST = 8

Description = dict[str, Any]


class RestError(Exception):
    """A cache that cannot be put away or taken up again, with the reason."""


@dataclass(frozen=True, slots=True)
class RestingCache:
    """What a cache is made of.

    Attributes:
        entries: a description of each of the cache's entries, own ones first, then clocks; JSON values only.
        arrays: what the descriptions refer to by index; evaluated.
        full_bytes: what the arrays would take without fewer bits.
    """

    entries: tuple[Description, ...]
    arrays: tuple[mx.array, ...]
    full_bytes: int

    @property
    def nbytes(self) -> int:
        return sum(array.nbytes for array in self.arrays)


def pack(cache: StageCache, bits: int = 0) -> RestingCache:
    """The cache at rest; it may be dropped afterwards. Keys and values are quantised to `bits` (0: not).

    What is no keys and values, and heads whose size no group divides, stay as they are. Raises RestError.
    """
    packing = _Packing(bits)
    entries = tuple(packing.entry(entry) for entry in (*cache.own, *cache.clocks))
    evaluate(packing.arrays)
    return RestingCache(entries, tuple(packing.arrays), packing.full_bytes)


def unpack(resting: RestingCache, fresh: StageCache) -> StageCache:
    """`fresh`, an empty cache of the same stage, filled with what was put away. Raises RestError."""
    entries = (*fresh.own, *fresh.clocks)
    if len(entries) != len(resting.entries):
        raise RestError("it has another number of entries")
    for entry, described in zip(entries, resting.entries, strict=True):
        _fill(entry, described, resting.arrays)
    return fresh


class _Packing:
    def __init__(self, bits: int) -> None:
        self._bits = bits
        self.arrays: list[mx.array] = []
        self.full_bytes = 0

    def entry(self, entry: Any, depth: int = 0) -> Description:
        """Class and attributes of a cache, and of the caches in it."""
        state: Description = {}
        for name, value in state_of(entry).items():
            if name == "caches":
                state[name] = [self.entry(part, depth + 1) for part in value]
            elif name in KEYS_AND_VALUES and isinstance(value, mx.array):
                state[name] = self._keys_or_values(_used(entry, value))
            else:
                state[name] = self._value(value, depth)
        return {"class": _class_name(entry), "state": state}

    def _value(self, value: Any, depth: int) -> Description:
        if isinstance(value, mx.array):
            return {"array": self._add(value)}
        if value is None or isinstance(value, bool | int | float | str):
            return {"plain": value}
        if depth < DEEPEST and isinstance(value, list | tuple):
            items = [self._value(item, depth + 1) for item in cast("list[Any]", value)]
            return {"list" if isinstance(value, list) else "tuple": items}
        if depth < DEEPEST and isinstance(value, dict):
            fields = cast("dict[Any, Any]", value)
            if all(isinstance(key, str) for key in fields):
                return {"dict": {key: self._value(item, depth + 1) for key, item in fields.items()}}
        raise RestError(f"it holds a {class_of(value).__name__}")

    def _keys_or_values(self, array: mx.array) -> Description:
        group = next((size for size in GROUPS if array.ndim and array.shape[-1] and array.shape[-1] % size == 0), 0)
        if not self._bits or not group or not array.size or not mx.issubdtype(array.dtype, mx.floating):
            return {"array": self._add(array)}
        parts = mx.quantize(array, group_size=group, bits=self._bits)
        self.full_bytes += array.nbytes - sum(part.nbytes for part in parts)
        return {"quantised": [self._add(part) for part in parts], "group": group, "bits": self._bits}

    def _add(self, array: mx.array) -> int:
        self.arrays.append(array)
        self.full_bytes += array.nbytes
        return len(self.arrays) - 1


def _used(entry: Any, array: mx.array) -> mx.array:
    """Keys or values without the room that a plain cache has ready for tokens to come."""
    if _class_name(entry) != "mlx_lm.models.cache.KVCache" or array.shape[-2] <= entry.offset:
        return array
    return array[..., : entry.offset, :]


def _fill(entry: Any, described: Description, arrays: tuple[mx.array, ...]) -> None:
    if described["class"] != _class_name(entry):
        raise RestError(f"it was a {described['class']} and is a {_class_name(entry)}")
    known = state_of(entry)
    state: Mapping[str, Any] = described["state"]
    for name, value in state.items():
        if name not in known:
            raise RestError(f"its {name} is unknown here")
        if name == "caches":
            if len(value) != len(known[name]):
                raise RestError("it has another number of parts")
            for part, each in zip(known[name], value, strict=True):
                _fill(part, each, arrays)
        else:
            setattr(entry, name, _restored(value, arrays))


def _restored(value: Description, arrays: tuple[mx.array, ...]) -> Any:
    match value:
        case {"array": int(index)}:
            return arrays[index][...]  # an array object of its own: caches change theirs in place
        case {"quantised": [weights, scales, biases], "group": int(group), "bits": int(bits)}:
            return mx.dequantize(arrays[weights], arrays[scales], arrays[biases], group_size=group, bits=bits)
        case {"plain": plain}:
            return plain
        case {"list": items}:
            return [_restored(item, arrays) for item in items]
        case {"tuple": items}:
            return tuple(_restored(item, arrays) for item in items)
        case {"dict": fields}:
            return {key: _restored(item, arrays) for key, item in fields.items()}
        case _:
            raise RestError("it is described in an unknown way")


def _class_name(entry: Any) -> str:
    kind = class_of(entry)
    return f"{kind.__module__}.{kind.__qualname__}"

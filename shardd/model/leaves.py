"""Arrays inside nested values: what layers are given and return.

A leaf is an array (or a `Form` standing for one). Containers are tuples, lists, dicts, and plain objects of a
model file; everything else (modules, caches, numbers, None) is passed on as it is. A path is the keys from the
root to a leaf.
"""

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, cast

import mlx.core as mx
import mlx.nn as nn  # pyright: ignore[reportMissingTypeStubs]  # mlx ships none for it

LeafPath = tuple[Any, ...]
DEPTH_LIMIT = 8


@dataclass(frozen=True, slots=True)
class Form:
    """The form of an array.

    Attributes:
        dtype: as MLX names it, "bfloat16".
        shape: a number for each fixed dimension; "B" and "L" where batch and token counts stand, "T" where the
            dimension grows with the context.
    """

    dtype: str
    shape: tuple[int | str, ...]

    def sized(self, batch: int, tokens: int) -> tuple[int, ...]:
        """The shape for `batch` sequences of `tokens` tokens ("T" counts as "L")."""
        return tuple(batch if n == "B" else tokens if isinstance(n, str) else n for n in self.shape)


def class_of(value: object) -> Any:
    """`type`, for classes that are not known here."""
    return type(value)


def state_of(value: object) -> dict[str, Any]:
    """An object's own attributes, live."""
    return vars(value)


def evaluate(*trees: Any) -> None:
    """`mx.eval`, typed."""
    mx.eval(*trees)  # pyright: ignore[reportUnknownMemberType]  # mlx leaves its arguments untyped


def flatten(value: Any) -> dict[LeafPath, Any]:
    """All leaves of `value` by path, in order."""
    return dict(_walk(value, ()))


def rebuild(value: Any, replace: Callable[[LeafPath, Any], Any], path: LeafPath = ()) -> Any:
    """A copy of `value` with `replace(path, leaf)` in the place of each leaf."""
    if isinstance(value, mx.array | Form):
        return replace(path, value)
    items = _children(value, len(path))
    if not items:
        return value
    children = {key: rebuild(child, replace, (*path, key)) for key, child in items}
    if isinstance(value, dict):
        return {**cast("dict[Any, Any]", value), **children}
    if isinstance(value, list):
        return list(children.values())
    kind = class_of(cast("object", value))
    if isinstance(value, tuple):
        values = tuple(children.values())
        return kind(*values) if hasattr(kind, "_fields") else values  # a named tuple is made from its fields
    twin = copy.copy(value)
    for key, child in children.items():
        setattr(twin, key, child)
    return twin


def find(value: Any, path: LeafPath) -> Any:
    """What stands at `path` of `value`."""
    for key in path:
        value = value[key] if hasattr(value, "__getitem__") else getattr(value, key)
    return value


def assign(value: Any, path: LeafPath, leaf: Any) -> None:
    """Put `leaf` at `path` of `value`, in place; the container it stands in is a list, dict or object."""
    *inner, last = path
    value = find(value, tuple(inner))
    if hasattr(value, "__setitem__"):
        value[last] = leaf
    else:
        setattr(value, last, leaf)


def numbers_in(value: Any) -> dict[LeafPath, float]:
    """All plain numbers in `value` by path."""
    return {path: leaf for path, leaf in _walk(value, (), int | float) if not isinstance(leaf, bool)}


def _walk(value: Any, path: LeafPath, leaf: Any = mx.array | Form) -> Iterator[tuple[LeafPath, Any]]:
    if isinstance(value, leaf):
        yield path, value
        return
    for key, child in _children(value, len(path)):
        yield from _walk(child, (*path, key), leaf)


def _children(value: Any, depth: int) -> list[tuple[Any, Any]]:
    if depth > DEPTH_LIMIT or isinstance(value, nn.Module | str | int | float | type) or value is None:
        return []
    if isinstance(value, dict):
        return list(cast("dict[Any, Any]", value).items())
    if isinstance(value, list | tuple):
        return list(enumerate(cast("list[Any]", value)))
    # A plain object of a model file; a cache is recognised by its `state`.
    kind = class_of(value)
    if kind.__module__.startswith("mlx_lm.models") and not hasattr(kind, "state"):
        return list(state_of(value).items())
    return []

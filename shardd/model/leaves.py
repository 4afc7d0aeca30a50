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
import mlx.nn as nn

Path = tuple[Any, ...]
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


def flatten(value: Any) -> dict[Path, Any]:
    """All leaves of `value` by path, in order."""
    return dict(_walk(value, ()))


def rebuild(value: Any, replace: Callable[[Path, Any], Any], path: Path = ()) -> Any:
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
    if isinstance(value, tuple):
        values = tuple(children.values())
        # A named tuple is made from its fields.
        return cast("Any", type(value))(*values) if hasattr(value, "_fields") else values
    twin = copy.copy(value)
    for key, child in children.items():
        setattr(twin, key, child)
    return twin


def assign(value: Any, path: Path, leaf: Any) -> None:
    """Put `leaf` at `path` of `value`, in place; the container it stands in is a list, dict or object."""
    for key in path[:-1]:
        value = value[key] if isinstance(value, list | dict | tuple) else getattr(value, key)
    if isinstance(value, list | dict):
        value[path[-1]] = leaf
    else:
        setattr(value, path[-1], leaf)


def _walk(value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    if isinstance(value, mx.array | Form):
        yield path, value
        return
    for key, child in _children(value, len(path)):
        yield from _walk(child, (*path, key))


def _children(value: Any, depth: int) -> list[tuple[Any, Any]]:
    if depth > DEPTH_LIMIT or isinstance(value, nn.Module | str | int | float | type) or value is None:
        return []
    if isinstance(value, dict):
        return list(cast("dict[Any, Any]", value).items())
    if isinstance(value, list | tuple):
        return list(enumerate(cast("list[Any]", value)))
    # A plain object of a model file; a cache is recognised by its `state`.
    if type(value).__module__.startswith("mlx_lm.models") and not hasattr(type(value), "state"):
        return list(vars(value).items())
    return []

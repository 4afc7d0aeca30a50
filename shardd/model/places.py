"""Arrays that have their place in memory before their values are known, so that a graph can be built over them."""

from collections.abc import Sequence
from math import prod
from typing import Any, cast

import mlx.core as mx

from shardd.model.leaves import Form


class Places:
    """One array for each form, of `rows` sequences with `tokens` tokens each.

    Attributes:
        arrays: what to build a graph over. Nothing of it may be evaluated before `fill`.
    """

    def __init__(self, forms: Sequence[Form], rows: int, tokens: int) -> None:
        shapes = [form.sized(rows, tokens) for form in forms]
        dtypes: list[mx.Dtype] = [getattr(mx, form.dtype) for form in forms]
        self._memory = [  # an array of bytes is there at once, zeros would be a task of MLX's own thread
            mx.array(cast(Any, memoryview(bytes(prod(shape) * dtype.size))))
            for shape, dtype in zip(shapes, dtypes, strict=True)
        ]
        self.arrays = [
            memory.view(dtype).reshape(shape) for memory, shape, dtype in zip(self._memory, shapes, dtypes, strict=True)
        ]

    def fill(self, parts: Sequence[Any]) -> None:
        """Give the arrays their values: as bytes, in any buffers. Raises ValueError for a wrong size."""
        for memory, part in zip(self._memory, parts, strict=True):
            memoryview(cast(Any, memory))[:] = memoryview(part).cast("B")

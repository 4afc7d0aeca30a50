"""Ghosts: arrays with a form and no memory, in the place of weights that are elsewhere.

A ghost is one NaN seen through a broadcast. It costs nothing, and it is a tripwire: whatever is computed from it
is NaN, so a mistake about which weights a stage needs shows at once and never as plausible text.
"""

from collections.abc import Mapping

import mlx.core as mx

from shardd.model.leaves import evaluate

DTYPES = {
    "BOOL": "bool_", "U8": "uint8", "I8": "int8", "F8_E4M3": "uint8", "F8_E8M0": "uint8", "U16": "uint16",
    "I16": "int16", "F16": "float16", "BF16": "bfloat16", "U32": "uint32", "I32": "int32", "F32": "float32",
    "U64": "uint64", "I64": "int64", "C64": "complex64",
}  # fmt: skip
"""The MLX dtype that `mx.load` gives a tensor of each safetensors dtype."""

Forms = Mapping[str, tuple[str, tuple[int, ...]]]
"""Tensor name to safetensors dtype and shape."""


class Ghosts:
    """Makes ghosts. All of one dtype share one evaluated `seed`, so a graph shows what is a ghost.

    tame: vectors are ones, for model files that look at some values before they take them.

    Like every unevaluated array, a ghost can be evaluated only in the thread that made it.
    """

    def __init__(self, *, tame: bool = False) -> None:
        self._tame = tame
        self._seeds: dict[tuple[mx.Dtype, bool], mx.array] = {}

    @property
    def seeds(self) -> list[mx.array]:
        return list(self._seeds.values())

    def make(self, dtype: mx.Dtype, shape: tuple[int, ...]) -> mx.array:
        return self._make(dtype, shape, tame=False)

    def of(self, forms: Forms) -> dict[str, mx.array]:
        """A ghost for each tensor of `forms`."""
        return {
            name: self._make(getattr(mx, DTYPES[dtype]), shape, tame=self._tame and len(shape) == 1)
            for name, (dtype, shape) in forms.items()
        }

    def _make(self, dtype: mx.Dtype, shape: tuple[int, ...], *, tame: bool) -> mx.array:
        if (dtype, tame) not in self._seeds:
            self._seeds[dtype, tame] = _one(dtype) if tame and mx.issubdtype(dtype, mx.inexact) else _poison(dtype)
        seed = self._seeds[dtype, tame]
        # Broadcast to its own shape the seed would be itself, and one ghost like another.
        return mx.broadcast_to(seed, shape) if shape else mx.stop_gradient(seed)


def _one(dtype: mx.Dtype) -> mx.array:
    seed = mx.ones((), dtype)
    evaluate(seed)
    return seed


def _poison(dtype: mx.Dtype) -> mx.array:
    if mx.issubdtype(dtype, mx.inexact):
        seed = mx.array(float("nan")).astype(dtype)
    else:
        # 0xFF is NaN in the 8-bit formats of scales. Other integers may become indices: those stay in range.
        seed = mx.array(255 if dtype == mx.uint8 else 0, dtype)
    evaluate(seed)
    return seed

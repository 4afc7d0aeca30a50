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
        self._seeds: dict[mx.Dtype, mx.array] = {}

    @property
    def seeds(self) -> list[mx.array]:
        return list(self._seeds.values())

    def make(self, dtype: mx.Dtype, shape: tuple[int, ...]) -> mx.array:
        if dtype not in self._seeds:
            self._seeds[dtype] = _poison(dtype)
        seed = self._seeds[dtype]
        # Broadcast to its own shape the seed would be itself, and one ghost like another.
        return mx.broadcast_to(seed, shape) if shape else mx.stop_gradient(seed)

    def of(self, forms: Forms) -> dict[str, mx.array]:
        """A ghost for each tensor of `forms`."""
        return {name: self._of(getattr(mx, DTYPES[dtype]), shape) for name, (dtype, shape) in forms.items()}

    def _of(self, dtype: mx.Dtype, shape: tuple[int, ...]) -> mx.array:
        if self._tame and len(shape) == 1 and mx.issubdtype(dtype, mx.inexact):
            return mx.broadcast_to(mx.ones((), dtype), shape)
        return self.make(dtype, shape)


def _poison(dtype: mx.Dtype) -> mx.array:
    if mx.issubdtype(dtype, mx.inexact):
        seed = mx.array(float("nan")).astype(dtype)
    else:
        # 0xFF is NaN in the 8-bit formats of scales. Other integers may become indices: those stay in range.
        seed = mx.array(255 if dtype == mx.uint8 else 0, dtype)
    evaluate(seed)
    return seed

"""What some architectures lack on this machine, put in its place for a trial, the same for whole and split."""

from __future__ import annotations

import importlib
import sys
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import mlx.core as mx

from shardd.model.light import contained_imports


@contextmanager
def stand_ins(model_type: str) -> Iterator[str]:
    """Answers what stands in for what, "" for nothing."""
    missing = "hf_olmo" not in sys.modules
    if missing:  # mlx-lm's olmo ends the whole process without it
        sys.modules["hf_olmo"] = types.ModuleType("hf_olmo")
    module_name, attribute, make, note = _STAND_INS.get(model_type, ("", "", None, ""))
    try:
        if make is None:
            yield ""
            return
        with contained_imports():
            module: Any = importlib.import_module(f"mlx_lm.models.{module_name}")
        real = getattr(module, attribute)
        setattr(module, attribute, make(real))
        try:
            yield note
        finally:
            setattr(module, attribute, real)
    finally:
        if missing:
            del sys.modules["hf_olmo"]


def _array_mask(real: Callable[..., Any]) -> Callable[..., Any]:
    """mlx-lm's olmo adds the mask to its scores itself, which it cannot with the word "causal"."""

    def create_attention_mask(h: mx.array, cache: Any = None) -> Any:
        allowed = real(h, cache, return_array=True)
        if allowed is None or allowed.dtype != mx.bool_:
            return allowed
        return mx.where(allowed, mx.array(0, h.dtype), mx.array(-1e9, h.dtype))

    return create_attention_mask


def _ternary_product(real: Any) -> Callable[..., list[mx.array]]:
    """Matrix product with ternary weights, four to a byte: byte r has output rows r, r + n/4, r + n/2, r + 3n/4."""

    def kernel(*, inputs: list[mx.array], template: list[tuple[str, Any]], **_: Any) -> list[mx.array]:
        x, packed, scale = inputs
        settings = dict(template)
        rows = [((packed >> (2 * place)) & 3).astype(x.dtype) - 1 for place in range(4)]
        factor = 1 / scale[0] if settings["invert_weight_scales"] else scale[0]
        return [((x @ mx.concatenate(rows).T) * factor).astype(settings["T"])]

    return kernel


_STAND_INS: dict[str, tuple[str, str, Callable[[Any], Any], str]] = {
    "olmo": ("olmo", "create_attention_mask", _array_mask, "mlx-lm's mask for it is broken: tried with one of ours"),
    "bitnet": ("bitlinear_layers", "_bitlinear_kernel", _ternary_product, "tried with a stand-in for its Metal kernel"),
}

"""What some architectures lack on this machine, put in its place for a trial, the same for whole and split."""

from __future__ import annotations

import importlib
import sys
import types
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import mlx.core as mx

from shardd.model.light import contained_imports
from tests.architectures import spark


@dataclass(frozen=True)
class StandIn:
    """parts: attributes of a module, and what makes each stand-in of the real thing."""

    module: str
    parts: Mapping[str, Callable[[Any], Any]]
    note: str


@contextmanager
def stand_ins(model_type: str, *, wide: bool = False) -> Iterator[str]:
    """Inside, what the architecture lacks is there. Answers what stands in for what, "" for nothing.

    wide: experts multiply in 32 bits.
    """
    with ExitStack() as stack:
        if "hf_olmo" not in sys.modules:  # mlx-lm's olmo ends the whole process without it
            sys.modules["hf_olmo"] = types.ModuleType("hf_olmo")
            stack.callback(sys.modules.pop, "hf_olmo")
        wanted = [*([_STAND_INS[model_type]] if model_type in _STAND_INS else []), *([_WIDE] if wide else [])]
        for each in wanted:
            with contained_imports():
                module: Any = importlib.import_module(each.module)
            for name, make in each.parts.items():
                real = getattr(module, name)
                setattr(module, name, make(real))
                stack.callback(setattr, module, name, real)
        yield _STAND_INS[model_type].note if model_type in _STAND_INS else ""


def _array_mask(real: Callable[..., Any]) -> Callable[..., Any]:
    """mlx-lm's olmo adds the mask to its scores itself, which it cannot with the word "causal"."""

    def create_attention_mask(h: mx.array, cache: Any = None) -> Any:
        allowed = real(h, cache, return_array=True)
        if allowed is None or allowed.dtype != mx.bool_:
            return allowed
        return mx.where(allowed, mx.array(0, h.dtype), mx.array(-1e9, h.dtype))

    return create_attention_mask


def _ternary_product(_: Any) -> Callable[..., list[mx.array]]:
    """Matrix product with ternary weights, four to a byte: byte r has output rows r, r + n/4, r + n/2, r + 3n/4."""

    def kernel(*, inputs: list[mx.array], template: list[tuple[str, Any]], **_: Any) -> list[mx.array]:
        x, packed, scale = inputs
        settings = dict(template)
        rows = [((packed >> (2 * place)) & 3).astype(x.dtype) - 1 for place in range(4)]
        factor = 1 / scale[0] if settings["invert_weight_scales"] else scale[0]
        return [((x @ mx.concatenate(rows).T) * factor).astype(settings["T"])]

    return kernel


def _wide_product(real: Callable[..., mx.array]) -> Callable[..., mx.array]:
    def gather_mm(a: mx.array, b: mx.array, /, *rest: Any, **settings: Any) -> mx.array:
        return real(a.astype(mx.float32), b.astype(mx.float32), *rest, **settings).astype(a.dtype)

    return gather_mm


def _instead(value: Any) -> Callable[[Any], Any]:
    return lambda _: value


_WIDE = StandIn("mlx.core", {"gather_mm": _wide_product}, "")
_STAND_INS = {
    "olmo": StandIn(
        "mlx_lm.models.olmo",
        {"create_attention_mask": _array_mask},
        "mlx-lm's mask for it is broken: tried with one of ours",
    ),
    "bitnet": StandIn(
        "mlx_lm.models.bitlinear_layers",
        {"_bitlinear_kernel": _ternary_product},
        "tried with a stand-in for its Metal kernel",
    ),
    "muse_spark": StandIn(
        "mlx_lm.models.muse_spark",
        {name: _instead(made) for name, made in spark.KERNELS.items()},
        "tried with stand-ins for its Metal kernels",
    ),
}

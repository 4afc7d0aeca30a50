"""Inventories made by hand, for tests and benches that need no checkpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from shardd.model.headers import TensorInfo
from shardd.model.inventory import Inventory
from shardd.model.units import Unit

GB = 10**9


def unit(name: str, nbytes: int) -> Unit:
    return Unit(name, (TensorInfo(f"{name}.weight", "U8", (nbytes,), Path("model.safetensors"), 0, nbytes),))


def model(
    layers: Sequence[int],
    *,
    embedding: int = 0,
    head: int = 0,
    tied: bool = False,
    shared: Mapping[int, tuple[int, ...]] | None = None,
    kv: Sequence[int] | None = None,
    limits: Sequence[int | None] | None = None,
    fixed: Sequence[int] | None = None,
    forbidden: Sequence[int] | Mapping[int, str] = (),
    hidden: int = 8,
    context: int = 4096,
    quantization: str | None = None,
    config: dict[str, Any] | None = None,
) -> Inventory:
    """A model whose layers weigh so many bytes.

    shared: bytes of a unit, and the layers that read it. kv, limits, fixed: of each layer's cache, as in Inventory.
    forbidden: the cuts that there cannot be, with or without the reason.
    """
    count = len(layers)
    units, readers = [unit("embedding", embedding)], {"embedding": frozenset({-1, count} if tied else {-1})}
    for number, nbytes in enumerate(layers):
        units.append(unit(f"layer.{number}", nbytes))
        readers[f"layer.{number}"] = frozenset({number})
    for number, (nbytes, phases) in enumerate((shared or {}).items()):
        units.append(unit(f"shared.{number}", nbytes))
        readers[f"shared.{number}"] = frozenset(phases)
    if not tied:
        units.append(unit("head", head))
        readers["head"] = frozenset({count})
    return Inventory(
        model_type="made-up",
        layer_count=count,
        units=tuple(units),
        config=config or {},
        context_length=context,
        vocab_size=16,
        hidden_size=hidden,
        dtype="float16",
        quantization=quantization,
        tied=tied,
        kv_bytes_per_token=tuple(kv or [0] * count),
        kv_limit_tokens=tuple(limits or [None] * count),
        fixed_cache_bytes=tuple(fixed or [0] * count),
        forbidden_cuts=forbidden if isinstance(forbidden, Mapping) else dict.fromkeys(forbidden, "they share a cache"),
        readers=readers,
        tensors=(),
    )

"""Inventories made by hand, and strategies that draw them and placements of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from app.core.placement.placement import Placement, StageRange
from shardd.model.headers import TensorInfo
from shardd.model.inventory import Inventory
from shardd.model.units import Unit

GB = 10**9
NODES = ("ada", "bob", "cyd", "dot", "eve")


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
    forbidden: Sequence[int] = (),
    hidden: int = 8,
    config: dict[str, Any] | None = None,
) -> Inventory:
    """A model whose layers weigh so much. shared: bytes of a unit, and the layers that read it."""
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
        context_length=4096,
        vocab_size=16,
        hidden_size=hidden,
        dtype="float16",
        quantization=None,
        tied=tied,
        kv_bytes_per_token=tuple(kv or [0] * count),
        kv_limit_tokens=tuple(limits or [None] * count),
        fixed_cache_bytes=tuple(fixed or [0] * count),
        forbidden_cuts={cut: "they share a cache" for cut in forbidden},
        readers=readers,
        tensors=(),
    )


def placed(layer_count: int, **ranges: tuple[int, int]) -> Placement:
    return Placement(layer_count, tuple(StageRange(node, *ends) for node, ends in ranges.items()))


@st.composite
def placements(draw: st.DrawFn) -> Placement:
    """Valid ones."""
    count = draw(st.integers(1, 14))
    nodes = draw(st.permutations(NODES))[: draw(st.integers(1, min(count, len(NODES))))]
    cuts = sorted(draw(st.sets(st.integers(1, max(1, count - 1)), min_size=len(nodes) - 1, max_size=len(nodes) - 1)))
    ends = [*cuts, count]
    return Placement(count, tuple(StageRange(n, f, e - 1) for n, f, e in zip(nodes, [0, *cuts], ends, strict=True)))


@st.composite
def models(draw: st.DrawFn) -> Inventory:
    count = draw(st.integers(1, 8))
    sizes = st.integers(1, 20).map(lambda units: units * 100_000_000)
    shared = draw(
        st.dictionaries(
            sizes, st.sets(st.integers(-1, count), min_size=2).map(lambda phases: tuple(sorted(phases))), max_size=2
        )
    )
    per_layer = {"min_size": count, "max_size": count}
    return model(
        draw(st.lists(sizes, **per_layer)),
        embedding=draw(sizes),
        head=draw(sizes),
        tied=draw(st.booleans()),
        shared=shared,
        kv=draw(st.lists(st.integers(0, 100_000), **per_layer)),
        limits=draw(st.lists(st.none() | st.integers(1, 2000), **per_layer)),
        fixed=draw(st.lists(st.integers(0, 100_000), **per_layer)),
        forbidden=sorted(draw(st.sets(st.integers(1, max(1, count - 1)), max_size=3))),
    )

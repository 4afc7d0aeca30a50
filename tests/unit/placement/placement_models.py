"""Strategies that draw inventories made by hand, and placements of them."""

from __future__ import annotations

from hypothesis import strategies as st

from app.core.placement.placement import Placement, StageRange
from shardd.model.inventory import Inventory
from tests.made_up_models import model

NODES = ("ada", "bob", "cyd", "dot", "eve")


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

"""The model as a strip of segments: stages, and the gaps that no node has yet. Imports no Qt."""

from __future__ import annotations

from dataclasses import dataclass

from app.core.placement.placement import Placement, StageRange


@dataclass(frozen=True, slots=True)
class Segment:
    """Layers first to last, both included, of one node, or of none ("" for a gap)."""

    node: str
    first: int
    last: int

    @property
    def layers(self) -> int:
        return self.last - self.first + 1

    @property
    def gap(self) -> bool:
        return not self.node


def segments(placement: Placement) -> tuple[Segment, ...]:
    """Every layer in exactly one segment, in order. Stages that overlap or leave the model are cut down."""
    result: list[Segment] = []
    at = 0
    for stage in sorted(placement.stages, key=lambda stage: (stage.first, stage.last)):
        first, last = max(stage.first, at), min(stage.last, placement.layer_count - 1)
        if first > last:
            continue
        if first > at:
            result.append(Segment("", at, first - 1))
        result.append(Segment(stage.node, first, last))
        at = last + 1
    if at < placement.layer_count:
        result.append(Segment("", at, placement.layer_count - 1))
    return tuple(result)


def placement_of(parts: tuple[Segment, ...], layer_count: int) -> Placement:
    return Placement(layer_count, tuple(StageRange(p.node, p.first, p.last) for p in parts if not p.gap))


def boundary_range(parts: tuple[Segment, ...], index: int) -> tuple[int, int]:
    """The lowest and highest first layer that the segment right of boundary `index` can have."""
    return parts[index].first + 1, parts[index + 1].last


def with_boundary(placement: Placement, index: int, value: int) -> Placement:
    """The segment right of boundary `index` begins at layer `value`; both sides keep at least one layer."""
    parts = segments(placement)
    low, high = boundary_range(parts, index)
    value = max(low, min(high, value))
    one, two = parts[index], parts[index + 1]
    moved = (Segment(one.node, one.first, value - 1), Segment(two.node, value, two.last))
    return placement_of((*parts[:index], *moved, *parts[index + 2 :]), placement.layer_count)


def segment_of(placement: Placement, layer: int) -> Segment | None:
    return next((part for part in segments(placement) if part.first <= layer <= part.last), None)


def changed_nodes(placed: Placement | None, wanted: Placement) -> tuple[str, ...]:
    """The nodes whose range differs, in the order of the wanted placement, then those that give all up."""
    before = {stage.node: (stage.first, stage.last) for stage in placed.stages} if placed is not None else {}
    after = {stage.node: (stage.first, stage.last) for stage in wanted.stages}
    changed = [node for node, layers in after.items() if before.get(node) != layers]
    return (*changed, *(node for node in before if node not in after))

"""What became of a deployment that another program of the same controller has changed. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

from app.core.cluster.node import Node
from app.core.deployment.deployment import Deployment
from app.core.deployment.live import find_live, find_remains, is_joined, rebuilt
from app.core.errors import ShardboardError
from app.core.placement.placement import Placement, StageRange


@dataclass(frozen=True, slots=True)
class Became:
    """whole: it runs, with all its lanes. ended: the model was unloaded, or another one is in its place. Neither: it is
    to be made whole, from what there is of it; deployment is None where nothing is left."""

    deployment: Deployment | None = None
    whole: bool = False
    ended: bool = False


def what_became(former: Deployment, nodes: Mapping[str, Node], fingerprint: str, *, unloaded: bool) -> Became:
    """unloaded: whether that was the latest that a program did."""
    try:
        live = find_live(nodes, fingerprint)
    except ShardboardError:
        remains = [] if unloaded else find_remains(nodes, fingerprint)
        if any(stage.model != former.model for _, stage in remains):
            return Became(ended=True)
        left = rebuilt(remains, former.placement.layer_count)
        return Became(_with_lost(left, former) if left else None, ended=unloaded)
    if live.model != former.model:
        return Became(ended=True)
    return Became(live, whole=is_joined(nodes, live))


def _with_lost(left: Deployment, former: Deployment) -> Deployment:
    """With the stages that are nowhere as they were before, where that fits: their machine may be back already."""
    if left.epoch != former.epoch or len(left.stages) != len(former.stages):
        return left
    stages = [now if now.stage_id else before for now, before in zip(left.stages, former.stages, strict=True)]
    if any(one.last + 1 != other.first for one, other in pairwise(stages)):
        return left
    ranges = tuple(StageRange(stage.node, stage.first, stage.last) for stage in stages)
    return replace(left, stages=tuple(stages), placement=Placement(left.placement.layer_count, ranges))

"""Where the layers go that lost their machine: on the machines that are left, with as little to send as possible."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

from app.core.cluster.node import Node
from app.core.deployment import review
from app.core.deployment.deployment import Deployment, DeployOrder
from app.core.deployment.drafting import DraftModel
from app.core.deployment.losses import Mend, on_spares
from app.core.placement.placement import Placement, StageRange
from app.core.placement.solver import NodeCapacity, balance
from app.core.snapshot import ModelView, NodeState
from app.core.text import phrase


@dataclass(frozen=True, slots=True)
class Means:
    """What planning again needs. speeds: measured seconds per byte of weights. order: see make_order."""

    model: ModelView
    draft: DraftModel | None
    speeds: Mapping[str, float]
    order: Callable[[Placement, int], Awaitable[DeployOrder]]


@dataclass(frozen=True, slots=True)
class Plan:
    """anew: a deployment of its own; else the stages that are left stay as they are."""

    placement: Placement
    anew: bool = False


def plan_again(deployment: Deployment, step: Mend, nodes: Mapping[str, Node], means: Means) -> Plan | str:
    """Where everything goes; or a sentence that says why it goes nowhere."""
    former, context = deployment.placement, deployment.context_tokens
    out = {former.stages[index].node for index in step.move}
    there = {n: node for n, node in nodes.items() if node.state is NodeState.READY and n not in out}
    spare = [name for name in there if name not in former.nodes]

    def fits(placement: Placement) -> bool:
        return not review.check(means.model, placement, context, there, means.draft)

    def sent(placement: Placement) -> int:
        return sum(move.send_bytes for move in review.preview(means.model, placement, there, means.draft))

    lacking = {
        index: {name: sent(Placement(former.layer_count, (_at(former, index, name),))) for name in spare}
        for index in step.move
    }
    same = on_spares(former, step.move, lacking)
    if same is not None and fits(same):
        return Plan(same)
    room = review.available_bytes(there)
    names = [name for name in (*former.nodes, *spare) if name in there]
    capacities = [NodeCapacity(name, room[name] or 0, means.speeds.get(name)) for name in names]
    balanced = balance(means.model.inventory, capacities, context)
    smaller = former
    for name in out:
        smaller = smaller.remove(name)
    candidates = [balanced] if isinstance(balanced, Placement) else []
    candidates += [smaller] if set(smaller.nodes) <= set(there) else []
    candidates += [taken] if (taken := _by_the_next(former, out)) and set(taken.nodes) <= set(there) else []
    fitting = [placement for placement in candidates if fits(placement)]
    if fitting:
        return Plan(min(fitting, key=sent), anew=True)
    return balanced.sentence if not isinstance(balanced, Placement) else phrase("The draft model has no room.")


def _by_the_next(placement: Placement, out: Collection[str]) -> Placement | None:
    """Where the machine after each that is out takes its layers over; None where that is out too, or there is none."""
    taken = placement
    for stage, following in pairwise(placement.stages):
        if stage.node in out:
            if following.node in out:
                return None
            taken = taken.assign(following.node, stage.first, stage.last)
    return taken if taken != placement else None


def _at(placement: Placement, index: int, node: str) -> StageRange:
    return replace(placement.stages[index], node=node)

"""Pinned ranges: what Balance leaves where it is. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from app.core.placement.placement import Placement, StageRange
from app.core.placement.solver import NodeCapacity, WhyNot, balance
from app.core.text import phrase

if TYPE_CHECKING:
    from shardd.model.inventory import Inventory


def pinned_stages(placement: Placement, pins: Collection[str]) -> tuple[StageRange, ...]:
    """The ranges of the pinned nodes, in the order of the layers. Pins of nodes that hold nothing mean nothing."""
    return tuple(stage for stage in placement.stages if stage.node in pins)


def pinned_order(
    placement: Placement, pins: Collection[str], capacities: Sequence[NodeCapacity]
) -> tuple[NodeCapacity, ...]:
    """The nodes as a pipeline can name them while pinned ranges stay: those that hold layers in their present order,
    each other one beside the most layers for the memory that is free for them.

        [a 0-7][b 8-9 pinned][c 10-11]   d holds nothing    ->  a d b c
    """
    known = {node.name: node for node in capacities}
    order = [name for name in placement.nodes if name in known]
    pinned = {stage.node: stage for stage in pinned_stages(placement, pins) if stage.node in known}
    for spare in [node.name for node in capacities if node.name not in placement.nodes]:
        order.insert(_busiest_place(order, pinned, placement.layer_count, known), spare)
    return tuple(known[name] for name in order)


def _busiest_place(
    order: Sequence[str], pinned: dict[str, StageRange], layer_count: int, known: dict[str, NodeCapacity]
) -> int:
    """Where in the order one more node helps most: the end of the gap between pins with the most layers a byte."""
    best, most = len(order), -1.0
    begin, members = 0, 0
    for place, name in enumerate([*order, ""]):
        if name in pinned or not name:
            end = pinned[name].first if name else layer_count
            room = sum(known[each].available_bytes for each in order[place - members : place])
            load = (end - begin) / (room + 1)
            if load > most:
                best, most = place, load
            begin, members = (pinned[name].last + 1 if name else end), 0
        else:
            members += 1
    return best


def balance_around(
    inventory: Inventory,
    placement: Placement,
    pins: Collection[str],
    capacities: Sequence[NodeCapacity],
    context_tokens: int,
) -> Placement | WhyNot:
    """Balances what is not pinned. A pinned node that takes no part now (lost, not paired) is told."""
    pinned = pinned_stages(placement, pins)
    if not pinned:
        return balance(inventory, capacities, context_tokens)
    known = {node.name for node in capacities}
    for stage in pinned:
        if stage.node not in known:
            return WhyNot(
                phrase(
                    "{node} is not ready and its layers {first} to {last} are pinned there: unpin them.",
                    node=stage.node,
                    first=stage.first,
                    last=stage.last,
                )
            )
    return balance(inventory, pinned_order(placement, pins, capacities), context_tokens, pinned)

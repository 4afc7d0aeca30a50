"""Where the layers should go: dynamic programming over contiguous ranges in node order."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.core.placement.budget import computing_bytes, layer_kv_bytes, layer_slack_bytes
from app.core.placement.placement import Placement, StageRange
from app.core.text import listed, phrase
from shardd.host import format_bytes

if TYPE_CHECKING:
    from shardd.model.inventory import Inventory

Table = list[list[int]]
"""Bytes of every range: [last][first]."""


@dataclass(frozen=True, slots=True)
class NodeCapacity:
    """available_bytes: for shards. seconds_per_byte: measured, or None."""

    name: str
    available_bytes: int
    seconds_per_byte: float | None = None


@dataclass(frozen=True, slots=True)
class WhyNot:
    sentence: str


def balance(
    inventory: Inventory, nodes: Sequence[NodeCapacity], context_tokens: int, pinned: Sequence[StageRange] = ()
) -> Placement | WhyNot:
    """The placement whose worst stage is best, honouring memory and forbidden cuts; of several such the most even.

    pinned: ranges that stay as they are; their nodes stand in the order of their layers (see pins.pinned_order).

    A stage's cost is its predicted time where all speeds are known, else how full its weights and cache make what the
    node has beside the process that computes.
    With speeds known, machines that make nothing faster get nothing; otherwise as few as possible get nothing.
    """
    if not nodes:
        return WhyNot(phrase("There is no machine to place layers on: add one."))
    weights = weights_table(inventory)
    wanted = _wanted_table(inventory, weights, context_tokens)
    by_speed = all(node.seconds_per_byte for node in nodes)
    if by_speed:
        costly, rates = weights, [node.seconds_per_byte or 0.0 for node in nodes]
    else:
        costly = _held_table(inventory, weights, context_tokens)
        beside = computing_bytes(inventory, 0, context_tokens)
        rates = [1 / max(1, node.available_bytes - beside) for node in nodes]
    fixed = {stage.node: (stage.first, stage.last) for stage in pinned}
    search = _Search(nodes, costly, rates, wanted, inventory.forbidden_cuts, fixed, by_speed=by_speed)
    found = search.lightest_worst()
    if found is None and pinned:
        return WhyNot(_explain_pins(pinned, wanted, nodes))
    if found is None:
        return WhyNot(_explain(inventory.layer_count, wanted, nodes))
    return Placement(inventory.layer_count, search.most_even(found))


class _Search:
    """Two passes: how cheap the worst stage can be; then, of the placements that keep to it, the most even one.

    best[end] is the smallest (tally, score) when the nodes so far hold the layers before end:

        nodes so far             this node
        [........ best[first] ...][first ... end-1]     ->  a new best[end]

    The tally comes first: empty nodes where every machine shall help, in the second pass by speed the stages.
    """

    def __init__(
        self,
        nodes: Sequence[NodeCapacity],
        costly: Table,
        rates: Sequence[float],
        wanted: Table,
        forbidden: Collection[int],
        fixed: Mapping[str, tuple[int, int]],
        *,
        by_speed: bool,
    ) -> None:
        """A stage costs its entry in costly times its node's rate. fixed: first and last layer of pinned nodes."""
        self._fixed = fixed
        self._nodes = nodes
        self._costly = costly
        self._rates = rates
        self._wanted = wanted
        self._forbidden = forbidden
        self._by_speed = by_speed

    def lightest_worst(self) -> float | None:
        """None: nothing fits."""
        (_, worst), _ = self._run(max, math.inf, 0)
        return None if math.isinf(worst) else worst

    def most_even(self, worst: float) -> tuple[StageRange, ...]:
        _, choices = self._run(lambda score, cost: score + cost * cost, worst, int(self._by_speed))
        stages: list[StageRange] = []
        end = len(self._wanted)
        for node, chosen in zip(reversed(self._nodes), reversed(choices), strict=True):
            first = chosen[end]
            if first < end:
                stages.append(StageRange(node.name, first, end - 1))
            end = first
        return tuple(reversed(stages))

    def _run(
        self, combine: Callable[[float, float], float], limit: float, stage_tally: int
    ) -> tuple[tuple[int, float], list[list[int]]]:
        """The best of all layers on all nodes, and where each node's stage begins for every end."""
        count, empty_tally = len(self._wanted), int(not self._by_speed)
        best = [(0, 0.0)] + [(len(self._nodes) + 1, math.inf)] * count
        choices: list[list[int]] = []
        for node, rate in zip(self._nodes, self._rates, strict=True):
            before, least = best, min(tally for tally, _ in best) + stage_tally
            # Where it has nothing, its first is its end.
            best, chosen = [(tally + empty_tally, score) for tally, score in before], list(range(count + 1))
            room = node.available_bytes
            if node.name in self._fixed:
                first, last = self._fixed[node.name]
                best, chosen = self._pinned(before, first, last, rate, stage_tally, combine)
                if self._wanted[last][first] > room or self._costly[last][first] * rate > limit:
                    best = [(len(self._nodes) + 1, math.inf)] * (count + 1)
                choices.append(chosen)
                continue
            for end in range(1, count + 1):
                if end in self._forbidden and end < count:
                    continue
                wanted, costly, (tally, score) = self._wanted[end - 1], self._costly[end - 1], best[end]
                for first in range(end - 1, -1, -1):
                    cost = costly[first] * rate
                    # From here on bytes and cost only grow.
                    if wanted[first] > room or cost > limit or (least >= tally and combine(0.0, cost) >= score):
                        break
                    new_tally, new_score = before[first][0] + stage_tally, combine(before[first][1], cost)
                    if new_tally < tally or (new_tally == tally and new_score < score):
                        tally, score, chosen[end] = new_tally, new_score, first
                best[end] = tally, score
            choices.append(chosen)
        return best[count], choices

    def _pinned(
        self,
        before: list[tuple[int, float]],
        first: int,
        last: int,
        rate: float,
        stage_tally: int,
        combine: Callable[[float, float], float],
    ) -> tuple[list[tuple[int, float]], list[int]]:
        """The only best there can be after a node that keeps its range."""
        best, chosen = [(len(self._nodes) + 1, math.inf)] * len(before), list(range(len(before)))
        tally, score = before[first]
        best[last + 1] = tally + stage_tally, combine(score, self._costly[last][first] * rate)
        chosen[last + 1] = first
        return best, chosen


def weights_table(inventory: Inventory) -> Table:
    """inventory.weights_bytes of every range, all at once.

    A unit that several phases read is counted at the latest of them that the range reaches: so the sum over a range's
    phases has it once.
    """
    count = inventory.layer_count
    readers: list[list[tuple[str, int]]] = [[] for _ in range(count + 2)]  # by phase + 1
    for unit in inventory.units:
        for phase in inventory.readers[unit.name]:
            readers[phase + 1].append((unit.name, unit.nbytes))
    held, latest = [0] * (count + 2), dict[str, int]()

    def reach(slot: int) -> None:
        for name, nbytes in readers[slot]:
            if name in latest:
                held[latest[name]] -= nbytes
            held[slot] += nbytes
            latest[name] = slot

    reach(0)
    table: Table = []
    for last in range(count):
        reach(last + 1)
        if last == count - 1:
            reach(count + 1)
        row, total = [0] * (last + 1), held[count + 1]
        for first in range(last, -1, -1):
            total += held[first + 1]
            row[first] = total
        row[0] += held[0]
        table.append(row)
    return table


def _held_table(inventory: Inventory, weights: Table, context_tokens: int) -> Table:
    """Weights and cache of every range."""
    sums = [0]
    for layer in range(inventory.layer_count):
        sums.append(sums[-1] + layer_kv_bytes(inventory, layer, context_tokens))
    return [
        [nbytes + sums[last + 1] - sums[first] for first, nbytes in enumerate(row)] for last, row in enumerate(weights)
    ]


def _wanted_table(inventory: Inventory, weights: Table, context_tokens: int) -> Table:
    """budget.needs(...).total of every range."""
    layers = range(inventory.layer_count)
    cache = [layer_kv_bytes(inventory, layer, context_tokens) for layer in layers]
    grown = [cache[layer] + layer_slack_bytes(inventory, layer, context_tokens) for layer in layers]
    table: Table = []
    for last in layers:
        computing, total, largest = computing_bytes(inventory, last, context_tokens), 0, 0
        row = [0] * (last + 1)
        for first in range(last, -1, -1):
            total += grown[first]
            largest = max(largest, cache[first])
            row[first] = weights[last][first] + total + largest + computing
        table.append(row)
    return table


def _explain(count: int, wanted: Table, nodes: Sequence[NodeCapacity]) -> str:
    whole = wanted[count - 1][0]
    free = sum(node.available_bytes for node in nodes)
    if whole > free:
        return phrase(
            "The model needs about {whole} and the machines have {free} free together: {whole_2} "
            "are missing. Add a machine, close programs, or choose a smaller context or model.",
            whole=format_bytes(whole),
            free=format_bytes(free),
            whole_2=format_bytes(whole - free),
        )
    return phrase(
        "The layers do not fit the machines one by one, although their memory would be enough "
        "together: free memory on the smallest, or choose a smaller context."
    )


def _explain_pins(pinned: Sequence[StageRange], wanted: Table, nodes: Sequence[NodeCapacity]) -> str:
    room = {node.name: node.available_bytes for node in nodes}
    for stage in pinned:
        lacks = wanted[stage.last][stage.first] - room.get(stage.node, 0)
        if lacks > 0:
            return phrase(
                "{node} lacks {lacks} for its pinned layers {first} to {last}: unpin them, or free memory there.",
                node=stage.node,
                lacks=format_bytes(lacks),
                first=stage.first,
                last=stage.last,
            )
    names = listed(dict.fromkeys(stage.node for stage in pinned))
    return phrase("No placement fits while the layers of {names} stay where they are: unpin a range.", names=names)

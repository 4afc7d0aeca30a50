"""Where the layers should go: dynamic programming over contiguous ranges in node order."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from app.core.placement.budget import kv_bytes, overhead_bytes
from app.core.placement.placement import Placement, StageRange
from shardd.host import format_bytes
from shardd.model.inventory import Inventory


@dataclass(frozen=True, slots=True)
class NodeCapacity:
    """available_bytes: for shards. seconds_per_byte: measured, or None."""

    name: str
    available_bytes: int
    seconds_per_byte: float | None = None


@dataclass(frozen=True, slots=True)
class WhyNot:
    sentence: str


def balance(inventory: Inventory, nodes: Sequence[NodeCapacity], context_tokens: int) -> Placement | WhyNot:
    """The placement whose worst stage is best, honouring memory and forbidden cuts.

    A stage's cost is its predicted time where all speeds are known, else its share of the node's available memory. With
    speeds known a node may get nothing; otherwise every node gets a layer while there are enough.

    best[i][end]: the smallest possible worst cost when the first i nodes hold layers 0 to end-1.
    """
    count = inventory.layer_count
    if not nodes:
        return WhyNot("There is no machine to place layers on: add one.")
    by_speed = all(node.seconds_per_byte for node in nodes)
    may_skip = by_speed or len(nodes) > count
    sizes = _Sizes(inventory, context_tokens)
    best: list[list[float]] = [[0.0] + [math.inf] * count]
    choice: list[list[int]] = []
    for node in nodes:
        before, row, chosen = best[-1], [math.inf] * (count + 1), [-1] * (count + 1)
        for end in range(count + 1):
            if may_skip and before[end] < row[end]:
                row[end], chosen[end] = before[end], end
            if end not in (0, count) and end in inventory.forbidden_cuts:
                continue
            for first in range(end):
                if before[first] >= row[end]:
                    continue
                wanted = sizes.total(first, end - 1)
                if wanted > node.available_bytes:
                    continue
                cost = max(before[first], _cost(node, sizes.weights(first, end - 1), wanted, by_speed=by_speed))
                if cost < row[end]:
                    row[end], chosen[end] = cost, first
        best.append(row)
        choice.append(chosen)
    if math.isinf(best[-1][count]):
        return WhyNot(_explain(sizes, nodes))
    stages: list[StageRange] = []
    end = count
    for index in range(len(nodes) - 1, -1, -1):
        first = choice[index][end]
        if first < end:
            stages.append(StageRange(nodes[index].name, first, end - 1))
        end = first
    return Placement(count, tuple(reversed(stages)))


class _Sizes:
    """Bytes of ranges in constant time, from sums over layers."""

    def __init__(self, inventory: Inventory, context_tokens: int) -> None:
        self._inventory = inventory
        self._context = context_tokens
        count = inventory.layer_count
        middle = [inventory.weights_bytes(layer, layer) for layer in range(count)]
        self._kv = _sums([kv_bytes(inventory, layer, layer, context_tokens) for layer in range(count)])
        layer_units = {unit.name: unit.nbytes for unit in inventory.units}
        plain = [layer_units.get(f"layer.{layer}", middle[layer]) for layer in range(count)]
        self._plain = _sums(plain)
        self._head_extra = middle[0] - plain[0] if count > 1 else 0
        self._tail_extra = middle[-1] - plain[-1] if count > 1 else 0

    def weights(self, first: int, last: int) -> int:
        if first == 0 and last == self._inventory.layer_count - 1:
            return self._inventory.total_bytes
        extra = self._head_extra if first == 0 else 0
        extra += self._tail_extra if last == self._inventory.layer_count - 1 else 0
        return self._plain[last + 1] - self._plain[first] + extra

    def total(self, first: int, last: int) -> int:
        kv = self._kv[last + 1] - self._kv[first]
        return self.weights(first, last) + kv + overhead_bytes(self._inventory, last, self._context)


def _sums(values: Sequence[int]) -> list[int]:
    sums = [0]
    for value in values:
        sums.append(sums[-1] + value)
    return sums


def _cost(node: NodeCapacity, weights: int, wanted: int, *, by_speed: bool) -> float:
    if by_speed and node.seconds_per_byte:
        return weights * node.seconds_per_byte
    return wanted / max(1, node.available_bytes)


def _explain(sizes: _Sizes, nodes: Sequence[NodeCapacity]) -> str:
    inventory = sizes._inventory  # pyright: ignore[reportPrivateUsage]
    wanted = sizes.total(0, inventory.layer_count - 1)
    free = sum(node.available_bytes for node in nodes)
    if wanted > free:
        return (
            f"The model needs about {format_bytes(wanted)} and the machines have {format_bytes(free)} free together: "
            f"{format_bytes(wanted - free)} are missing. Add a machine, close programs, or choose a smaller context or "
            "model."
        )
    return (
        "The layers do not fit the machines one by one, although their memory would be enough together: "
        "free memory on the smallest, or choose a smaller context."
    )

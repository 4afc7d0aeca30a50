"""How fast a placement would be, from measured figures alone; None where one is missing."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.core.placement.placement import Placement

if TYPE_CHECKING:
    from shardd.model.inventory import Inventory


@dataclass(frozen=True, slots=True)
class Prediction:
    """single_node_faster: a machine that would be faster alone, could it hold the model. at_most_tokens_per_s: without
    the hops, where those were not measured."""

    decode_tokens_per_s: float | None = None
    ttft_ms: float | None = None
    slowest_node: str | None = None
    single_node_faster: str | None = None
    at_most_tokens_per_s: float | None = None


def predict(
    placement: Placement,
    inventory: Inventory,
    seconds_per_byte: Mapping[str, float],
    hop_ms: Mapping[str, float] | None = None,
    holders: Collection[str] | None = None,
) -> Prediction:
    """Decoding one sequence reads every weight once (FINDINGS.md, throughput with M = 1):

        token = sum over stages of (bytes x seconds per byte + the hop into it)
        alone = all bytes x seconds per byte

    seconds_per_byte: a node's measured compute time per step over its stage's bytes. hop_ms: measured, into each node;
    several stages of which one hop was never measured have no rate, but still a slowest stage. holders: the nodes with
    memory for the whole model, where the caller knows; others are not said to be faster alone. The time to the first
    token stays None: prefill is not measured per byte.
    """
    names = placement.nodes
    if not names or any(node not in seconds_per_byte for node in names):
        return Prediction()
    times = {
        stage.node: inventory.weights_bytes(stage.first, stage.last) * seconds_per_byte[stage.node]
        for stage in placement.stages
        if 0 <= stage.first <= stage.last < inventory.layer_count
    }
    if len(times) < len(names):
        return Prediction()
    computing = sum(times.values())
    if len(names) == 1:
        return Prediction(decode_tokens_per_s=_rate(computing))
    hops = [hop_ms.get(node) for node in names] if hop_ms else [None]
    known = [hop / 1000 for hop in hops if hop is not None]
    alone = {
        node: inventory.total_bytes * rate
        for node, rate in seconds_per_byte.items()
        if holders is None or node in holders
    }
    best = min(alone, key=lambda node: alone[node], default=None)
    return Prediction(
        decode_tokens_per_s=_rate(computing + sum(known)) if len(known) == len(hops) else None,
        at_most_tokens_per_s=_rate(computing + sum(known)),
        slowest_node=max(times, key=lambda node: times[node]),
        # Hops that are not known only make the chain slower.
        single_node_faster=best if best is not None and alone[best] < computing + sum(known) else None,
    )


def _rate(token_s: float) -> float | None:
    return 1 / token_s if token_s > 0 else None

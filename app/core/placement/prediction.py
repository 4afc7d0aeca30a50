"""How fast a placement would be, from measured figures alone; None where one is missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from app.core.placement.placement import Placement
from shardd.model.inventory import Inventory


@dataclass(frozen=True, slots=True)
class Prediction:
    decode_tokens_per_s: float | None = None
    ttft_ms: float | None = None
    slowest_node: str | None = None
    single_node_faster: str | None = None  # one machine that would be faster alone, memory permitting


def predict(
    placement: Placement,
    inventory: Inventory,
    seconds_per_byte: Mapping[str, float],
    hop_ms: Mapping[str, float] | None = None,
) -> Prediction:
    """Decoding one sequence reads every weight once: T = sum of (bytes x seconds per byte) + hops (FINDINGS.md).

    seconds_per_byte: a node's measured compute time per step over its stage's bytes. hop_ms: measured, into each node.
    """
    times = {
        stage.node: inventory.weights_bytes(stage.first, stage.last) * seconds_per_byte[stage.node]
        for stage in placement.stages
        if stage.node in seconds_per_byte
    }
    if len(times) < len(placement.stages) or not times:
        return Prediction()
    hops = sum((hop_ms or {}).get(stage.node, 0.0) for stage in placement.stages) / 1000 if len(times) > 1 else 0.0
    token_s = sum(times.values()) + hops
    alone = {node: inventory.total_bytes * rate for node, rate in seconds_per_byte.items()}
    best = min(alone, key=lambda node: alone[node])
    return Prediction(
        decode_tokens_per_s=1 / token_s if token_s > 0 else None,
        ttft_ms=None,  # prefill is not measured per byte
        slowest_node=max(times, key=lambda node: times[node]) if len(times) > 1 else None,
        single_node_faster=best if len(times) > 1 and alone[best] < token_s else None,
    )

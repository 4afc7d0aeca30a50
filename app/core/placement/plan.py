"""`shardboard plan`: does it fit, where would it go, how fast would it be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from app.core.placement.budget import Needs, memory_problems, needs
from app.core.placement.placement import Placement, Problem, problems
from app.core.placement.prediction import Prediction, predict
from app.core.placement.solver import NodeCapacity, WhyNot, balance
from shardd.host import format_bytes

if TYPE_CHECKING:
    from shardd.model.inventory import Inventory


@dataclass(frozen=True, slots=True)
class PlannedStage:
    node: str
    first: int
    last: int
    needs: Needs
    free_after_bytes: int


@dataclass(frozen=True, slots=True)
class PlanReport:
    """fits is False with why_not in words; stages may then be empty."""

    model: str
    layers: int
    fits: bool
    why_not: str
    stages: tuple[PlannedStage, ...]
    predicted: Prediction

    def to_json(self) -> dict[str, Any]:
        """The shape of DESIGN.md section 7."""
        return {
            "model": self.model,
            "layers": self.layers,
            "fits": self.fits,
            "why_not": self.why_not or None,
            "stages": [
                {
                    "node": stage.node,
                    "layers": [stage.first, stage.last],
                    "weights_bytes": stage.needs.weights_bytes,
                    "kv_bytes": stage.needs.kv_bytes,
                    "overhead_bytes": stage.needs.overhead_bytes,
                    "free_after_bytes": stage.free_after_bytes,
                }
                for stage in self.stages
            ],
            "predicted": {
                "decode_tokens_per_s": self.predicted.decode_tokens_per_s,
                "ttft_ms": self.predicted.ttft_ms,
            },
        }

    def to_text(self) -> str:
        lines = [
            f"{self.model}: {self.layers} layers. " + ("It fits." if self.fits else f"It does not fit. {self.why_not}")
        ]
        for stage in self.stages:
            lines.append(
                f"  {stage.node:<16} layers {stage.first:>3} to {stage.last:<3}  "
                f"{format_bytes(stage.needs.weights_bytes)} weights, {format_bytes(stage.needs.kv_bytes)} cache, "
                f"{format_bytes(stage.needs.overhead_bytes)} to compute, {_left(stage.free_after_bytes)}"
            )
        if not self.stages:
            return lines[0]
        rate = self.predicted.decode_tokens_per_s
        lines.append(
            f"About {rate:.1f} tokens/s." if rate else "The speed is not known until these machines have run once."
        )
        if self.predicted.single_node_faster:
            lines.append(f"{self.predicted.single_node_faster} alone would be faster.")
        return "\n".join(lines)


def plan(
    model: str,
    inventory: Inventory,
    nodes: Sequence[NodeCapacity],
    context_tokens: int,
    placement: Placement | None = None,
    hop_ms: Mapping[str, float] | None = None,
) -> PlanReport:
    """Judges a placement, or finds one where none is given."""
    found = placement or balance(inventory, nodes, context_tokens)
    if isinstance(found, WhyNot):
        return PlanReport(model, inventory.layer_count, False, found.sentence, (), Prediction())
    available = {node.name: node.available_bytes for node in nodes}
    wrong = problems(found, available, inventory.forbidden_cuts)
    if wrong:
        return PlanReport(model, inventory.layer_count, False, _sentences(wrong), (), Prediction())
    wrong = memory_problems(found, inventory, available, context_tokens)
    stages: list[PlannedStage] = []
    for stage in found.stages:
        wanted = needs(inventory, stage.first, stage.last, context_tokens)
        free_after = available[stage.node] - wanted.total
        stages.append(PlannedStage(stage.node, stage.first, stage.last, wanted, free_after))
    speeds = {node.name: node.seconds_per_byte for node in nodes if node.seconds_per_byte}
    whole = needs(inventory, 0, inventory.layer_count - 1, context_tokens).total
    holders = [name for name, room in available.items() if room >= whole]
    prediction = predict(found, inventory, speeds, hop_ms, holders)
    return PlanReport(model, inventory.layer_count, not wrong, _sentences(wrong), tuple(stages), prediction)


def _sentences(found: Sequence[Problem]) -> str:
    return " ".join(problem.sentence for problem in found)


def _left(free: int) -> str:
    return f"{format_bytes(free)} left" if free >= 0 else f"{format_bytes(-free)} missing"

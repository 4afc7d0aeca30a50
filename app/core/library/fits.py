"""Whether a model fits this cluster, and how: from its inventory, the machines' memory and measured speeds. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from app.core.placement.plan import PlannedStage, plan
from app.core.placement.solver import NodeCapacity
from shardd.model.headers import TensorInfo
from shardd.model.units import Unit

if TYPE_CHECKING:
    from shardd.model.inventory import Inventory

CONTEXTS = (8192, 4096, 2048)


@dataclass(frozen=True, slots=True)
class Fit:
    """stages: what Balance would propose; none where it does not fit, and why_not then says why.

    tokens_per_s: None where a speed was never measured. alone: a machine that would be faster alone, "" for none.
    """

    context_tokens: int
    stages: tuple[PlannedStage, ...] = ()
    tokens_per_s: float | None = None
    alone: str = ""
    why_not: str = ""


def slim(inventory: Inventory) -> Inventory:
    """What assess needs of it, and no more: a mixture of experts has tens of thousands of tensors."""
    units = tuple(Unit(unit.name, (_whole(unit),)) if unit.tensors else unit for unit in inventory.units)
    return replace(inventory, units=units, tensors=())


def _whole(unit: Unit) -> TensorInfo:
    return TensorInfo(unit.name, "U8", (unit.nbytes,), Path(), 0, unit.nbytes)


def assess(
    name: str, inventory: Inventory, nodes: Sequence[NodeCapacity], hop_ms: Mapping[str, float] | None = None
) -> Fit:
    """With the longest of CONTEXTS that fits, and that the model was made for."""
    longest = inventory.context_length or CONTEXTS[0]
    contexts = tuple(dict.fromkeys(min(context, longest) for context in CONTEXTS))
    for context in contexts:
        report = plan(name, inventory, nodes, context, hop_ms=hop_ms)
        if report.fits:
            predicted = report.predicted
            rate, alone = predicted.decode_tokens_per_s, predicted.single_node_faster or ""
            return Fit(context, report.stages, rate, alone)
    why_not = plan(name, inventory, nodes, contexts[-1]).why_not
    return Fit(contexts[-1], why_not=why_not)

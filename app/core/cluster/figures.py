"""What was measured of each machine, kept on disk: speed in its last runs, rate of its last push, its quick reading."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from app.core.snapshot import MachineFigures, NodeView
from shardd.host import atomic_write, read_file

LARGEST_FILE = 1 << 20
ENOUGH_BYTES = 4_000_000  # of a push: below, its rate says more of the start than of the link


@dataclass(frozen=True, slots=True)
class Figures:
    """By machine name."""

    machines: dict[str, MachineFigures] = field(default_factory=dict[str, MachineFigures])

    def of(self, name: str) -> MachineFigures:
        return self.machines.get(name, MachineFigures())

    def with_machine(self, name: str, figures: MachineFigures) -> Figures:
        return self if self.of(name) == figures else Figures({**self.machines, name: figures})

    def without(self, name: str) -> Figures:
        return Figures({other: each for other, each in self.machines.items() if other != name})

    def learn(self, nodes: Sequence[NodeView]) -> Figures:
        """With what the nodes show just now; itself where that is nothing new."""
        known = self
        for node in nodes:
            figures, stage, transfer = known.of(node.name), node.stage, node.transfer
            if stage and stage.compute_ms and stage.weights_bytes:
                figures = replace(figures, seconds_per_byte=stage.compute_ms.p50 / 1000 / stage.weights_bytes)
            if stage and stage.hop_ms and stage.count > 1:
                figures = replace(figures, hop_ms=stage.hop_ms.p50)
            sending = transfer is not None and transfer.phase == "sending" and transfer.done_bytes >= ENOUGH_BYTES
            if sending and transfer and transfer.bytes_per_s:
                figures = replace(figures, push_bytes_per_s=transfer.bytes_per_s)
            known = known.with_machine(node.name, figures)
        return known

    def seconds_per_byte(self) -> dict[str, float]:
        """Of the machines that have computed."""
        return {name: each.seconds_per_byte for name, each in self.machines.items() if each.seconds_per_byte}


def read_figures(file: Path) -> Figures:
    """What a file holds; nothing where it cannot be read: all of it will be measured again."""
    try:
        table: Any = json.loads(read_file(file, LARGEST_FILE))
        rows = cast("dict[str, dict[str, Any]]", table["machines"])
        names = MachineFigures.__dataclass_fields__
        return Figures(
            {
                name: MachineFigures(**{key: _number(row[key]) for key in names if row.get(key) is not None})
                for name, row in rows.items()
            }
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return Figures()


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value <= 0:
        raise ValueError("a figure is no positive number")
    return float(value)


def write_figures(file: Path, figures: Figures) -> None:
    """Raises OSError."""
    rows = {
        name: {key: value for key in MachineFigures.__dataclass_fields__ if (value := getattr(each, key)) is not None}
        for name, each in figures.machines.items()
    }
    atomic_write(file, json.dumps({"machines": rows}, indent=1).encode())

"""Which contiguous layer range goes to which node, in order: an immutable value and the pure functions that edit it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StageRange:
    """Layers first to last, both included, on the node of this name."""

    node: str
    first: int
    last: int

    @property
    def layers(self) -> int:
        return self.last - self.first + 1


@dataclass(frozen=True, slots=True)
class Placement:
    """Stages in pipeline order. A value may be incomplete or wrong: `problems` says so."""

    layer_count: int
    stages: tuple[StageRange, ...]

"""Undo and redo as a value."""

from __future__ import annotations

from dataclasses import dataclass

from app.core.placement.placement import Placement


@dataclass(frozen=True, slots=True)
class EditHistory:
    present: Placement
    past: tuple[Placement, ...] = ()
    future: tuple[Placement, ...] = ()

    def push(self, placement: Placement) -> EditHistory:
        """A new present; what was undone before is gone. Pushing the present changes nothing."""
        if placement == self.present:
            return self
        return EditHistory(placement, (*self.past, self.present))

    def undo(self) -> EditHistory:
        if not self.past:
            return self
        return EditHistory(self.past[-1], self.past[:-1], (self.present, *self.future))

    def redo(self) -> EditHistory:
        if not self.future:
            return self
        return EditHistory(self.future[0], (*self.past, self.present), self.future[1:])

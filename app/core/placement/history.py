"""Undo and redo as a value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class EditHistory(Generic[T]):
    """Of anything that is a value: two that are equal are one."""

    present: T
    past: tuple[T, ...] = ()
    future: tuple[T, ...] = ()

    def push(self, fresh: T) -> EditHistory[T]:
        """A new present; what was undone before is gone. Pushing the present changes nothing."""
        if fresh == self.present:
            return self
        return EditHistory(fresh, (*self.past, self.present))

    def undo(self) -> EditHistory[T]:
        if not self.past:
            return self
        return EditHistory(self.past[-1], self.past[:-1], (self.present, *self.future))

    def redo(self) -> EditHistory[T]:
        if not self.future:
            return self
        return EditHistory(self.future[0], (*self.past, self.present), self.future[1:])

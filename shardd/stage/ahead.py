"""The next decode step, built while its input is still on the way.

Building a step's graph takes Python about 0.1 ms a layer, and a stage of a pipeline with a single answer mostly waits.
So the graph is built over arrays that have their place in memory already, and the bytes are put there when they come.
If something else comes, the caches are what they were before.
"""

from __future__ import annotations

from dataclasses import dataclass

import mlx.core as mx

from shardd.model.caches import StageCache
from shardd.model.places import Places
from shardd.model.stage import Stage
from shardd.stage.residents import Batch, Resident, Residents
from shardd.stage.sampling import Drawn
from shardd.stage.tail import Tail
from shardd.stage.work import Row, Step


@dataclass(slots=True)
class Built:
    """A step's graph. places: where its input goes."""

    rows: tuple[Row, ...]
    places: Places
    cache: StageCache
    outputs: list[mx.array]
    drawn: list[list[Drawn]]
    holder: Resident | Batch


class Ahead:
    """At most one built step. For the compute thread."""

    def __init__(self, stage: Stage, residents: Residents, tail: Tail | None) -> None:
        self._stage = stage
        self._residents = residents
        self._tail = tail
        self._expected: tuple[Row, ...] = ()
        self._built: Built | None = None
        self._before: StageCache | None = None  # the caches without the built step

    def expect(self, step: Step) -> None:
        """A step was done: the same sequences come next, where it was a plain decode step of all that are here."""
        plain = step.sample and step.count == 1 and len(step.rows) == len(self._residents)
        self._expected = tuple(Row(row.sequence, row.position + 1) for row in step.rows) if plain else ()

    def build(self) -> None:
        """For a moment with nothing else to do."""
        rows, self._expected = self._expected, ()
        holder = self._residents.holder(rows) if rows and self._stage.buildable else None
        if holder is None or holder.cache is None:
            return
        before = self._stage.fork_cache(holder.cache)
        try:
            places, outputs = self._stage.build(len(rows), holder.cache)
            drawn = self._tail.draw(rows, (), outputs[0]) if self._tail else []
        except (RuntimeError, ValueError, MemoryError):  # it will be said when the step is really there
            holder.cache = before
            return
        self._built, self._before = Built(rows, places, holder.cache, outputs, drawn, holder), before

    def take(self, step: Step) -> Built | None:
        """The built step, if it is this one; else the caches are as if none had been built."""
        built = self._built
        if built is None or built.rows != step.rows or not step.sample or step.count != 1:
            self.discard()
            return None
        self._built = self._before = None  # while somebody holds the old arrays, the new ones can't use their memory
        return built

    def discard(self) -> None:
        if self._built is not None and self._before is not None:
            self._built.holder.cache = self._before
        self._built, self._before, self._expected = None, None, ()

"""One step of a stage, from its input to evaluated results."""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import mlx.core as mx

from shardd.model.caches import StageCache
from shardd.model.stage import Stage
from shardd.rpc import lane_pb2
from shardd.stage.ahead import Ahead
from shardd.stage.arrays import checked, describe, raw, restore
from shardd.stage.frames import Buffer, FrameError
from shardd.stage.residents import Residents
from shardd.stage.sampling import Drawn
from shardd.stage.tail import Tail
from shardd.stage.work import EngineSettings, Step

KV_LOOK_STEPS = 16  # decode steps between two looks at a cache's size
LONG_S = 0.25  # a step that leaves the lane unread for too long
SHARED_LONG_S = 0.002  # the same where other sequences' frames come meanwhile: they are to be stamped when they arrive


@dataclass(slots=True)
class Computed:
    """What came of a step. drawn: on the tail, the tokens of each row; tensors, payload: elsewhere, what goes on."""

    drawn: list[list[Drawn]]
    tensors: list[lane_pb2.Tensor]
    payload: list[Buffer]
    at_ns: int
    kv_bytes: int


class Computing:
    """Evaluates the steps of a stage. on_long: called before a step that will take a while."""

    def __init__(
        self,
        stage: Stage,
        settings: EngineSettings,
        residents: Residents,
        tail: Tail | None,
        on_long: Callable[[], None],
    ) -> None:
        self._stage = stage
        self._settings = settings
        self._residents = residents
        self._tail = tail
        self._on_long = on_long
        self._last_s = LONG_S  # how long the last decode step took
        self._kv_bytes: dict[int, int] = {}
        self.ahead = Ahead(stage, residents, tail)

    def step(self, step: Step, meanwhile: Callable[[], None]) -> Computed:
        """Computes, and moves the caches on. meanwhile: called when all is handed to MLX, to be done beside it.
        Raises FrameError for a step that cannot be."""
        if max(row.position for row in step.rows) + step.count > self._settings.context_tokens:
            raise FrameError(f"a step beyond the context of {self._settings.context_tokens} tokens")
        began = time.monotonic()
        if not step.sample or self._last_s >= (LONG_S if len(self._residents) == 1 else SHARED_LONG_S):
            self._on_long()
        built = self.ahead.take(step)
        cache = built.cache if built else self._residents.cache_for(step.rows)
        outputs = built.outputs if built else self._stage.forward(self._input(step), cache)
        if built:
            built.places.fill(self._bytes(step))
        drawn: list[list[Drawn]] = []
        parts: list[mx.array] = []
        bits = self._settings.options.wire_bits
        if self._tail is None:
            parts = [raw(output, bits) for output in outputs]
            wanted = [*parts, *([] if step.sample else self._stage.cache_arrays(cache))]
        elif step.sample:
            drawn = built.drawn if built else self._tail.draw(step.rows, step.proposals, outputs[0])
            wanted = [array for row in drawn for each in row for array in each.arrays]
        else:
            wanted = self._stage.cache_arrays(cache)
        until = time.monotonic() + self._delay_s(step)
        mx.async_eval(wanted)
        meanwhile()
        self._residents.moved(step.rows, step.count)
        self.ahead.expect(step)
        tensors = [describe(output, bits) for output in outputs] if self._tail is None else []
        kv_bytes = self._kv_of(step, cache)
        if (pause := until - time.monotonic()) > 0:
            time.sleep(pause)
        mx.eval(wanted)
        at_ns = time.monotonic_ns()
        if step.sample:
            self._last_s = time.monotonic() - began
        payload: list[Buffer] = [memoryview(cast(Any, part)) for part in parts]  # buffers, whatever mlx's stubs say
        return Computed(drawn, tensors, payload, at_ns, kv_bytes)

    def build_ahead(self) -> None:
        """For a moment with nothing else to do."""
        if self._settings.stage_count > 1 and not self._settings.options.wire_bits:
            self.ahead.build()

    def forget(self, sequence_id: int) -> None:
        self.ahead.discard()
        self._kv_bytes.pop(sequence_id, None)

    def _input(self, step: Step) -> Any:
        if step.frame is None:
            return mx.array(step.tokens, dtype=mx.int32)
        return restore(step.frame, self._stage.payload_in, len(step.rows))

    def _bytes(self, step: Step) -> Sequence[Buffer]:
        if step.frame is None:
            return [array("i", [row[0] for row in step.tokens]).tobytes()]
        return checked(step.frame, self._stage.payload_in, len(step.rows))

    def _delay_s(self, step: Step) -> float:
        """For a bench: the time that an accelerator would take, without using the CPU. As with one, this thread has
        handed the work over and waits; that the work is really done meanwhile adds nothing."""
        options = self._settings.options
        delay = options.layer_delay_ms + options.token_delay_ms * step.count
        return delay * (self._stage.last - self._stage.first + 1) / 1000 if delay else 0.0

    def _kv_of(self, step: Step, cache: StageCache) -> int:
        """Bytes of one sequence's cache, looked at every few steps."""
        first = step.rows[0]
        known = self._kv_bytes.get(first.sequence, 0)
        if not known or not step.sample or (first.position + step.count) % KV_LOOK_STEPS == 0:
            known = self._stage.cache_bytes(cache) // len(step.rows)
            for row in step.rows:
                self._kv_bytes[row.sequence] = known
        return known

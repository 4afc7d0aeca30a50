"""The head's side of every sequence: admission, prompts in chunks, groups of decode steps, proposals, kept caches.

    OPEN -> waiting for memory -> prompt in chunks -> ready <-> on its way around the ring -> ended, its cache kept

Everything here decides; what is decided happens through `Pipeline`, which the engine is.
"""

from __future__ import annotations

import time
from array import array
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from shardd.rpc import lane_pb2
from shardd.stage.grouping import Ready, Traffic, lanes_wanted, next_group
from shardd.stage.kept import MAX_MISSES, Keeping, KeptCaches
from shardd.stage.pacing import ChunkSizer, Pacer
from shardd.stage.prefixes import MIN_SHARED
from shardd.stage.proposing import Drafter, Proposer
from shardd.stage.speculation import MOST_PROPOSED
from shardd.stage.work import EngineSettings, Header, Row, Step

MAX_SEQUENCES = 64
MAX_WAITING = 256
CACHE_STEP = 256  # caches grow by so many tokens
SMOOTHING = 0.2


class Pipeline(Protocol):
    """What the head can have done."""

    def begin(self, sequence_id: int, opened: lane_pb2.Open, source: str, prompt: Sequence[int]) -> None:
        """Opens the sequence on all stages."""
        ...

    def end(self, sequence_id: int, keep_tokens: int, keep_as: int) -> None:
        """Closes it on all stages, which keep the cache of its first tokens under a number, where that is not 0."""
        ...

    def tell(self, controller: str, header: Header) -> None: ...

    def trimmable(self, sequence_id: int, more: int) -> bool:
        """Whether the sequence's caches can be trimmed after so many more tokens."""
        ...

    def resumable(self, opened: lane_pb2.Open, prompt_tokens: int) -> bool:
        """Whether the cache of the interrupted sequence is here."""
        ...


@dataclass(slots=True)
class Led:
    """One sequence as the head sees it.

    history: prompt and chosen tokens. planned: of them sent through the pipeline. safe: of them known to be in every
    stage's cache. group: with which it travels; 0: with none. limit: tokens it may come to have. misses: kept caches
    that it waited for in vain.
    """

    id: int
    opened: lane_pb2.Open
    source: str
    prompt_tokens: int
    history: array[int]
    limit: int
    planned: int = 0
    safe: int = 0
    chunks_in_flight: int = 0
    travelling: bool = False
    fresh: bool = True
    closing: bool = False
    group: int = 0
    proposals: tuple[int, ...] = ()
    ready_ns: int = 0
    hop_us: int = 0
    misses: int = 0

    @property
    def prefilled(self) -> bool:
        """Whether all of the prompt but its last token was sent."""
        return self.planned >= self.prompt_tokens - 1


@dataclass(slots=True)
class _Group:
    members: list[int]
    ready_at: float  # when they were home again: waiting for a chunk until left_at delays their answers as well
    left_at: float
    disturbed: bool = field(default=False)


class Head:
    """max_batch may be set when all stages are known."""

    def __init__(
        self, settings: EngineSettings, pipeline: Pipeline, keeping: Keeping, draft: Drafter | None = None
    ) -> None:
        self._settings = settings
        self._pipeline = pipeline
        self.max_batch = 1
        self._led: dict[int, Led] = {}
        self._waiting: deque[Led] = deque()
        self._ready: list[int] = []
        self._prefilling: deque[int] = deque()
        self._groups: dict[int, _Group] = {}
        self._next_group = 1
        self._kept = KeptCaches(settings.options, self.capacity, keeping, self.recalled)
        self._snapshots: dict[int, int] = {}  # sequence to the number of its snapshot
        self._pacer = Pacer()
        self._sizer = ChunkSizer(settings.stage_count, settings.prefill_chunk_tokens)
        self._proposer = Proposer(settings.stage_count, draft)
        self._lap_us = 0.0
        self._slowest_us = 0.0
        self._trims = True  # until a cache says otherwise
        self._lap_s: float | None = None  # of the group that came home last

    # -- what the engine asks ----------------------------------------------------------------------------------------

    @property
    def capacity(self) -> int:
        """Tokens that all caches together may hold."""
        return self._settings.capacity

    def knows(self, sequence_id: int) -> bool:
        return sequence_id in self._led or any(led.id == sequence_id for led in self._waiting)

    @property
    def crowded(self) -> bool:
        return len(self._waiting) >= MAX_WAITING

    def next_step(self) -> Step | None:
        """What the head computes now; None: nothing before another frame arrives."""
        ready = self._ready_rows()
        if not any(each.alone for each in ready):  # a prompt's last token goes before other prompts
            chunk, running, chunks = self._next_chunk_owner(), self._answers_running(), self._chunks_in_flight()
            if chunk and self._pacer.may_go(time.monotonic(), answers_running=running, chunks_in_flight=chunks):
                return self._chunk_step(chunk)
        chosen = next_group(ready, self._traffic())
        return self._decode_step(chosen) if chosen else None

    def use_pause(self) -> bool:
        """A piece of work for a moment with nothing else to do: the draft goes on. False where there is none."""
        return self._proposer.use_pause([each for group in self._groups.values() for each in group.members])

    # -- what happens ------------------------------------------------------------------------------------------------

    def open(self, sequence_id: int, opened: lane_pb2.Open, source: str, prompt: Sequence[int]) -> None:
        """A controller asks for a sequence; it begins when there is memory for all it may become."""
        limit = min(self._settings.context_tokens, len(prompt) - opened.generated + opened.max_tokens)
        limit = -(-limit // CACHE_STEP) * CACHE_STEP
        self._waiting.append(Led(sequence_id, opened, source, len(prompt), array("q", prompt), limit))
        self._admit()
        self._tell_places()

    def chunk_done(self, sequence_id: int, position: int, timings: Sequence[lane_pb2.StepTiming], count: int) -> None:
        """A prefill chunk has passed the tail."""
        if timings:
            self._sizer.measured(count, max(each.compute_us + each.serialise_us for each in timings) / 1e6)
        self._pacer.chunk_passed(time.monotonic())
        led = self._led.get(sequence_id)
        if led is None:
            return
        led.chunks_in_flight -= 1
        led.safe = max(led.safe, position + count)
        if led.closing and not led.travelling and led.chunks_in_flight == 0:
            self._end(led)

    def tokens_chosen(
        self, rows: Sequence[lane_pb2.Row], timings: Sequence[lane_pb2.StepTiming], arrived_ns: int, hop_us: int
    ) -> None:
        """The tail has chosen tokens for the sequences of one group."""
        if not rows:
            return
        self._note_lap(rows, timings, arrived_ns, hop_us)
        for row in rows:
            led = self._led.get(row.sequence)
            if led is None:
                continue
            led.travelling = False
            led.fresh = False
            late_s = time.monotonic() - arrived_ns / 1e9
            self._proposer.verdict(led.id, row.tokens, len(self._led), self._lap_s, late_s)
            led.safe = row.position + len(row.tokens)
            led.history.extend(row.tokens)
            led.planned = led.safe
            if row.finish_reason or led.closing:
                self._end(led)
            else:
                led.ready_ns, led.hop_us = arrived_ns, hop_us
                self._ready.append(led.id)
        if self._waiting:
            self._admit()

    def close(self, sequence_id: int) -> None:
        """A controller has enough of a sequence. It ends as soon as nothing of it is on its way."""
        for led in self._waiting:
            if led.id == sequence_id:
                self._waiting.remove(led)
                self._pipeline.tell(led.source, Header(kind=lane_pb2.CLOSED, sequence=sequence_id))
                self._admit()  # who was behind it may need less
                self._tell_places()
                return
        led = self._led.get(sequence_id)
        if led is None:
            return
        led.closing = True
        if sequence_id in self._prefilling:
            self._prefilling.remove(sequence_id)
        if not led.travelling and led.chunks_in_flight == 0:
            self._end(led)

    def failed(self, sequence_id: int) -> None:
        """A sequence has ended on all stages, because something went wrong."""
        self._forget(sequence_id)
        self._admit()

    def recalled(self, number: int, held: bool) -> None:
        """All stages have a kept cache in memory again, or not all have it."""
        if not self._kept.recalled(number, held) and self._waiting:
            self._waiting[0].misses += 1
        self._admit()

    def controller_lost(self, source: str) -> None:
        for led in [led for led in (*self._waiting, *self._led.values()) if led.source == source]:
            self.close(led.id)

    def reset(self) -> list[Led]:
        """The ring is broken: forgets everything; answers what was led or waited."""
        everything = [*self._led.values(), *self._waiting]
        self._waiting.clear()
        for led in everything:
            self._forget(led.id)
        self._kept.reset()
        return everything

    # -- admission ---------------------------------------------------------------------------------------------------

    def _admit(self) -> None:
        while self._waiting and len(self._led) < MAX_SEQUENCES:
            led = self._waiting[0]
            running = self._reserved() + led.limit
            if self._led and running > self.capacity:
                return
            if self._follows_one_that_ends(led):
                return
            resumed = led.opened.resumes != 0
            if not resumed and led.misses < MAX_MISSES and self._kept.awaited(led.history, running):
                return
            self._waiting.popleft()
            reuse = self._resume(led) if resumed else self._kept.begin(led.history, running)
            if reuse is not None:
                led.opened.kept, led.opened.kept_tokens, led.opened.take_kept = reuse.number, reuse.tokens, reuse.take
                led.planned = led.safe = reuse.tokens
            self._begin(led)
            self._tell_places()

    def _resume(self, led: Led) -> None:
        """Where no stage has to compute anything again, all of it is in the caches."""
        if led.opened.held_from == 0 and self._pipeline.resumable(led.opened, led.prompt_tokens):
            led.planned = led.safe = led.prompt_tokens - 1
        elif led.opened.held_from == 0:
            led.opened.held_from = self._settings.stage_count

    def _follows_one_that_ends(self, led: Led) -> bool:
        """Whether a prompt goes on from an answer of which the head may hear a moment later than the controller that it
        has ended: at most a lap later its cache can be used."""
        return any(
            (each.travelling or each.closing) and each.history == led.history[: len(each.history)]
            for each in self._led.values()
        )

    def _begin(self, led: Led) -> None:
        computed = led.safe < led.prompt_tokens - 1 and not led.opened.resumes
        if not self._trims and led.prompt_tokens > MIN_SHARED and computed:
            led.opened.snapshot = self._kept.new_number()
            self._snapshots[led.id] = led.opened.snapshot
        if self._settings.options.speculate and led.opened.speculate:
            self._proposer.begin(led.id, led.opened, led.history)
        self._led[led.id] = led
        self._pipeline.begin(led.id, led.opened, led.source, led.history)
        self._trims = self._pipeline.trimmable(led.id, 0)
        self._pipeline.tell(
            led.source, Header(kind=lane_pb2.OPENED, sequence=led.id, count=led.safe, position=led.prompt_tokens)
        )
        if led.prefilled:
            self._make_ready(led)
        else:
            self._prefilling.append(led.id)

    def _tell_places(self) -> None:
        for place, led in enumerate(self._waiting, 1):
            self._pipeline.tell(led.source, Header(kind=lane_pb2.QUEUED, sequence=led.id, count=place))

    def _end(self, led: Led) -> None:
        """Everything of it is at rest: its cache is kept for what may follow, as far as it is certain."""
        keep = led.safe if led.safe >= MIN_SHARED and self._kept.wanted else 0
        if keep and led.planned > led.safe and not self._pipeline.trimmable(led.id, 0):
            keep = 0
        number = self._kept.new_number() if keep else 0
        self._pipeline.end(led.id, keep, number)
        snapshot = self._snapshots.pop(led.id, 0)
        if snapshot and led.safe >= led.prompt_tokens - 1:
            self._kept.book(snapshot, led.history[: led.prompt_tokens - 1], self._reserved() - led.limit)
        elif snapshot:
            self._kept.discard(snapshot)
        self._forget(led.id)
        if keep:
            self._kept.book(number, led.history[:keep], self._reserved())
        self._admit()

    def _reserved(self) -> int:
        """Tokens that all running sequences may come to have."""
        return sum(each.limit for each in self._led.values())

    def _forget(self, sequence_id: int) -> None:
        led = self._led.pop(sequence_id, None)
        self._proposer.forget(sequence_id)
        if sequence_id in self._ready:
            self._ready.remove(sequence_id)
        if sequence_id in self._prefilling:
            self._prefilling.remove(sequence_id)
        snapshot = self._snapshots.pop(sequence_id, 0)
        if snapshot:
            self._kept.discard(snapshot)
        group = self._groups.get(led.group) if led else None
        if led and group and sequence_id in group.members:
            group.members.remove(sequence_id)
            if not group.members:
                del self._groups[led.group]

    # -- prompts -----------------------------------------------------------------------------------------------------

    def _next_chunk_owner(self) -> Led | None:
        """The prompt whose turn it is; None where enough chunks are on their way."""
        if not self._prefilling or self._chunks_in_flight() > self._settings.stage_count:
            return None
        return self._led[self._prefilling[0]]

    def _chunks_in_flight(self) -> int:
        return sum(led.chunks_in_flight for led in self._led.values())

    def _chunk_step(self, led: Led) -> Step:
        last = led.prompt_tokens - 1
        lap = self._pacer.lap_s if self._answers_running() else None
        count = self._sizer.choose(last - led.planned, lap)
        step = Step(
            (Row(led.id, led.planned),),
            count,
            False,
            (tuple(led.history[led.planned : led.planned + count]),),
            arrived_ns=time.monotonic_ns(),
        )
        led.planned += count
        led.chunks_in_flight += 1
        self._pacer.chunk_left(step.arrived_ns / 1e9)
        for group in self._groups.values():
            group.disturbed = True
        self._prefilling.popleft()
        if led.prefilled:
            self._make_ready(led)
        else:
            self._prefilling.append(led.id)  # prompts take turns
        return step

    def _make_ready(self, led: Led) -> None:
        led.ready_ns, led.hop_us = time.monotonic_ns(), 0
        self._ready.append(led.id)

    # -- decode steps ------------------------------------------------------------------------------------------------

    def _answers_running(self) -> bool:
        return any(not led.fresh for led in self._led.values())

    def _running(self) -> int:
        return sum(1 for led in self._led.values() if led.travelling or led.id in self._ready)

    def _ready_rows(self) -> list[Ready]:
        ready = [self._led[number] for number in self._ready]
        return [Ready(led.id, 0 if led.fresh else led.group, alone=led.fresh, limit=led.limit) for led in ready]

    def _traffic(self) -> Traffic:
        return Traffic(
            active=self._running(),
            in_flight=len(self._groups),
            lanes=lanes_wanted(self._settings.stage_count, self._lap_us, self._slowest_us),
            max_batch=self.max_batch,
            spare_tokens=self.capacity - self._reserved(),
        )

    def _decode_step(self, chosen: Sequence[int]) -> Step:
        members = [self._led[number] for number in chosen]
        number = members[0].group if members[0].group not in (0, *self._groups) else self._new_group()
        ready_ns = max(led.ready_ns for led in members)
        self._groups[number] = _Group(list(chosen), ready_ns / 1e9, time.monotonic(), self._chunks_in_flight() > 0)
        for led in members:
            self._ready.remove(led.id)
            led.group = number
            led.travelling = True
            led.planned += 1
            led.proposals = ()
        if len(members) == 1:
            self._propose(members[0])
        first = members[0]
        return Step(
            tuple(Row(led.id, led.planned - 1) for led in members),
            1 + len(first.proposals),
            True,
            tuple((led.history[led.planned - 1], *led.proposals) for led in members),
            proposals=first.proposals,
            arrived_ns=ready_ns,
            hop_us=max(led.hop_us for led in members),
        )

    def _new_group(self) -> int:
        self._next_group += 1
        return self._next_group

    def _propose(self, led: Led) -> None:
        asked = led.prompt_tokens - led.opened.generated
        left = asked + led.opened.max_tokens - len(led.history) - 1
        most = 0 if led.fresh else min(left, self._settings.context_tokens - led.planned - 1, MOST_PROPOSED)
        if most > 0 and len(self._led) <= self._settings.stage_count and self._pipeline.trimmable(led.id, most + 1):
            led.proposals = self._proposer.propose(led.id, most, len(self._led))
            self._groups[led.group].left_at = time.monotonic()

    def _note_lap(
        self, rows: Sequence[lane_pb2.Row], timings: Sequence[lane_pb2.StepTiming], arrived_ns: int, hop_us: int
    ) -> None:
        """Books how long the group took, as a whole and by stages."""
        self._lap_s = None
        led = next((self._led[row.sequence] for row in rows if row.sequence in self._led), None)
        group = self._groups.pop(led.group, None) if led else None
        if led is None or group is None or led.fresh:
            return
        arrived_s = arrived_ns / 1e9
        disturbed = group.disturbed or self._chunks_in_flight() > 0
        if not disturbed:
            self._lap_s = arrived_s - group.left_at
        if not led.proposals:
            share = len(group.members) / max(1, self._running())
            self._pacer.lap(group.ready_at, arrived_s, disturbed=disturbed, share=share)
        if timings:
            work = [each.compute_us + each.serialise_us for each in timings]
            lap = sum(work) + sum(each.hop_us for each in timings[1:]) + hop_us
            self._lap_us += (lap - self._lap_us) * (SMOOTHING if self._lap_us else 1.0)
            self._slowest_us += (max(work) - self._slowest_us) * (SMOOTHING if self._slowest_us else 1.0)

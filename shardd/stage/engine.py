"""The compute thread of a stage: it owns MLX and the caches, and does one step at a time.

    head      OPEN from a controller; TOKEN and PROGRESS from the tail       -> STEP to the next stage
    between   STEP from the previous stage                                   -> STEP to the next stage
    tail      STEP from the previous stage -> sample -> TOKEN to the head, and a copy to the controller

With one stage, head and tail are the same process and the loop closes inside it. As mlx-lm does, the prompt but its
last token is prefilled in chunks, and the last token is the first decode step.

A step is one prefill chunk of one sequence, or one decode step of a group of sequences (see head and grouping).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from shardd.model.stage import Stage
from shardd.rpc import lane_pb2
from shardd.stage.computing import Computed, Computing
from shardd.stage.draft import Draft
from shardd.stage.frames import Buffer, Frame, FrameError, token_ids_from, token_ids_payload
from shardd.stage.head import Head
from shardd.stage.inbox import Inbox
from shardd.stage.keeper import Keeper
from shardd.stage.lane import Lane
from shardd.stage.orders import Place
from shardd.stage.refusing import refuse
from shardd.stage.residents import Residents
from shardd.stage.scheduler import choose
from shardd.stage.spill import SpillFolder
from shardd.stage.tail import Chosen, Tail, copies
from shardd.stage.work import (
    NEXT,
    Arrived,
    EngineSettings,
    Event,
    Halt,
    Header,
    Lost,
    Measurements,
    Row,
    Sender,
    Step,
    Task,
    failed,
    step_of,
)

MAX_ROWS = 256


class Engine:
    """next_lane and controllers may be replaced while it runs (a restarted neighbour, a new controller)."""

    def __init__(
        self,
        stage: Stage,
        settings: EngineSettings,
        report: Callable[[str], None],
        draft: Draft | None = None,
        folder: SpillFolder | None = None,
    ) -> None:
        self._stage = stage
        self._settings = settings
        self._report = report
        self._draft = draft
        self._inbox = Inbox()
        self._queue: list[Step] = []
        self._quick_in_a_row = 0
        self.keeper = Keeper(stage, self._forward, self._around, self.deliver, settings.options.kept_bits, folder)
        self._residents = Residents(stage, self.keeper)
        self._tail = Tail(settings.context_tokens, stage.vocab_size) if stage.is_tail else None
        self.measurements = Measurements()
        self.next_lane: Sender | None = None
        self.previous: Sender | None = None  # for nothing but word of what cannot go on
        self.controllers: dict[str, Sender] = {}
        self._settle(settings)

    def _settle(self, settings: EngineSettings) -> None:
        """What depends on the stage's place."""
        stage, self._settings = self._stage, settings
        self._residents.capacity = settings.capacity
        self._computing = Computing(stage, settings, self._residents, self._tail, self._inbox.give_back)
        self.head = Head(settings, self, self.keeper, self._draft) if stage.is_head else None
        if self.head is not None and self._alone and stage.batchable:
            self.head.max_batch = settings.options.max_batch

    @property
    def _alone(self) -> bool:
        return self._settings.stage_count == 1

    @property
    def queue_depth(self) -> int:
        return len(self._queue) + len(self._inbox)

    @property
    def sequence_count(self) -> int:
        return len(self._residents)

    def kv_bytes(self) -> int:
        """Bytes of all caches. May be called from any thread: reads sizes only."""
        return self._residents.bytes() + (self._draft.bytes() if self._draft else 0)

    def deliver(self, event: Event) -> None:
        """From any thread."""
        self._inbox.put(event)

    def lead_to(self, lane: Sender) -> None:
        """Everything for the next stage goes by this lane from now on. In the compute thread."""
        self.next_lane = lane

    def come_from(self, lane: Sender) -> None:
        """By this lane the previous stage is told of what cannot go on. In the compute thread."""
        self.previous = lane

    def take_place(self, order: Place) -> None:
        """Another place in another deployment: every sequence ends here as when the lanes break. In the compute
        thread."""
        self._break_off("The stage took another place.")
        self.next_lane = self.previous = None
        self.controllers.clear()
        self._settle(self._settings.placed(order))

    def read(self, lane: Lane, event_of: Callable[[Frame], Event]) -> None:
        """Takes what the previous stage sends, until its lane ends; in a thread of its own. Raises LaneClosed or
        FrameError then."""
        self._inbox.read(lane, event_of)

    def run(self) -> None:
        """Blocks until Halt. Everything of MLX happens in the thread that calls this."""
        while True:
            while (event := self._inbox.get_nowait()) is not None:
                if not self._take(event):
                    return
            step = self._next_step()
            if step is not None:
                self._do(step)
                continue
            self._computing.build_ahead()
            if self.head is not None and self.head.use_pause():
                continue
            if not self._take(self._inbox.get()):
                return

    def _next_step(self) -> Step | None:
        if self.head is not None:
            return self.head.next_step()
        if not self._queue:
            return None
        return self._queue.pop(choose([step.waiting for step in self._queue], self._quick_in_a_row))

    # -- what arrives ------------------------------------------------------------------------------------------------

    def _take(self, event: Event) -> bool:
        match event:
            case Arrived():
                self._handle(event)
            case Lost():
                self._lose(event.source)
            case Task():
                event.run()
            case Halt():
                return False
        return True

    def _handle(self, event: Arrived) -> None:
        frame, header = event.frame, event.frame.header
        try:
            match header.kind:
                case lane_pb2.OPEN:
                    self._open(event)
                case lane_pb2.STEP:
                    self._enqueue_step(frame)
                case lane_pb2.TOKEN if self.head is not None:
                    self.head.tokens_chosen(header.rows, header.timings, frame.arrived_ns, frame.hop_us)
                case lane_pb2.PROGRESS if self.head is not None:
                    self.head.chunk_done(header.sequence, header.position, header.timings, header.count)
                case lane_pb2.CLOSE if event.source and self.head is not None:
                    self.head.close(header.sequence)
                case lane_pb2.CLOSE if event.source and self._tail is not None:
                    self._tail.mute(header.sequence)  # the head ends it; if the ring is broken, that ends it
                    self._to_controller(event.source, Header(kind=lane_pb2.CLOSED, sequence=header.sequence))
                case lane_pb2.CLOSE:
                    self.end(header.sequence, header.keep_tokens, header.keep_as)
                case lane_pb2.RECALLED if self.head is not None:
                    self.head.recalled(header.kept, header.held)
                case lane_pb2.DROP | lane_pb2.RECALL | lane_pb2.RECALLED:
                    self.keeper.handle(header)
                case lane_pb2.FAIL if event.source == NEXT:
                    self._turn_back(header)
                case lane_pb2.FAIL if self.head is not None and not self._alone:
                    self._failed_around(header.sequence, header.broken)  # it came round: the controller knows
                case lane_pb2.FAIL:
                    header.ClearField("sent_ns")  # it goes on, stamped anew
                    self._fail(header)
                case _:
                    raise FrameError(f"a frame of kind {header.kind}, which no stage takes")
        except FrameError as error:
            message = f"stage {self._settings.stage_index} received {error}"
            self._fail(failed(header.sequence, message, header.open.reply_to))

    def _open(self, event: Arrived) -> None:
        header = event.frame.header
        prompt = token_ids_from(event.frame)
        open_already = header.sequence in self._residents or (
            self.head is not None and self.head.knows(header.sequence)
        )
        crowded = self.head is not None and self.head.crowded
        context, vocabulary = self._settings.context_tokens, self._stage.vocab_size
        refused = refuse(header.open, prompt, context, vocabulary, open_already=open_already, crowded=crowded)
        opened = lane_pb2.Open()
        opened.CopyFrom(header.open)
        if self.head is None:
            if refused:
                self._fail(failed(header.sequence, refused.sentence, opened.reply_to, refusal=refused.refusal))
            elif self._settings.holds(opened) and not self.resumable(opened, len(prompt)):
                gone = "The answer's cache is not here any more."
                self._fail(failed(header.sequence, gone, opened.reply_to, unheld=True))
            else:
                self.begin(header.sequence, opened, "", prompt)
        elif refused:
            news = failed(header.sequence, refused.sentence, refusal=refused.refusal)
            self._to_controller(event.source, news)
        else:
            opened.ClearField("kept")
            opened.ClearField("snapshot")
            self.head.open(header.sequence, opened, event.source, prompt)

    def _enqueue_step(self, frame: Frame) -> None:
        header = frame.header
        rows = tuple(Row(row.sequence, row.position) for row in header.rows)
        if not 0 < len(rows) <= MAX_ROWS or not header.count:
            raise FrameError("a step without rows or tokens")
        if not all(row.sequence in self._residents for row in rows):
            for row in rows:  # one failed while the frame travelled: whoever travels with it must not wait for ever
                if row.sequence in self._residents:
                    self._fail(failed(row.sequence, "Another answer in the same step failed."))
            return
        step = step_of(frame, rows)
        if self._tail is not None and step.sample and step.count != 1 + len(step.proposals):
            raise FrameError("a step whose proposals are not those that it computes")
        self._queue.append(step)

    # -- what the head has done --------------------------------------------------------------------------------------

    def begin(self, sequence_id: int, opened: lane_pb2.Open, source: str, prompt: Sequence[int]) -> None:
        self._computing.ahead.discard()
        resumed = self._settings.holds(opened)
        self._residents.open(sequence_id, opened, source, len(prompt), resumed=resumed)
        if self._tail is not None:
            self._tail.open(sequence_id, opened, prompt)
        if not self._alone and self.next_lane is None:
            message = f"Stage {self._settings.stage_index} has no lane to the next stage."
            self._turn_back(failed(sequence_id, message, opened.reply_to, broken=True))
            return
        tensor, payload = token_ids_payload(prompt)
        self._forward(Header(kind=lane_pb2.OPEN, sequence=sequence_id, tensors=[tensor], open=opened), [payload])

    def end(self, sequence_id: int, keep_tokens: int, keep_as: int) -> None:
        """Frees the sequence here and, by the frame that follows it down the pipeline, everywhere."""
        self._forget(sequence_id, keep_tokens, keep_as)
        self._forward(Header(kind=lane_pb2.CLOSE, sequence=sequence_id, keep_tokens=keep_tokens, keep_as=keep_as))
        if self._tail is not None:
            controller = self._tail.controller_of(sequence_id)
            self._tail.forget(sequence_id)
            self._to_controller(controller, Header(kind=lane_pb2.CLOSED, sequence=sequence_id))

    def tell(self, controller: str, header: Header) -> None:
        self._to_controller(controller, header)

    def trimmable(self, sequence_id: int, more: int) -> bool:
        return self._residents.trimmable(sequence_id, more)

    def resumable(self, opened: lane_pb2.Open, prompt_tokens: int) -> bool:
        return self._residents.resumable(opened, prompt_tokens)

    # -- what goes wrong ---------------------------------------------------------------------------------------------

    def _forget(self, sequence_id: int, keep_tokens: int = 0, keep_as: int = 0, *, hold: bool = False) -> None:
        self._computing.forget(sequence_id)
        if hold:
            self._residents.hold(sequence_id)
        self._residents.close(sequence_id, keep_tokens, keep_as)
        self._queue = [step for step in self._queue if all(row.sequence != sequence_id for row in step.rows)]

    def _fail(self, news: Header) -> None:
        """Ends a sequence that cannot go on: down to the tail, which tells the controller and the head."""
        resident = self._residents.get(news.sequence)
        if resident:
            news.reply_to = resident.opened.reply_to
        self._forget(news.sequence, hold=news.broken)
        if self._tail is not None:
            self._tail.forget(news.sequence)
            self._to_controller(news.reply_to, news)
        if self.head is not None:
            self.head.failed(news.sequence)
        if not self._alone and self.next_lane is not None:
            self.next_lane.post(news)

    def _turn_back(self, news: Header) -> None:
        """Word of a sequence that has no way on goes the way it came, up to the head, which tells all controllers."""
        head = self.head
        if head is not None:  # in its turn: the head may be just about to begin it
            self.deliver(Task(lambda: self._break_off(news.message) if head.knows(news.sequence) else None))
            return
        self._forget(news.sequence, hold=True)
        if self._tail is not None:
            self._tail.forget(news.sequence)
            self._to_controller(news.reply_to, news)
        if self.previous is not None:
            self.previous.post(news)

    def _failed_around(self, sequence_id: int, broken: bool) -> None:
        assert self.head is not None
        self._forget(sequence_id, hold=broken)
        self.head.failed(sequence_id)
        self._forward(Header(kind=lane_pb2.CLOSE, sequence=sequence_id))

    def _lose(self, source: str) -> None:
        """A lane ended: what needs it cannot go on."""
        if source not in ("", NEXT):
            self.controllers.pop(source, None)
            if self.head is not None:
                self.head.controller_lost(source)
            return
        direction = "to the next stage" if source == NEXT else "from the previous stage"
        message = f"The lane of stage {self._settings.stage_index} {direction} broke."
        if source == NEXT:
            self.next_lane = None
        self._break_off(message)
        self._report(message)

    def _break_off(self, message: str) -> None:
        """No sequence can go on by the present lanes."""
        led = [(each.id, each.source) for each in self.head.reset()] if self.head is not None else []
        for resident in self._residents.all():
            self._fail(failed(resident.id, message, broken=True))
        for sequence_id, controller in led:
            self._to_controller(controller, failed(sequence_id, message, broken=True))
        self.keeper.break_off()

    # -- one step ----------------------------------------------------------------------------------------------------

    def _do(self, step: Step) -> None:
        taken = time.monotonic_ns()
        sentence = ""
        try:
            self._compute(step, taken)
        except FrameError as error:
            sentence = f"Stage {self._settings.stage_index} received {error}."
        except (RuntimeError, ValueError, MemoryError) as error:
            sentence = f"Stage {self._settings.stage_index} could not compute a step: {error}."
        if sentence:
            for row in step.rows:
                self._fail(failed(row.sequence, sentence))
        self._quick_in_a_row = self._quick_in_a_row + 1 if step.sample else 0

    def _compute(self, step: Step, taken: int) -> None:
        header = Header(count=step.count, sample=step.sample)

        def begin_header() -> None:
            if step.frame is not None:
                header.timings.extend(step.frame.header.timings)
            header.timings.add(
                stage=self._settings.stage_index,
                hop_us=step.hop_us,
                queue_us=max(0, (taken - step.arrived_ns) // 1000),
            )
            if self._tail is None:
                header.kind = lane_pb2.STEP
                for row in step.rows:
                    header.rows.add(sequence=row.sequence, position=row.position)
                header.rows[0].tokens.extend(step.proposals)

        if not step.sample and self._residents.passes(step.rows, step.count):  # it has them from before
            begin_header()
            computed = Computed([], [], [], taken, 0)
        else:
            computed = self._computing.step(step, begin_header)
            if not step.sample and self._residents.nobody_needs(step.rows, self._settings.stage_index):
                computed = replace(computed, tensors=[], payload=[])
        timing = header.timings[-1]
        timing.compute_us, timing.kv_bytes = (computed.at_ns - taken) // 1000, computed.kv_bytes
        if self._tail is None:
            header.tensors.extend(computed.tensors)
            timing.serialise_us = (time.monotonic_ns() - computed.at_ns) // 1000
            if self.next_lane is not None:
                (self.next_lane.send if step.sample else self.next_lane.post)(header, computed.payload)
        elif step.sample:
            self._emit(header, self._tail.settle(step.rows, step.proposals, computed.drawn), computed.at_ns)
        else:
            self._emit_progress(header, step.rows[0])
        self.measurements.add(timing, step.hop_us, decoded=step.sample)

    def _emit(self, header: Header, chosen: list[Chosen], computed: int) -> None:
        """The tail: the tokens to the head first, for that is the next step; then the copies to the controllers."""
        assert self._tail is not None
        header.kind = lane_pb2.TOKEN
        for each in chosen:
            header.rows.add(
                sequence=each.sequence,
                position=each.position,
                tokens=[token.token for token in each.tokens],
                finish_reason=each.finish_reason,
            )
        header.timings[-1].serialise_us = (time.monotonic_ns() - computed) // 1000
        if not self._alone and self.next_lane is not None:
            self.next_lane.send(header)
        sent_ns = header.sent_ns or time.monotonic_ns()
        timings = list(header.timings)
        for each in chosen:
            controller = self.controllers.get(self._tail.controller_of(each.sequence))
            if controller is not None:
                for copy in copies(each, len(chosen), timings, sent_ns):
                    controller.post(copy)
        if self._alone and self.head is not None:
            self.head.tokens_chosen(header.rows, header.timings, sent_ns, 0)

    def _emit_progress(self, header: Header, row: Row) -> None:
        header.kind, header.sequence, header.position = lane_pb2.PROGRESS, row.sequence, row.position
        assert self._tail is not None
        if self._alone and self.head is not None:
            self.head.chunk_done(row.sequence, row.position, header.timings, header.count)
        elif self.next_lane is not None:
            self.next_lane.post(header)
        copy = Header()
        copy.CopyFrom(header)
        self._to_controller(self._tail.controller_of(row.sequence), copy)

    # -- where things go ---------------------------------------------------------------------------------------------

    def _forward(self, header: Header, payload: list[Buffer] | None = None) -> None:
        """On to the next stage, but never past the tail."""
        if not self._stage.is_tail and self.next_lane is not None:
            self.next_lane.send(header, payload or [])

    def _around(self, header: Header) -> None:
        """From the tail to the head."""
        if self._alone and self.head is not None:
            head = self.head
            self.deliver(Task(lambda: head.recalled(header.kept, header.held)))
        elif self.next_lane is not None:
            self.next_lane.post(header)

    def _to_controller(self, lane: str, header: Header) -> None:
        controller = self.controllers.get(lane)
        if controller is not None:
            controller.post(header)

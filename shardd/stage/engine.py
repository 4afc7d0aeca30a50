"""The compute thread of a stage: it owns MLX, the caches and the sequences, and does one step at a time.

    head      OPEN from a controller; TOKEN and PROGRESS from the tail       -> STEP to the next stage
    between   STEP from the previous stage                                   -> STEP to the next stage
    tail      STEP from the previous stage -> sample -> TOKEN to the head, and a copy to the controller

With one stage, head and tail are the same process and the loop closes inside it. As mlx-lm does, the prompt but its
last token is prefilled in chunks, and the last token is the first decode step: results equal mlx-lm's, bit for bit.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any, cast

import mlx.core as mx

from shardd.model.stage import Stage
from shardd.rpc import lane_pb2
from shardd.stage.arrays import describe, raw, restore
from shardd.stage.frames import Buffer, Frame, FrameError, token_ids_from
from shardd.stage.sampling import Sampler, check_sampling
from shardd.stage.scheduler import choose, chunk_ready
from shardd.stage.work import (
    NEXT,
    Arrived,
    EngineSettings,
    Event,
    Halt,
    Header,
    Lost,
    Measurements,
    Sender,
    Sequence,
    Step,
)

MAX_SEQUENCES = 64
KV_LOOK_STEPS = 16  # decode steps between two looks at a cache's size


class Engine:
    """next_lane and controllers may be replaced while it runs (a restarted neighbour, a new controller)."""

    def __init__(self, stage: Stage, settings: EngineSettings, report: Callable[[str], None]) -> None:
        self._stage = stage
        self._settings = settings
        self._report = report
        self._events: SimpleQueue[Event] = SimpleQueue()
        self._queue: list[Step] = []
        self._quick_in_a_row = 0
        self._sequences: dict[int, Sequence] = {}
        self.measurements = Measurements()
        self.next_lane: Sender | None = None
        self.controllers: dict[str, Sender] = {}

    @property
    def _alone(self) -> bool:
        return self._settings.stage_count == 1

    @property
    def queue_depth(self) -> int:
        return len(self._queue) + self._events.qsize()

    @property
    def sequence_count(self) -> int:
        return len(self._sequences)

    def kv_bytes(self) -> int:
        """Bytes of all caches. May be called from any thread: reads sizes only."""
        return sum(self._stage.cache_bytes(sequence.cache) for sequence in list(self._sequences.values()))

    def deliver(self, event: Event) -> None:
        """From any thread."""
        self._events.put(event)

    def run(self) -> None:
        """Blocks until Halt. Everything of MLX happens in the thread that calls this."""
        while True:
            if not self._queue and not self._take(self._events.get()):
                return
            while True:
                try:
                    event = self._events.get_nowait()
                except Empty:
                    break
                if not self._take(event):
                    return
            if self._queue:
                self._step(self._queue.pop(choose([step.waiting for step in self._queue], self._quick_in_a_row)))

    # -- what arrives ------------------------------------------------------------------------------------------------

    def _take(self, event: Event) -> bool:
        match event:
            case Arrived():
                self._handle(event)
            case Lost():
                self._lose(event.source)
            case Halt():
                return False
        return True

    def _handle(self, event: Arrived) -> None:
        header = event.frame.header
        try:
            match header.kind:
                case lane_pb2.OPEN:
                    self._open(event)
                case lane_pb2.STEP:
                    self._enqueue_step(event.frame)
                case lane_pb2.TOKEN:
                    self._continue(header.sequence, header.token, event.frame)
                case lane_pb2.PROGRESS:
                    self._advance(header.sequence)
                case lane_pb2.CLOSE:
                    self._close(header.sequence)
                case lane_pb2.FAIL if self._stage.is_head and not self._alone:
                    self._close(header.sequence)  # it came round: the controller knows
                case lane_pb2.FAIL:
                    self._fail(header.sequence, header.message, header.reply_to, broken=header.broken)
                case _:
                    raise FrameError(f"a frame of kind {header.kind}, which no stage takes")
        except FrameError as error:
            self._fail(header.sequence, f"stage {self._settings.stage_index} received {error}")

    def _open(self, event: Arrived) -> None:
        header = event.frame.header
        prompt = token_ids_from(event.frame)
        refusal = self._refusal(header, prompt)
        if refusal:
            if event.source:
                self._to_controller(event.source, _failed(header.sequence, refusal))
            else:
                self._fail(header.sequence, refusal, header.open.reply_to)
            return
        opened = lane_pb2.Open()
        opened.CopyFrom(header.open)
        sequence = Sequence(header.sequence, opened, event.source, self._stage.make_cache(), prompt=prompt)
        if self._stage.is_tail:
            sequence.sampler = Sampler(opened.sampling, prompt, self._stage.vocab_size)
        self._sequences[header.sequence] = sequence
        self._forward(
            Header(kind=lane_pb2.OPEN, sequence=sequence.id, tensors=header.tensors, open=opened), event.frame
        )
        if self._stage.is_head:
            self._plan_prefill(sequence)

    def _refusal(self, header: Header, prompt: list[int]) -> str | None:
        """Why this sequence cannot be opened, as a sentence, or None."""
        context = self._settings.context_tokens
        if header.sequence in self._sequences:
            return "This sequence is open already."
        if len(self._sequences) >= MAX_SEQUENCES:
            return f"{MAX_SEQUENCES} answers are being written already. Try again when one has ended."
        if not prompt:
            return "The prompt is empty. Write something."
        if len(prompt) >= context:
            return (
                f"The prompt has {len(prompt)} tokens and the context holds {context}. "
                "Shorten it or deploy with a longer context."
            )
        if not all(0 <= token < self._stage.vocab_size for token in prompt):
            return "The prompt has token ids that the model does not know. Use the tokenizer that came with it."
        problem = check_sampling(header.open.sampling, self._stage.vocab_size)
        return f"The sampling settings are wrong: {problem}." if problem else None

    def _enqueue_step(self, frame: Frame) -> None:
        header = frame.header
        if header.sequence in self._sequences:  # else it was closed while the frame travelled
            step = Step(
                header.sequence,
                header.position,
                header.count,
                header.sample,
                frame=frame,
                arrived_ns=frame.arrived_ns,
                hop_us=frame.hop_us,
            )
            self._queue.append(step)

    def _continue(self, sequence_id: int, token: lane_pb2.Token, frame: Frame | None) -> None:
        """The head: the tail has chosen a token."""
        sequence = self._sequences.get(sequence_id)
        if sequence is None:
            return
        if token.finish_reason:
            self._close(sequence_id)
            return
        arrived = frame.arrived_ns if frame else time.monotonic_ns()
        hop_us = frame.hop_us if frame else 0
        position = sequence.planned
        sequence.planned += 1
        self._queue.append(
            Step(sequence_id, position, 1, True, tokens=(token.token,), arrived_ns=arrived, hop_us=hop_us)
        )

    def _advance(self, sequence_id: int) -> None:
        """The head: a prefill chunk has passed the tail."""
        sequence = self._sequences.get(sequence_id)
        if sequence is not None:
            sequence.chunks_in_flight -= 1
            self._plan_prefill(sequence)

    def _plan_prefill(self, sequence: Sequence) -> None:
        """Queues as many chunks as may travel now, and the last prompt token behind the last chunk."""
        last = len(sequence.prompt) - 1
        now = time.monotonic_ns()
        while chunk_ready(sequence.planned, last, sequence.chunks_in_flight, self._settings.stage_count):
            end = min(last, sequence.planned + self._settings.prefill_chunk_tokens)
            tokens = tuple(sequence.prompt[sequence.planned : end])
            self._queue.append(Step(sequence.id, sequence.planned, len(tokens), False, tokens=tokens, arrived_ns=now))
            sequence.planned = end
            sequence.chunks_in_flight += 1
        if sequence.planned == last:
            sequence.planned += 1
            self._queue.append(Step(sequence.id, last, 1, True, tokens=(sequence.prompt[last],), arrived_ns=now))

    def _close(self, sequence_id: int) -> None:
        """Frees the sequence here and, by the frame that follows it down the pipeline, everywhere."""
        sequence = self._sequences.pop(sequence_id, None)
        self._queue = [step for step in self._queue if step.sequence != sequence_id]
        self._forward(Header(kind=lane_pb2.CLOSE, sequence=sequence_id))
        if self._stage.is_tail and sequence is not None:
            self._to_controller(sequence.opened.reply_to, Header(kind=lane_pb2.CLOSED, sequence=sequence_id))

    def _fail(self, sequence_id: int, message: str, reply_to: str = "", *, broken: bool = False) -> None:
        """Ends a sequence that cannot go on: down to the tail, which tells the controller and the head."""
        sequence = self._sequences.pop(sequence_id, None)
        self._queue = [step for step in self._queue if step.sequence != sequence_id]
        reply_to = sequence.opened.reply_to if sequence else reply_to
        failed = _failed(sequence_id, message, reply_to, broken=broken)
        if self._stage.is_tail:
            self._to_controller(reply_to, failed)
        if not self._alone and self.next_lane is not None:
            self.next_lane.post(failed)

    def _lose(self, source: str) -> None:
        """A lane ended: what needs it cannot go on."""
        if source not in ("", NEXT):
            self.controllers.pop(source, None)
            for sequence in [each for each in self._sequences.values() if each.source == source]:
                self._close(sequence.id)
            return
        direction = "to the next stage" if source == NEXT else "from the previous stage"
        message = f"The lane of stage {self._settings.stage_index} {direction} broke."
        if source == NEXT:
            self.next_lane = None
        for sequence in list(self._sequences.values()):
            self._fail(sequence.id, message, broken=True)
            if self._stage.is_head:
                self._to_controller(sequence.source, _failed(sequence.id, message, broken=True))
        self._report(message)

    # -- one step ----------------------------------------------------------------------------------------------------

    def _step(self, step: Step) -> None:
        taken = time.monotonic_ns()
        sequence = self._sequences.get(step.sequence)
        if sequence is None:
            return
        try:
            self._compute(step, sequence, taken)
        except FrameError as error:
            self._fail(step.sequence, f"Stage {self._settings.stage_index} received {error}.")
        except (RuntimeError, ValueError, MemoryError) as error:
            self._fail(step.sequence, f"Stage {self._settings.stage_index} could not compute a step: {error}.")
        self._quick_in_a_row = self._quick_in_a_row + 1 if step.sample else 0

    def _compute(self, step: Step, sequence: Sequence, taken: int) -> None:
        if step.position != sequence.position or step.position + step.count > self._settings.context_tokens:
            raise FrameError(
                f"tokens {step.position} to {step.position + step.count - 1} of a sequence that is at "
                f"{sequence.position} of {self._settings.context_tokens}"
            )
        stage = self._stage
        inputs = (
            mx.array([step.tokens], dtype=mx.int32) if step.frame is None else restore(step.frame, stage.payload_in)
        )
        outputs = stage.forward(inputs, sequence.cache)
        token: lane_pb2.Token | None = None
        parts: list[mx.array] = []
        if not stage.is_tail:
            parts = [raw(output) for output in outputs]
            mx.eval(parts, [] if step.sample else stage.cache_arrays(sequence.cache))
        elif step.sample:
            token = self._sample(sequence, outputs[0][:, -1, :], step.position + 1)
        else:
            mx.eval(stage.cache_arrays(sequence.cache))
        if self._settings.layer_delay_ms:
            time.sleep(self._settings.layer_delay_ms * (stage.last - stage.first + 1) / 1000)
        computed = time.monotonic_ns()
        sequence.position += step.count
        if sequence.position % KV_LOOK_STEPS == 0 or not sequence.kv_bytes or not step.sample:
            sequence.kv_bytes = stage.cache_bytes(sequence.cache)

        header = Header(sequence=step.sequence, position=step.position, count=step.count, sample=step.sample)
        if step.frame is not None:
            header.timings.extend(step.frame.header.timings)
        timing = header.timings.add(
            stage=self._settings.stage_index,
            hop_us=step.hop_us,
            queue_us=max(0, (taken - step.arrived_ns) // 1000),
            compute_us=(computed - taken) // 1000,
            kv_bytes=sequence.kv_bytes,
        )
        payload: list[Buffer] = [memoryview(cast(Any, part)) for part in parts]  # mlx's stubs do not say it is one
        if not stage.is_tail:
            header.kind = lane_pb2.STEP
            header.tensors.extend(describe(output) for output in outputs)
        timing.serialise_us = (time.monotonic_ns() - computed) // 1000
        if token is not None:
            self._emit(sequence, header, token)
        elif stage.is_tail:
            self._emit_progress(sequence, header)
        elif self.next_lane is not None:
            (self.next_lane.send if step.sample else self.next_lane.post)(header, payload)
        self._measure(step, timing)

    def _sample(self, sequence: Sequence, logits: mx.array, position: int) -> lane_pb2.Token:
        assert sequence.sampler is not None
        choice = sequence.sampler.choose(logits, position)
        sequence.generated += 1
        token = lane_pb2.Token(token=choice.token)
        if choice.logprob is not None:
            token.logprob.token, token.logprob.logprob = choice.token, choice.logprob
            token.top_logprobs.extend(lane_pb2.TokenLogprob(token=t, logprob=p) for t, p in choice.top_logprobs)
        if choice.token in sequence.opened.stop_tokens:
            token.finish_reason = "stop"
        elif sequence.generated >= sequence.opened.max_tokens or position + 1 >= self._settings.context_tokens:
            token.finish_reason = "length"
        return token

    def _emit(self, sequence: Sequence, header: Header, token: lane_pb2.Token) -> None:
        """The tail: the token to the head first, for that is the next step; then the copy to the controller."""
        if not self._alone and self.next_lane is not None:
            brief = lane_pb2.Token(token=token.token, finish_reason=token.finish_reason)
            self.next_lane.send(
                Header(kind=lane_pb2.TOKEN, sequence=sequence.id, position=header.position, token=brief)
            )
        header.kind = lane_pb2.TOKEN
        header.token.CopyFrom(token)
        self._to_controller(sequence.opened.reply_to, header)
        if self._alone:
            self._continue(sequence.id, token, None)

    def _emit_progress(self, sequence: Sequence, header: Header) -> None:
        header.kind = lane_pb2.PROGRESS
        self._to_controller(sequence.opened.reply_to, header)
        if self._alone:
            self._advance(sequence.id)
        elif self.next_lane is not None:
            self.next_lane.post(Header(kind=lane_pb2.PROGRESS, sequence=sequence.id, position=header.position))

    def _measure(self, step: Step, timing: lane_pb2.StepTiming) -> None:
        self.measurements.steps += 1
        if step.sample:
            self.measurements.compute_ms.add(timing.compute_us / 1000)
            self.measurements.queue_ms.add(timing.queue_us / 1000)
            if step.hop_us:
                self.measurements.hop_ms.add(step.hop_us / 1000)

    # -- where things go ---------------------------------------------------------------------------------------------

    def _forward(self, header: Header, frame: Frame | None = None) -> None:
        """On to the next stage, but never past the tail."""
        if not self._stage.is_tail and self.next_lane is not None:
            self.next_lane.send(header, [frame.payload] if frame and len(frame.payload) else [])

    def _to_controller(self, lane: str, header: Header) -> None:
        controller = self.controllers.get(lane)
        if controller is not None:
            controller.post(header)


def _failed(sequence_id: int, message: str, reply_to: str = "", *, broken: bool = False) -> Header:
    return Header(kind=lane_pb2.FAIL, sequence=sequence_id, message=message, reply_to=reply_to, broken=broken)

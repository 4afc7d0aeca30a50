"""One answer: from a request to a stream of updates, whatever happens on the way."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from app.core.deployment.deployment import Deployment, held_from
from app.core.deployment.loss import Recover
from app.core.errors import ShardboardError
from app.core.generation.pipeline import Broken, OpenSequence, Pipeline
from app.core.generation.recovery import MAX_IN_A_ROW, Replay
from app.core.generation.request import (
    GenerationEventNote,
    GenerationRequest,
    GenerationResult,
    GenerationUpdate,
    PrefillProgress,
    Queued,
    StageReport,
    StageTiming,
    TokenEvent,
)
from app.core.generation.stopping import StopMatcher
from app.core.generation.tokenizer import Detokenizer, ModelTokenizer
from app.core.text import phrase
from shardd.model.inventory import Inventory
from shardd.rpc import lane_pb2
from shardd.stage.frames import Frame
from shardd.stage.timings import spread

RENDER_S = 20.0


@dataclass(slots=True)
class Answer:
    """What is known of an answer so far."""

    prompt_tokens: int
    began: float = field(default_factory=time.perf_counter)
    text: str = ""
    token_ids: list[int] = field(default_factory=list[int])
    logprobs: list[float] = field(default_factory=list[float])
    token_times: list[float] = field(default_factory=list[float])  # seconds since began, of every sampled token
    timings: list[tuple[StageTiming, ...]] = field(default_factory=list[tuple[StageTiming, ...]])
    events: list[GenerationEventNote] = field(default_factory=list[GenerationEventNote])
    finish_reason: str = ""
    reused_tokens: int = 0
    laps: int = 0
    last_at: float = field(default_factory=time.monotonic)  # when the last token came
    losses: int = 0  # since then
    replay: Replay | None = None  # under way

    def elapsed(self) -> float:
        return time.perf_counter() - self.began

    def note(
        self, kind: str, node: str, message: str, parts_ms: Mapping[str, float] | None = None
    ) -> GenerationEventNote:
        self.events.append(GenerationEventNote(self.elapsed() * 1000, kind, node, message, parts_ms or {}))
        return self.events[-1]


async def prompt_ids(request: GenerationRequest, tokenizer: ModelTokenizer) -> list[int]:
    """The request's token ids. Raises ShardboardError; a chat template that loops is given up."""
    if request.prompt_ids:
        return list(request.prompt_ids)
    work = (
        asyncio.to_thread(tokenizer.render, request.messages, request.continue_last)
        if request.messages
        else asyncio.to_thread(tokenizer.encode, request.prompt)
    )
    try:
        return await asyncio.wait_for(work, RENDER_S)
    except TimeoutError:
        raise ShardboardError("The model's chat template did not come to an end.", "Choose another model.") from None


async def answer(
    request: GenerationRequest,
    prompt: Sequence[int],
    tokenizer: ModelTokenizer,
    pipeline: Pipeline,
    inventory: Inventory,
    recover: Recover,
) -> AsyncIterator[GenerationUpdate]:
    """The updates of one answer, a GenerationResult last. Closing the iterator stops the sequence at the next token.

    Where the lanes break the answer waits for others, and its tokens so far go through the stages once more.
    """
    state = Answer(len(prompt))
    stop_tokens = () if request.ignore_end else tokenizer.stop_tokens
    sampling = request.sampling
    if sampling.seed is None:  # the same one for the whole answer
        sampling = replace(sampling, seed=secrets.randbits(63))

    def open_again(former: OpenSequence | None, held: int) -> OpenSequence:
        """With the tokens so far, on the lanes as they are now. former: its caches may be there."""
        so_far, own = (*prompt, *state.token_ids), len(state.token_ids)
        return pipeline.open(so_far, sampling, request.max_tokens, stop_tokens, own, former, held)

    sequence = pipeline.open(prompt, sampling, request.max_tokens, stop_tokens)
    detokenizer, matcher = tokenizer.detokenizer(), StopMatcher(request.stop)
    ended = False
    try:
        while not state.finish_reason:
            received = await sequence.queue.get()
            if isinstance(received, Broken) or (received.header.kind == lane_pb2.FAIL and received.header.broken):
                pipeline.break_off()
                loss = recover(pipeline)
                async for news in loss.follow():
                    yield state.note(news.kind, news.node, news.message)
                if not _may_go_on(state, pipeline, loss.pipeline):
                    break
                assert loss.pipeline is not None
                held = held_from(pipeline.deployment, loss.pipeline.deployment)
                pipeline.forget(sequence)
                pipeline, state.replay = loss.pipeline, Replay(loss, state.last_at)
                former = sequence if state.token_ids and held is not None else None
                sequence = open_again(former, held or 0)
            elif received.header.kind == lane_pb2.FAIL and received.header.unheld:
                pipeline.forget(sequence)
                sequence = open_again(None, 0)
            elif received.header.kind == lane_pb2.QUEUED:
                yield Queued(received.header.count)
            elif received.header.kind == lane_pb2.OPENED and not state.token_ids:
                state.reused_tokens = received.header.count
                yield PrefillProgress(state.reused_tokens, len(prompt))
            elif received.header.kind == lane_pb2.PROGRESS and state.replay is not None:
                state.replay.computed(received.header)
            elif received.header.kind == lane_pb2.PROGRESS and not state.token_ids:
                done = received.header.position + received.header.count
                yield PrefillProgress(done, len(prompt))
            elif received.header.kind == lane_pb2.FAIL:
                note = state.note("failed", "", received.header.message)
                state.events[-1] = replace(note, refusal=received.header.refusal)
                state.finish_reason = "error"
            elif received.header.kind == lane_pb2.TOKEN:
                if state.replay is not None:
                    yield _continued(state, state.replay)
                update = _take_token(state, received, detokenizer, matcher)
                ended = bool(received.header.token.finish_reason)
                if matcher.matched and not state.finish_reason:
                    state.finish_reason = "stop"
                if state.finish_reason and not matcher.matched:
                    detokenizer.finalize()
                    rest = matcher.feed(detokenizer.last_segment)
                    update = _with_text(update, rest + ("" if matcher.matched else matcher.finish()))
                state.text += update.text
                if received.header.token.finish_reason != "stop" or update.text:
                    yield update
        yield _result(state, pipeline.deployment, inventory)
    finally:
        if not ended:
            pipeline.stop(sequence)
        pipeline.forget(sequence)


def _may_go_on(state: Answer, former: Pipeline, pipeline: Pipeline | None) -> bool:
    """Whether the answer goes on by these lanes; else why it ends is noted."""
    state.losses += 1
    if pipeline is not None and state.losses <= MAX_IN_A_ROW:
        if pipeline.deployment.placement != former.deployment.placement:
            state.timings.clear()  # they are of other stages
        return True
    if pipeline is not None:
        state.note(
            "failed",
            "",
            phrase(
                "The answer was interrupted {max_in_a_row} times without a token in between.",
                max_in_a_row=MAX_IN_A_ROW + 1,
            ),
        )
    state.finish_reason = "error"
    return False


def _continued(state: Answer, replay: Replay) -> GenerationEventNote:
    now = time.monotonic()
    state.replay = None
    parts_ms = {name: part * 1000 for name, part in replay.parts_s(now).items()}
    note = state.note("continued", replay.loss.node, replay.sentence(now), parts_ms)
    state.events[-1] = replace(note, replayed_tokens=tuple(replay.tokens))
    return state.events[-1]


def _take_token(state: Answer, frame: Frame, detokenizer: Detokenizer, matcher: StopMatcher) -> TokenEvent:
    """Books one token. The one that ends an answer (finish_reason "stop") is not part of it."""
    token = frame.header.token
    now = state.elapsed()
    timings = tuple(
        StageTiming(t.stage, t.hop_us / 1000, t.queue_us / 1000, t.compute_us / 1000, t.serialise_us / 1000, t.kv_bytes)
        for t in frame.header.timings
    )
    state.token_times.append(now)
    state.last_at = time.monotonic()
    state.losses = 0
    if timings:
        state.laps += 1
        state.timings.append(timings)
    state.finish_reason = token.finish_reason
    text = ""
    logprob = token.logprob.logprob if token.HasField("logprob") else None
    if token.finish_reason != "stop":
        state.token_ids.append(token.token)
        if logprob is not None:
            state.logprobs.append(logprob)
        detokenizer.add_token(token.token)
        text = matcher.feed(detokenizer.last_segment)
    top = tuple((each.token, each.logprob) for each in token.top_logprobs)
    sent_ms = frame.header.sent_ns / 1e6
    return TokenEvent(token.token, text, timings, now * 1000, logprob, top, max(1, frame.header.count), sent_ms)


def _with_text(update: TokenEvent, more: str) -> TokenEvent:
    return update._replace(text=update.text + more)


def _result(state: Answer, deployment: Deployment, inventory: Inventory) -> GenerationResult:
    times = state.token_times
    ttft = times[0] if times else None
    decode_s = times[-1] - times[0] if len(times) > 1 else 0.0
    return GenerationResult(
        text=state.text,
        token_ids=tuple(state.token_ids),
        prompt_tokens=state.prompt_tokens,
        completion_tokens=len(state.token_ids),
        finish_reason=state.finish_reason,
        ttft_ms=ttft * 1000 if ttft is not None else None,
        prefill_tokens_per_s=(state.prompt_tokens - state.reused_tokens) / ttft if ttft else None,
        decode_tokens_per_s=(len(times) - 1) / decode_s if decode_s > 0 else None,
        stages=stage_reports(deployment, inventory, state.timings),
        events=tuple(state.events),
        logprobs=tuple(state.logprobs),
        reused_tokens=state.reused_tokens,
        laps=state.laps,
    )


def stage_reports(
    deployment: Deployment, inventory: Inventory, timings: Sequence[tuple[StageTiming, ...]]
) -> tuple[StageReport, ...]:
    """Each stage over an answer. The first token's timings are left out: they belong to the prompt."""
    steps = [timing for token in timings[1:] for timing in token]
    reports: list[StageReport] = []
    for index, stage in enumerate(deployment.stages):
        mine = [timing for timing in steps if timing.stage == index]
        reports.append(
            StageReport(
                node=stage.node,
                first=stage.first,
                last=stage.last,
                weights_bytes=inventory.weights_bytes(stage.first, stage.last),
                kv_bytes=max((t.kv_bytes for token in timings for t in token if t.stage == index), default=0),
                compute_ms=spread([timing.compute_ms for timing in mine]),
                queue_ms=spread([timing.queue_ms for timing in mine]),
                hop_ms=spread([timing.hop_ms for timing in mine]) if len(deployment.stages) > 1 else None,
            )
        )
    return tuple(reports)

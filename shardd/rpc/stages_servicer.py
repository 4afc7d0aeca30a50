"""What is loaded on this machine: stages started, joined, restarted and watched."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import asdict
from typing import Any, NoReturn

import grpc
import grpc.aio

from shardd.agent.events import EventHub
from shardd.agent.records import StageRecord, StageRequest
from shardd.agent.released import ReleasedStage
from shardd.agent.supervisor import StageError, Supervisor
from shardd.identity import IdentityError, TrustedPeer, TrustedPeers, parse_certificate
from shardd.rpc import agent_pb2
from shardd.rpc.agent_pb2_grpc import StagesServicer
from shardd.rpc.gate import caller_of
from shardd.rpc.limits import endpoint_problem, token_problem
from shardd.stage.orders import Connect, PipelineOptions, Place
from shardd.stage.shaping import parse_link

Context = grpc.aio.ServicerContext[Any, Any]

MAX_STAGES = 512
MAX_BATCH = 256
MAX_LINK = 100
MAX_KV_TOKENS = 1 << 36
MAX_SPILL_BYTES = 1 << 50


class Stages(StagesServicer):
    def __init__(
        self, supervisor: Supervisor, peers: TrustedPeers, events: EventHub, name_of: Callable[[str], str]
    ) -> None:
        self._supervisor = supervisor
        self._name_of = name_of
        self._peers = peers
        self._events = events

    async def LoadStage(
        self, request: agent_pb2.LoadStageRequest, context: Context
    ) -> AsyncIterator[agent_pb2.LoadProgress]:
        caller = await self._caller(context)
        problem = _problem(request)
        if problem:
            await _refuse(context, problem)
        wanted = StageRequest(
            epoch=request.epoch,
            shard_id=request.shard_id,
            stage_index=request.stage_index,
            stage_count=request.stage_count,
            context_tokens=request.context_tokens,
            prefill_chunk_tokens=request.prefill_chunk_tokens,
            options=_options(request.options),
            deployed_by=caller.fingerprint,
            draft_shard_id=request.draft.shard_id,
            draft_context_tokens=request.draft.context_tokens,
        )
        async for progress in self._follow(self._supervisor.load(wanted), context):
            yield progress

    async def RestartStage(
        self, request: agent_pb2.RestartStageRequest, context: Context
    ) -> AsyncIterator[agent_pb2.LoadProgress]:
        await self._own(request.stage_id, context)
        async for progress in self._follow(self._supervisor.restart(request.stage_id), context):
            yield progress

    async def ConnectStage(
        self, request: agent_pb2.ConnectStageRequest, context: Context
    ) -> agent_pb2.ConnectStageReply:
        await self._own(request.stage_id, context)
        problem = endpoint_problem(request.addresses, request.port) or token_problem(request.outbound_token)
        if problem:
            await _refuse(context, problem)
        try:
            parse_certificate(request.certificate)
            order = Connect(
                list(request.addresses),
                request.port,
                request.outbound_token.hex(),
                request.certificate.decode(),
                min(request.max_batch, MAX_BATCH),
            )
            await self._supervisor.connect(request.stage_id, order)
        except (StageError, IdentityError) as error:
            await _refuse(context, str(error))
        return agent_pb2.ConnectStageReply()

    async def GrantLane(self, request: agent_pb2.GrantLaneRequest, context: Context) -> agent_pb2.LaneGrant:
        caller = await self._caller(context)
        try:
            await self._own(request.stage_id, context)
            if request.certificate:
                parse_certificate(request.certificate)
            pem = request.certificate or caller.pem
            port, token = await self._supervisor.grant(request.stage_id, pem, controller=not request.certificate)
        except (StageError, IdentityError) as error:
            await _refuse(context, str(error))
        return agent_pb2.LaneGrant(port=port, token=token)

    async def UnloadStage(self, request: agent_pb2.UnloadStageRequest, context: Context) -> agent_pb2.UnloadStageReply:
        caller = await self._own(request.stage_id, context)
        try:
            freed_bytes = await self._supervisor.unload(request.stage_id, caller.fingerprint)
            return agent_pb2.UnloadStageReply(freed_bytes=freed_bytes)
        except StageError as error:
            await _refuse(context, str(error))

    async def PlaceStage(self, request: agent_pb2.PlaceStageRequest, context: Context) -> agent_pb2.PlaceStageReply:
        await self._own(request.stage_id, context)
        if not _is_place(request.stage_index, request.stage_count) or request.kv_tokens > MAX_KV_TOKENS:
            await _refuse(context, "The stage's place in the pipeline is wrong.")
        order = Place(request.epoch, request.stage_index, request.stage_count, request.kv_tokens)
        try:
            await self._supervisor.place(request.stage_id, order)
        except StageError as error:
            await _refuse(context, str(error))
        return agent_pb2.PlaceStageReply()

    async def ListStages(self, request: agent_pb2.ListStagesRequest, context: Context) -> agent_pb2.ListStagesReply:
        stages = [*map(self._message, self._supervisor.records()), *self._released_of(context)]
        return agent_pb2.ListStagesReply(stages=stages, revision=self._supervisor.revision)

    async def WatchStages(
        self, request: agent_pb2.WatchStagesRequest, context: Context
    ) -> AsyncIterator[agent_pb2.StageEvent]:
        """What is, then every change."""
        with self._events.subscribe() as queue:
            for record in self._supervisor.records():
                yield agent_pb2.StageEvent(stage=self._message(record), message=record.cause)
            for stage in self._released_of(context):
                yield agent_pb2.StageEvent(stage=stage, message=stage.cause)
            while True:
                record, message = await queue.get()
                stage = self._message(record)
                if record.state == agent_pb2.STAGE_STATE_UNLOADED:  # it may be back before the last of them has ended
                    noted = (each for each in self._released_of(context) if each.stage_id == record.stage_id)
                    stage = next(noted, stage)
                    stage.revision = record.revision
                yield agent_pb2.StageEvent(stage=stage, message=stage.cause if stage.released else message)

    async def _follow(
        self, records: AsyncIterator[StageRecord], context: Context
    ) -> AsyncIterator[agent_pb2.LoadProgress]:
        try:
            async for record in records:
                if record.state == agent_pb2.STAGE_STATE_FAILED:
                    await _refuse(context, record.cause)
                yield agent_pb2.LoadProgress(
                    stage=self._message(record), done_bytes=record.done_bytes, total_bytes=record.total_bytes
                )
        except StageError as error:
            await _refuse(context, str(error))

    def _message(self, record: StageRecord) -> agent_pb2.Stage:
        return _message(record, self._name_of(record.request.deployed_by))

    def _released_of(self, context: Context) -> list[agent_pb2.Stage]:
        """What was unloaded here because the calling controller was away."""
        caller = caller_of(context, self._peers)
        return (
            [_released_message(stage) for stage in self._supervisor.released.of(caller.fingerprint)] if caller else []
        )

    async def _caller(self, context: Context) -> TrustedPeer:
        caller = caller_of(context, self._peers)
        if caller is None:
            await _refuse(context, "This machine is not paired with this controller.")
        return caller

    async def _own(self, stage_id: str, context: Context) -> TrustedPeer:
        """The caller. Refuses a controller that did not deploy the stage."""
        caller = await self._caller(context)
        owners = {r.request.deployed_by for r in self._supervisor.records() if r.stage_id == stage_id}
        if owners and caller.fingerprint not in owners:
            names = " and ".join(sorted(self._name_of(owner) for owner in owners))
            await _refuse(context, f"{names} deployed this stage. Ask there.")
        return caller


def _message(record: StageRecord, deployed_by_name: str) -> agent_pb2.Stage:
    return agent_pb2.Stage(
        stage_id=record.stage_id,
        epoch=record.request.epoch,
        shard_id=record.request.shard_id,
        model=record.manifest.model,
        first=record.manifest.first,
        last=record.manifest.last,
        stage_index=record.request.stage_index,
        stage_count=record.request.stage_count,
        context_tokens=record.request.context_tokens,
        state=record.state,
        cause=record.cause,
        deployed_by=record.request.deployed_by,
        deployed_by_name=deployed_by_name,
        lane_port=record.lane_port,
        batchable=record.batchable,
        apart=record.apart,
        joined=record.joined,
        options=agent_pb2.PipelineOptions(**asdict(record.request.options)),
        prefill_chunk_tokens=record.request.prefill_chunk_tokens,
        draft=record.draft,
        revision=record.revision,
    )


def _released_message(stage: ReleasedStage) -> agent_pb2.Stage:
    return agent_pb2.Stage(
        stage_id=stage.stage_id,
        epoch=stage.epoch,
        model=stage.model,
        first=stage.first,
        last=stage.last,
        stage_index=stage.stage_index,
        stage_count=stage.stage_count,
        state=agent_pb2.STAGE_STATE_UNLOADED,
        cause=stage.sentence("this controller"),
        deployed_by=stage.controller,
        released=True,
    )


def _is_place(stage_index: int, stage_count: int) -> bool:
    return 0 < stage_count <= MAX_STAGES and stage_index < stage_count


def _problem(request: agent_pb2.LoadStageRequest) -> str | None:
    """What is wrong with a request, as a sentence, or None."""
    if not _is_place(request.stage_index, request.stage_count):
        return "The stage's place in the pipeline is wrong."
    if not 0 < request.context_tokens <= 16_000_000 or request.prefill_chunk_tokens > 65_536:
        return "The context or the prefill chunk has an impossible size."
    if request.HasField("draft") and not (request.stage_index == 0 and 0 < request.draft.context_tokens <= 16_000_000):
        return "A draft model is for the first stage, and needs a context."
    options = request.options
    if (
        options.max_batch > MAX_BATCH
        or options.wire_bits not in (0, 8)
        or not 0 <= options.layer_delay_ms <= 1000
        or not 0 <= options.token_delay_ms <= 1000
        or len(options.link) > MAX_LINK
        or not 0 <= options.kept_share <= 1
        or options.kept_bits not in (0, 4, 8)
        or options.kv_tokens > MAX_KV_TOKENS
        or options.spill_bytes > MAX_SPILL_BYTES
    ):
        return "The request is out of bounds."
    try:
        parse_link(options.link)
    except ValueError as error:
        return str(error)
    return None


def _options(options: agent_pb2.PipelineOptions) -> PipelineOptions:
    return PipelineOptions(
        max_batch=max(1, options.max_batch),
        kv_tokens=options.kv_tokens,
        speculate=options.speculate,
        wire_bits=options.wire_bits,
        layer_delay_ms=options.layer_delay_ms,
        token_delay_ms=options.token_delay_ms,
        link=options.link,
        kept_share=options.kept_share,
        kept_bits=options.kept_bits,
        spill_bytes=options.spill_bytes,
    )


async def _refuse(context: Context, sentence: str) -> NoReturn:
    await context.abort(grpc.StatusCode.FAILED_PRECONDITION, sentence)
    raise AssertionError("abort raises")

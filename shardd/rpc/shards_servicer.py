"""What lies on this machine's disk: units arriving, shards listed and deleted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, NoReturn

import grpc
import grpc.aio

from shardd.agent.grants import Grants
from shardd.agent.supervisor import Supervisor
from shardd.identity import Identity, IdentityError, parse_certificate
from shardd.rpc import agent_pb2
from shardd.rpc.agent_pb2_grpc import ShardsServicer
from shardd.rpc.arriving import arriving
from shardd.rpc.fetching import fetch_units
from shardd.rpc.gate import fingerprint_of_caller
from shardd.rpc.limits import Unread, endpoint_problem, token_problem
from shardd.rpc.options import MAX_PUSH_BYTES, PIECE_BYTES
from shardd.rpc.pieces import Piece, data_of
from shardd.store import DiskFull, ManifestError, ShardManifest, Store, StoreError, UnitBusy, UnitReference, UnitWriter
from shardd.store.manifest import is_digest

Context = grpc.aio.ServicerContext[Any, Any]

MAX_OFFERED = 2000
MAX_SPARES = 256
MOST_WAITING = 4  # pieces of one push that wait for the disk
QUIET_S = 30.0  # a push that sends nothing for so long is given up


class Shards(ShardsServicer):
    def __init__(self, store: Store, supervisor: Supervisor, grants: Grants, identity: Callable[[], Identity]) -> None:
        self._store = store
        self._supervisor = supervisor
        self._grants = grants
        self._identity = identity

    async def OfferUnits(self, request: agent_pb2.OfferUnitsRequest, context: Context) -> agent_pb2.OfferUnitsReply:
        if len(request.digests) > MAX_OFFERED:
            await _refuse(context, f"At most {MAX_OFFERED} units can be offered at once.")
        try:
            states = await asyncio.to_thread(self._store.offered, list(request.digests))
            room = await asyncio.to_thread(self._store.room_bytes)
        except StoreError as error:
            await _refuse(context, str(error))
        return agent_pb2.OfferUnitsReply(
            states=[
                agent_pb2.UnitState(digest=state.digest, have_bytes=state.have_bytes, whole=state.whole)
                for state in states.values()
            ],
            disk_free=room,
        )

    async def PushUnit(self, request_iterator: AsyncIterator[Piece], context: Context) -> agent_pb2.PushUnitReply:
        pieces = aiter(request_iterator)
        first = await _next_piece(pieces, context)
        if not isinstance(first, agent_pb2.UnitPiece) or first.WhichOneof("content") != "header":
            await _refuse(context, "A push must begin with its header.")
        header = first.header
        try:
            async with arriving(self._store, header.digest, header.bytes) as writer:
                if writer.offset != header.offset:
                    await _refuse(context, f"The push must go on at byte {writer.offset}, not {header.offset}.")
                await _receive(pieces, writer, context)
                await asyncio.to_thread(writer.finish)
        except DiskFull as error:
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, str(error))
        except UnitBusy as error:
            await context.abort(grpc.StatusCode.ABORTED, str(error))
        except StoreError as error:
            await _refuse(context, str(error))
        return agent_pb2.PushUnitReply(received_bytes=header.bytes)

    async def PutShard(self, request: agent_pb2.ShardManifest, context: Context) -> agent_pb2.PutShardReply:
        try:
            manifest = ShardManifest(
                model=request.model,
                blueprint=request.blueprint,
                first=request.first,
                last=request.last,
                layer_count=request.layer_count,
                units=tuple(UnitReference(unit.name, unit.digest, unit.bytes) for unit in request.units),
            )
            await asyncio.to_thread(self._store.put_shard, manifest)
        except (StoreError, ManifestError) as error:
            await _refuse(context, str(error))
        return agent_pb2.PutShardReply(shard_id=manifest.shard_id)

    async def ListShards(self, request: agent_pb2.ListShardsRequest, context: Context) -> agent_pb2.ListShardsReply:
        shards = await asyncio.to_thread(self._store.shards)
        caller = fingerprint_of_caller(context)
        return agent_pb2.ListShardsReply(
            shards=[
                agent_pb2.Shard(
                    shard_id=shard.shard_id,
                    model=shard.model,
                    first=shard.first,
                    last=shard.last,
                    layer_count=shard.layer_count,
                    bytes=sum(unit.bytes for unit in shard.units),
                    loaded=self._supervisor.uses_shard(shard.shard_id),
                    used_at=int(self._store.used_at(shard.shard_id)),
                    kept=self._supervisor.spares.kept_for(caller, shard.shard_id),
                )
                for shard in shards
            ]
        )

    async def DeleteShard(self, request: agent_pb2.DeleteShardRequest, context: Context) -> agent_pb2.DeleteShardReply:
        if self._supervisor.uses_shard(request.shard_id):
            await _refuse(context, "The shard is loaded. Undeploy it first.")
        if self._supervisor.spares.keeps(request.shard_id):
            await _refuse(context, "The shard is kept as a spare. Deploy without spares, or undeploy, first.")
        try:
            freed = await asyncio.to_thread(self._store.delete_shard, request.shard_id)
            await asyncio.to_thread(self._supervisor.sweep_kept)
        except StoreError as error:
            await _refuse(context, str(error))
        return agent_pb2.DeleteShardReply(freed_bytes=freed)

    async def KeepShards(self, request: agent_pb2.KeepShardsRequest, context: Context) -> agent_pb2.KeepShardsReply:
        if len(request.shard_ids) > MAX_SPARES:
            await _refuse(context, f"At most {MAX_SPARES} shards can be kept as spares.")
        if not all(is_digest(shard_id) for shard_id in request.shard_ids):
            await _refuse(context, "The name of a shard is malformed.")
        self._supervisor.spares.keep(fingerprint_of_caller(context), request.shard_ids)
        return agent_pb2.KeepShardsReply()

    async def GrantUnits(self, request: agent_pb2.GrantUnitsRequest, context: Context) -> agent_pb2.UnitGrant:
        if len(request.digests) > MAX_OFFERED:
            await _refuse(context, f"At most {MAX_OFFERED} units can be granted at once.")
        try:
            parse_certificate(request.certificate)
            states = await asyncio.to_thread(self._store.states, list(request.digests))
        except (IdentityError, StoreError) as error:
            await _refuse(context, str(error))
        if not all(state.whole for state in states.values()):
            await _refuse(context, "This machine does not hold all of these units.")
        caller = fingerprint_of_caller(context)
        return agent_pb2.UnitGrant(token=self._grants.add(request.certificate, request.digests, caller))

    async def FetchUnits(
        self, request: agent_pb2.FetchUnitsRequest, context: Context
    ) -> AsyncIterator[agent_pb2.FetchProgress]:
        if len(request.units) > MAX_OFFERED:
            await _refuse(context, f"At most {MAX_OFFERED} units can be fetched at once.")
        problem = endpoint_problem(request.addresses, request.port) or token_problem(request.token)
        if problem:
            await _refuse(context, problem)
        try:
            parse_certificate(request.certificate)
        except IdentityError as error:
            await _refuse(context, str(error))
        async for progress in fetch_units(self._store, self._identity(), request):
            yield progress

    async def ServeUnit(self, request: agent_pb2.ServeUnitRequest, context: Context) -> AsyncIterator[bytes]:
        """To a machine with a grant: the gate lets it in here and nowhere else."""
        if not self._grants.allows(request.token, fingerprint_of_caller(context), request.digest):
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, "This unit was not granted to this machine.")
        try:
            path = await asyncio.to_thread(self._store.path, request.digest)
        except StoreError as error:
            await _refuse(context, str(error))
        if path is None:
            await _refuse(context, "This unit is not here any more.")
        if request.offset > path.stat().st_size:
            await _refuse(context, "The unit has fewer bytes than were asked to be left out.")
        with path.open("rb", buffering=0) as file:
            file.seek(request.offset)
            while data := await asyncio.to_thread(file.read, PIECE_BYTES):
                yield data


async def _receive(pieces: AsyncIterator[Piece], writer: UnitWriter, context: Context) -> None:
    """Writes what comes until the stream ends. Raises StoreError."""
    writing: asyncio.Future[None] | None = None
    waiting: list[memoryview | bytes] = []
    while (piece := await _next_piece(pieces, context)) is not None:
        data = data_of(piece)
        if len(data) > MAX_PUSH_BYTES:
            await _refuse(context, "A piece is too large.")
        waiting.append(data)
        # More arrives while this is written; going to another thread for each piece would cost as much as writing it.
        if writing is None or writing.done() or len(waiting) >= MOST_WAITING:
            if writing is not None:
                await writing
            writing, waiting = asyncio.ensure_future(asyncio.to_thread(_write, writer, waiting)), []
    if writing is not None:
        await writing
    await asyncio.to_thread(_write, writer, waiting)


def _write(writer: UnitWriter, pieces: Sequence[memoryview | bytes]) -> None:
    for data in pieces:
        writer.write(data)


async def _next_piece(pieces: AsyncIterator[Piece], context: Context) -> Piece | None:
    """The next piece, or None at the end of the stream. A silent sender is cut off."""
    try:
        async with asyncio.timeout(QUIET_S):
            piece = await anext(pieces)
    except StopAsyncIteration:
        return None
    except TimeoutError:
        await context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, f"Nothing came for {QUIET_S:.0f} s.")
        raise AssertionError("abort raises") from None
    if isinstance(piece, Unread):
        await context.abort(grpc.StatusCode.INVALID_ARGUMENT, piece.sentence)
    return piece


async def _refuse(context: Context, sentence: str) -> NoReturn:
    await context.abort(grpc.StatusCode.FAILED_PRECONDITION, sentence)
    raise AssertionError("abort raises")

"""Calls to one agent over mutual TLS: every call has a deadline, every failure becomes a sentence."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, Protocol, TypeVar

import grpc
import grpc.aio

from app.core.cluster.address import Address
from app.core.errors import ShardboardError
from app.core.text import phrase
from shardd.identity import Identity
from shardd.rpc import agent_pb2, pairing_pb2
from shardd.rpc.agent_pb2_grpc import MachineStub, ShardsStub, StagesStub
from shardd.rpc.options import PIECE_BYTES, channel_credentials, channel_options
from shardd.rpc.pairing_pb2_grpc import PairingStub
from shardd.rpc.pieces import push_call

CALL_S = 10.0
MEASURE_S = 70.0
LOAD_QUIET_S = 60.0  # a load that reports nothing for so long is given up
PUSH_QUIET_S = 30.0
READ_AT_ONCE = 2  # pieces; going to another thread for each costs more than reading it

Reply = TypeVar("Reply")


class UnitToFetch(Protocol):
    """size: bytes of the unit's file."""

    @property
    def name(self) -> str: ...
    @property
    def digest(self) -> str: ...
    @property
    def size(self) -> int: ...


class AgentError(ShardboardError):
    """A call to an agent failed. code: gRPC's, for decisions; the cause names the node."""

    def __init__(self, cause: str, remedy: str = "", code: grpc.StatusCode = grpc.StatusCode.UNKNOWN) -> None:
        super().__init__(cause, remedy)
        self.code = code


class AgentClient:
    """Three channels to one agent: control, the heartbeat, and pushes. name is what sentences call it.

    certificates_pem: the agent's certificate; while that is about to change, also the one to come.
    """

    def __init__(self, name: str, address: Address, identity: Identity, *certificates_pem: bytes) -> None:
        self.name = name
        self.address = address
        self.made_for = (identity, *certificates_pem)
        credentials = channel_credentials(identity, b"\n".join(certificates_pem))

        def channel() -> grpc.aio.Channel:
            return grpc.aio.secure_channel(str(address), credentials, options=channel_options())

        self._channels = [channel(), channel(), channel()]
        control, heartbeat, push = self._channels
        self._machine = MachineStub(control)
        self._stages = StagesStub(control)
        self._shards = ShardsStub(control)
        self._heart = MachineStub(heartbeat)
        self._events = StagesStub(heartbeat)
        self._push = ShardsStub(push)
        self._pairing = PairingStub(control)
        self._push_unit = push_call(push)

    async def close(self) -> None:
        await asyncio.gather(*(channel.close() for channel in self._channels))

    async def describe(self) -> agent_pb2.Description:
        return await self._call(self._machine.Describe, agent_pb2.DescribeRequest())

    async def measure(self) -> agent_pb2.Measurement:
        return await self._call(self._machine.Measure, agent_pb2.MeasureRequest(), seconds=MEASURE_S)

    def watch(self, interval_ms: int) -> AsyncIterator[agent_pb2.Beat]:
        return self._stream(self._heart.Watch(agent_pb2.WatchRequest(interval_ms=interval_ms), wait_for_ready=True))

    def watch_stages(self) -> AsyncIterator[agent_pb2.StageEvent]:
        return self._stream(self._events.WatchStages(agent_pb2.WatchStagesRequest(), wait_for_ready=True))

    async def offer_units(self, digests: Sequence[str]) -> agent_pb2.OfferUnitsReply:
        return await self._call(self._shards.OfferUnits, agent_pb2.OfferUnitsRequest(digests=digests), seconds=120)

    async def push_unit(
        self, digest: str, size: int, offset: int, read: Callable[[], bytes | None], sent: Callable[[int], None]
    ) -> None:
        """Sends one unit from offset on. read() blocks for the next piece, None at the end; sent(bytes) after each."""
        call = self._push_unit()
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(PUSH_QUIET_S) as quiet:
                header = agent_pb2.UnitPiece.Header(digest=digest, bytes=size, offset=offset)
                await call.write(agent_pb2.UnitPiece(header=header))
                reading = asyncio.ensure_future(asyncio.to_thread(_several, read))
                while True:
                    quiet.reschedule(None)  # a slow disk here is not the node's fault
                    pieces = await reading
                    if not pieces:
                        break
                    # The next pieces are read while these are sent.
                    reading = asyncio.ensure_future(asyncio.to_thread(_several, read))
                    for piece in pieces:
                        quiet.reschedule(loop.time() + PUSH_QUIET_S)
                        await call.write(piece)
                        sent(len(piece))
                quiet.reschedule(loop.time() + PUSH_QUIET_S + size / (20 * PIECE_BYTES))
                await call.done_writing()
                await call
        except TimeoutError:
            raise AgentError(
                phrase("{name} took no more data for {push_quiet_s:.0f} s.", name=self.name, push_quiet_s=PUSH_QUIET_S),
                phrase("Check its network."),
            ) from None
        except grpc.aio.AioRpcError as error:
            raise self._translated(error) from error
        except (grpc.aio.UsageError, grpc.aio.InternalError, asyncio.InvalidStateError) as error:
            # The call ended while it was written to: its status says why, where one still comes.
            try:
                async with asyncio.timeout(CALL_S):
                    code, details = await call.code(), await call.details()
            except TimeoutError:
                code, details = grpc.StatusCode.UNAVAILABLE, ""
            raise AgentError(
                phrase("{name} broke off a unit: {details}.", name=self.name, details=details or error), code=code
            ) from error
        finally:
            call.cancel()

    async def grant_units(self, digests: Sequence[str], certificate_pem: bytes) -> bytes:
        """A token with which the machine with this certificate may fetch these units from this node."""
        request = agent_pb2.GrantUnitsRequest(digests=digests, certificate=certificate_pem)
        return (await self._call(self._shards.GrantUnits, request)).token

    def fetch_units(
        self, addresses: Sequence[str], port: int, certificate_pem: bytes, token: bytes, units: Sequence[UnitToFetch]
    ) -> AsyncIterator[agent_pb2.FetchProgress]:
        """Has this node fetch units from the one at these addresses."""
        request = agent_pb2.FetchUnitsRequest(
            addresses=addresses,
            port=port,
            certificate=certificate_pem,
            token=token,
            units=[agent_pb2.UnitReference(name=u.name, digest=u.digest, bytes=u.size) for u in units],
        )
        return self._stream(self._push.FetchUnits(request), LOAD_QUIET_S)

    async def put_shard(self, manifest: agent_pb2.ShardManifest) -> str:
        return (await self._call(self._shards.PutShard, manifest, seconds=60)).shard_id

    async def list_shards(self) -> Sequence[agent_pb2.Shard]:
        return (await self._call(self._shards.ListShards, agent_pb2.ListShardsRequest())).shards

    async def keep_shards(self, shard_ids: Sequence[str]) -> None:
        """These are spares: not evicted until this is called again, with others or with none."""
        await self._call(self._shards.KeepShards, agent_pb2.KeepShardsRequest(shard_ids=shard_ids))

    async def delete_shard(self, shard_id: str) -> int:
        request = agent_pb2.DeleteShardRequest(shard_id=shard_id)
        return (await self._call(self._shards.DeleteShard, request, seconds=60)).freed_bytes

    def load_stage(self, request: agent_pb2.LoadStageRequest) -> AsyncIterator[agent_pb2.LoadProgress]:
        return self._stream(self._stages.LoadStage(request), LOAD_QUIET_S)

    def restart_stage(self, stage_id: str) -> AsyncIterator[agent_pb2.LoadProgress]:
        request = agent_pb2.RestartStageRequest(stage_id=stage_id)
        return self._stream(self._stages.RestartStage(request), LOAD_QUIET_S)

    async def connect_stage(self, request: agent_pb2.ConnectStageRequest) -> None:
        await self._call(self._stages.ConnectStage, request, seconds=30)

    async def grant_lane(self, stage_id: str, certificate_pem: bytes = b"") -> agent_pb2.LaneGrant:
        """A token for this controller, or for the previous stage's machine with this certificate."""
        request = agent_pb2.GrantLaneRequest(stage_id=stage_id, certificate=certificate_pem)
        return await self._call(self._stages.GrantLane, request)

    async def place_stage(self, request: agent_pb2.PlaceStageRequest) -> None:
        await self._call(self._stages.PlaceStage, request)

    async def unload_stage(self, stage_id: str) -> None:
        await self._call(self._stages.UnloadStage, agent_pb2.UnloadStageRequest(stage_id=stage_id))

    async def list_stages(self) -> agent_pb2.ListStagesReply:
        return await self._call(self._stages.ListStages, agent_pb2.ListStagesRequest())

    async def unpair(self) -> None:
        """The agent forgets this controller."""
        await self._call(self._pairing.Unpair, pairing_pb2.UnpairRequest())

    async def announce_certificate(self, certificate_pem: bytes) -> None:
        """This controller will have this certificate soon; the agent accepts both until then."""
        request = pairing_pb2.AnnounceCertificateRequest(certificate=certificate_pem)
        await self._call(self._pairing.AnnounceCertificate, request)

    async def replace_certificate(self) -> None:
        """Called with the announced certificate: the agent forgets the former one."""
        await self._call(self._pairing.ReplaceCertificate, pairing_pb2.ReplaceCertificateRequest())

    async def confirm_certificate(self, fingerprint: str) -> None:
        """The certificate that the agent announced is pinned here."""
        request = pairing_pb2.ConfirmCertificateRequest(fingerprint=fingerprint)
        await self._call(self._pairing.ConfirmCertificate, request)

    async def _call(self, method: Callable[..., Awaitable[Reply]], request: object, seconds: float = CALL_S) -> Reply:
        try:
            return await method(request, timeout=seconds)
        except grpc.aio.AioRpcError as error:
            raise self._translated(error) from error

    async def _stream(self, call: Any, quiet_s: float | None = None) -> AsyncIterator[Any]:
        """The call's messages; cancelled when the caller stops listening, given up after quiet_s of silence."""
        try:
            replies = aiter(call)
            while True:
                try:
                    async with asyncio.timeout(quiet_s):  # wait_for loses a cancellation that comes with the reply
                        reply = await anext(replies)
                except StopAsyncIteration:
                    return
                yield reply
        except TimeoutError:
            raise AgentError(
                phrase("{name} said nothing for {quiet_s:.0f} s.", name=self.name, quiet_s=quiet_s),
                phrase("Look at that machine."),
            ) from None
        except grpc.aio.AioRpcError as error:
            raise self._translated(error) from error
        finally:
            call.cancel()

    def _translated(self, error: grpc.aio.AioRpcError) -> AgentError:
        code, details = error.code(), error.details() or ""
        match code:
            case grpc.StatusCode.FAILED_PRECONDITION | grpc.StatusCode.RESOURCE_EXHAUSTED:
                return AgentError(phrase("{name}: {problem}", name=self.name, problem=details), code=code)
            case grpc.StatusCode.UNAUTHENTICATED:
                return AgentError(
                    phrase("{name} is not paired with this controller.", name=self.name), phrase("Pair it again."), code
                )
            case grpc.StatusCode.DEADLINE_EXCEEDED:
                return AgentError(
                    phrase("{name} did not answer in time.", name=self.name), phrase("Look whether it is awake."), code
                )
            case grpc.StatusCode.UNAVAILABLE:
                return AgentError(
                    phrase("{name} at {address} cannot be reached.", name=self.name, address=self.address),
                    phrase("Is it on and is shardd running?"),
                    code,
                )
            case _:
                return AgentError(
                    phrase("{name} failed: {details}.", name=self.name, details=details or code.name),
                    phrase("Its log says more."),
                    code,
                )


def _several(read: Callable[[], bytes | None]) -> list[bytes]:
    """The next pieces; none at the end."""
    pieces: list[bytes] = []
    while len(pieces) < READ_AT_ONCE and (piece := read()) is not None:
        pieces.append(piece)
    return pieces

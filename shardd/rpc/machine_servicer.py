"""What this machine is, and its heartbeat."""

from __future__ import annotations

import asyncio
import itertools
import platform
from collections.abc import AsyncIterator, Callable, Sequence
from importlib.metadata import version
from typing import Any

import grpc.aio

import shardd
from shardd.agent.identities import Identities
from shardd.agent.measuring import CannotMeasure, Measuring
from shardd.agent.records import StageRecord
from shardd.agent.supervisor import Supervisor
from shardd.host import HostFacts, LoadReader, MemoryReader, addresses, rss_of
from shardd.identity import TrustedPeers
from shardd.rpc import agent_pb2
from shardd.rpc.agent_pb2_grpc import MachineServicer
from shardd.rpc.gate import caller_of
from shardd.rpc.options import PROTOCOL_VERSION
from shardd.store import Store

Context = grpc.aio.ServicerContext[Any, Any]

BEAT_S = (0.1, 5.0)  # the shortest and the longest interval that a caller may ask for
STORE_EVERY = 20  # beats between two looks at the disk


class Machine(MachineServicer):
    def __init__(
        self,
        facts: HostFacts,
        identities: Identities,
        memory_limit: int | None,
        supervisor: Supervisor,
        store: Store,
        peers: TrustedPeers,
        own_addresses: Callable[[], Sequence[str]] = addresses,
    ) -> None:
        self._facts = facts
        self._identities = identities
        self._memory_limit = memory_limit
        self._supervisor = supervisor
        self._store = store
        self._peers = peers
        self._addresses = own_addresses
        self._measuring = Measuring(
            lambda: supervisor.shard_available(MemoryReader().read().available),
            lambda: any(record.reading and record.reading.sequences for record in supervisor.records()),
        )

    async def Describe(self, request: agent_pb2.DescribeRequest, context: Context) -> agent_pb2.Description:
        return agent_pb2.Description(
            name=self._facts.name,
            fingerprint=self._identities.current.fingerprint,
            chip=self._facts.chip,
            os=self._facts.os,
            memory_total=self._facts.memory_total,
            memory_limit=self._memory_limit or 0,
            cores=self._facts.cores,
            caller_follows=self._follows(context),
            addresses=await asyncio.to_thread(self._addresses),
            versions=agent_pb2.Versions(
                shardd=shardd.__version__,
                protocol=PROTOCOL_VERSION,
                mlx=version("mlx"),
                mlx_lm=version("mlx-lm"),
                python=platform.python_version(),
            ),
        )

    async def Watch(self, request: agent_pb2.WatchRequest, context: Context) -> AsyncIterator[agent_pb2.Beat]:
        """One beat per interval for as long as the caller listens."""
        interval = min(max(request.interval_ms / 1000, BEAT_S[0]), BEAT_S[1])
        memory, load = MemoryReader(), LoadReader()
        store_bytes = disk_free = 0
        for number in itertools.count():
            if number % STORE_EVERY == 0:
                store_bytes, disk_free = await asyncio.to_thread(
                    lambda: (self._store.used_bytes(), self._store.free_bytes())
                )
            now = memory.read()
            yield agent_pb2.Beat(
                number=number,
                memory=agent_pb2.Memory(
                    total=now.total,
                    available=now.available,
                    swap_used=now.swap_used,
                    shard_available=self._supervisor.shard_available(now.available),
                ),
                disk_free=disk_free,
                store_bytes=store_bytes,
                cpu_percent=load.read(),
                stages=[self._telemetry(record) for record in self._supervisor.records()],
                next_certificate=self._identities.announced,
                fingerprint=self._identities.current.fingerprint,
            )
            await asyncio.sleep(interval)

    async def Measure(self, request: agent_pb2.MeasureRequest, context: Context) -> agent_pb2.Measurement:
        try:
            found = await self._measuring.read()
        except CannotMeasure as error:
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))
        return agent_pb2.Measurement(read_bytes_per_s=found.read_bytes_per_s, flops_per_s=found.flops_per_s)

    def _follows(self, context: Context) -> bool:
        caller = caller_of(context, self._peers)
        return caller is not None and bool(caller.follows)

    def _telemetry(self, record: StageRecord) -> agent_pb2.StageTelemetry:
        reading = record.reading
        if reading is None:
            return agent_pb2.StageTelemetry(stage_id=record.stage_id)
        process_id = self._supervisor.process_id(record.stage_id)
        return agent_pb2.StageTelemetry(
            stage_id=record.stage_id,
            weights_bytes=reading.weights_bytes,
            kv_bytes=reading.kv_bytes,
            process_bytes=(rss_of(process_id) or 0) if process_id else 0,
            queue_depth=reading.queue_depth,
            sequences=reading.sequences,
            steps=reading.steps,
            compute_ms=_spread(reading.compute_ms, reading.samples),
            queue_ms=_spread(reading.queue_ms, reading.samples),
            hop_ms=_spread(reading.hop_ms, reading.samples),
        )


def _spread(values: Sequence[float], samples: int) -> agent_pb2.Spread:
    return agent_pb2.Spread(p50=values[0], p95=values[1], samples=samples) if values else agent_pb2.Spread()

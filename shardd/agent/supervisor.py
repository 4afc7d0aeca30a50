"""The stages of one machine: starting, joining, watching and ending their processes."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace

from shardd.agent.child import StageProcess
from shardd.agent.diagnosis import diagnose
from shardd.agent.records import StageRecord, StageRequest, released_stage
from shardd.agent.released import Released
from shardd.agent.spares import SpareShards
from shardd.agent.spills import Spills
from shardd.host import MemoryReader, format_bytes
from shardd.host.silence import TICK_S, Silence
from shardd.identity import Identity
from shardd.rpc import agent_pb2
from shardd.stage.orders import (
    Connect,
    Connected,
    DraftFiles,
    Failed,
    Grant,
    Loading,
    Place,
    Reading,
    Ready,
    Report,
    Ring,
    Start,
)
from shardd.store import ShardManifest, Store

CONNECT_S = 20.0
MAX_STAGES = 8
PROCESS_OVERHEAD_BYTES = 150 * 1000 * 1000
SUSPECT_S = 1.2  # a stage that says nothing for so long
FROZEN_S = 2.5  # and is ended then: its readings come every 0.25 s from a thread that does not compute

log = logging.getLogger(__name__)


class StageError(Exception):
    """A stage cannot be loaded, joined or found. The message is a sentence for a person."""


@dataclass(slots=True)
class _Running:
    """A stage's changing parts."""

    record: StageRecord
    process: StageProcess
    changed: asyncio.Event  # set at the next change, and replaced
    silence: Silence = field(default_factory=Silence)
    suspect: bool = False
    told: str | None = None
    connected: asyncio.Future[None] | None = None
    stopping: bool = False


class Supervisor:
    """on_event(record, sentence) is called whenever a stage's state changes. identity: this machine's, at the moment.
    name_of(fingerprint): what people call a controller."""

    def __init__(
        self,
        store: Store,
        identity: Callable[[], Identity],
        host: str,
        memory_limit: int | None,
        on_event: Callable[[StageRecord, str], None],
        name_of: Callable[[str], str],
        spills: Spills,
        released: Released,
    ) -> None:
        self._store = store
        self._identity = identity
        self._host = host
        self._memory_limit = memory_limit
        self._memory = MemoryReader()
        self._on_event = on_event
        self._name_of = name_of
        self._spills = spills
        self._stages: dict[str, _Running] = {}
        self.spares = SpareShards()
        self.released = released
        self.revision = 0  # of the latest record

    def records(self) -> tuple[StageRecord, ...]:
        return tuple(running.record for running in self._stages.values())

    def uses_shard(self, shard_id: str) -> bool:
        return any(shard_id in (r.request.shard_id, r.request.draft_shard_id) for r in self.records())

    def process_id(self, stage_id: str) -> int | None:
        running = self._stages.get(stage_id)
        return running.process.pid if running else None

    def shard_available(self, available: int) -> int:
        """Bytes that new shards may take, of so many that are available."""
        if self._memory_limit is None:
            return available
        used = sum(r.reading.weights_bytes + r.reading.kv_bytes for r in self.records() if r.reading)
        return max(0, min(available, self._memory_limit - used))

    async def load(self, request: StageRequest) -> AsyncIterator[StageRecord]:
        """Starts a stage; yields its record as it loads, the last one READY or FAILED. Raises StageError."""
        manifest = self._manifest(request.shard_id)
        draft = self._manifest(request.draft_shard_id) if request.draft_shard_id else None
        await asyncio.to_thread(self._tidy_kept, request)
        self._check_owner(request)
        self._check_memory(manifest, draft)
        stage_id = secrets.token_hex(8)
        record = StageRecord(
            stage_id, request, manifest, agent_pb2.STAGE_STATE_LOADING, draft=draft.model if draft else ""
        )
        self._stages[stage_id] = self._new(record)
        self.released.forget(request.deployed_by)
        async for each in self._bring_up(stage_id):
            yield each

    def sweep_kept(self) -> None:
        """Removes kept caches from the disk whose shard is gone."""
        self._spills.sweep({shard.shard_id for shard in self._store.shards()})

    def _tidy_kept(self, request: StageRequest) -> None:
        self.sweep_kept()
        if not request.options.spill_bytes:  # who wants none on the disk wants no old ones there either
            self._spills.forget(request.shard_id)

    async def restart(self, stage_id: str) -> AsyncIterator[StageRecord]:
        """Ends the stage's process, if it still runs, and loads the same range in a new one."""
        running = self._get(stage_id)
        running.stopping = True
        await running.process.stop()
        former = running.record
        fresh = StageRecord(
            stage_id, former.request, former.manifest, agent_pb2.STAGE_STATE_LOADING, draft=former.draft
        )
        self._stages[stage_id] = self._new(fresh)
        async for each in self._bring_up(stage_id):
            yield each

    async def connect(self, stage_id: str, order: Connect) -> None:
        """Joins the stage to the next one. Raises StageError when the lane does not stand in time."""
        running = self._get(stage_id)
        running.connected = asyncio.get_running_loop().create_future()
        await running.process.tell(order)
        try:
            await asyncio.wait_for(running.connected, CONNECT_S)
        except TimeoutError:
            raise StageError("The lane to the next stage did not come up in time.") from None

    async def grant(self, stage_id: str, certificate_pem: bytes, *, controller: bool) -> tuple[int, bytes]:
        """The lane port, and a one-time token for the controller or previous stage with this certificate."""
        running = self._get(stage_id)
        if running.record.state != agent_pb2.STAGE_STATE_READY:
            raise StageError(f"The stage is not ready. {running.record.cause}".strip())
        token = secrets.token_bytes(32)
        await running.process.tell(Grant(token.hex(), certificate_pem.decode(), controller))
        return running.record.lane_port, token

    async def place(self, stage_id: str, order: Place) -> None:
        """Gives a loaded stage its place in a deployment, where it has not got it already. Raises StageError."""
        running = self._get(stage_id)
        record, request = running.record, running.record.request
        if record.state != agent_pb2.STAGE_STATE_READY:
            raise StageError(f"The stage is not ready. {record.cause}".strip())
        options = replace(request.options, kv_tokens=order.kv_tokens)
        placed = replace(
            request,
            epoch=order.epoch,
            stage_index=order.stage_index,
            stage_count=order.stage_count,
            options=options,
        )
        if placed == request:
            return
        await running.process.tell(order)
        self._update(running, replace(record, request=placed, apart=False, joined=False))  # all its lanes end
        self._on_event(running.record, "")

    async def unload(self, stage_id: str, controller: str) -> int:
        """Ends the stage; answers the bytes of weights that it held. One that was unloaded while this controller was
        away is forgotten."""
        if self.released.forget_stage(controller, stage_id):
            return 0
        running = self._get(stage_id)
        running.stopping = True
        await running.process.stop()
        self._stages.pop(stage_id, None)
        self._tell_unloaded(running, "The stage was unloaded.")
        return running.record.reading.weights_bytes if running.record.reading else 0

    async def release(self, controller: str) -> None:
        """Ends every stage that the controller with this fingerprint deployed, at once: its lanes break."""
        self.released.forget(controller)

        async def end(running: _Running) -> None:
            await running.process.kill()
            self._tell_unloaded(running, "The stage was unloaded, because its controller was unpaired.")

        # The call that asks for it may end first, and nobody else knows these stages any more.
        await asyncio.shield(asyncio.gather(*(end(running) for running in self._take(controller))))

    async def release_absent(self, controller: str, away_s: float) -> None:
        """As release, for one that has been away for so many seconds; what it finds when it is back says so."""
        taken = self._take(controller)
        noted = [released_stage(running.record, away_s) for running in taken]
        self.released.note(noted)
        await asyncio.gather(*(running.process.stop() for running in taken))
        for running, stage in zip(taken, noted, strict=True):
            sentence = stage.sentence(self._name_of(controller))
            log.warning("%s", sentence)
            self._tell_unloaded(running, sentence)

    def _take(self, controller: str) -> list[_Running]:
        """Everything of a controller, which from now on is not there any more."""
        self.spares.keep(controller, ())
        taken = {i: each for i, each in self._stages.items() if each.record.request.deployed_by == controller}
        for stage_id, running in taken.items():
            running.stopping = True
            del self._stages[stage_id]
        return list(taken.values())

    def _tell_unloaded(self, running: _Running, sentence: str) -> None:
        self._on_event(self._revised(replace(running.record, state=agent_pb2.STAGE_STATE_UNLOADED)), sentence)

    def hand_over(self, former: str, controller: str) -> None:
        """What one controller deployed is another's from now on: it has a new certificate."""
        self.spares.hand_over(former, controller)
        self.released.hand_over(former, controller)
        for running in self._stages.values():
            request = running.record.request
            if request.deployed_by == former:
                running.record = self._revised(
                    replace(running.record, request=replace(request, deployed_by=controller))
                )

    async def watch(self) -> None:
        """Ends stages whose process stands still, so that whoever waits for them learns it. Until it is cancelled."""
        while True:
            await asyncio.sleep(TICK_S)
            for running in list(self._stages.values()):
                if running.record.state == agent_pb2.STAGE_STATE_READY and not running.stopping:
                    await self._look(running)

    async def close(self) -> None:
        running = list(self._stages.values())
        for each in running:
            each.stopping = True
        await asyncio.gather(*(each.process.stop() for each in running))
        self._stages.clear()

    # -- inside ------------------------------------------------------------------------------------------------------

    async def _look(self, running: _Running) -> None:
        silent = running.silence.look()
        if silent < SUSPECT_S:
            running.suspect = False
        elif not running.suspect:
            running.suspect = True
            self._on_event(running.record, f"The stage's process has said nothing for {SUSPECT_S} s.")
        elif silent >= FROZEN_S:
            running.told = f"The stage's process stood still for {FROZEN_S} s and was ended."
            await running.process.kill()

    def _get(self, stage_id: str) -> _Running:
        running = self._stages.get(stage_id)
        if running is None:
            raise StageError("There is no such stage on this machine any more. Deploy again.")
        return running

    def _check_owner(self, request: StageRequest) -> None:
        if len(self._stages) >= MAX_STAGES:
            raise StageError(f"This machine runs {MAX_STAGES} stages already. Undeploy one first.")
        others = {r.request.deployed_by for r in self.records()} - {request.deployed_by}
        if others:
            names = " and ".join(sorted(self._name_of(each) for each in others))
            raise StageError(f"{names} has a model deployed on this machine. Undeploy it there first.")

    def _manifest(self, shard_id: str) -> ShardManifest:
        manifest = self._store.shard(shard_id)
        if manifest is None:
            raise StageError("The shard is not on this machine. Deploy again, so that it is sent.")
        self._store.used(shard_id)
        return manifest

    def _check_memory(self, manifest: ShardManifest, draft: ShardManifest | None) -> None:
        units = (*manifest.units, *(draft.units if draft else ()))
        needed = sum(unit.bytes for unit in units) + PROCESS_OVERHEAD_BYTES
        available = self.shard_available(self._memory.read().available)
        if needed > available:
            raise StageError(
                f"Layers {manifest.first} to {manifest.last}{' and the draft model' if draft else ''} need "
                f"{format_bytes(needed)} and "
                f"{format_bytes(available)} are free. Give this machine fewer layers, or close other programs on it."
            )

    def _new(self, record: StageRecord) -> _Running:
        stage_id = record.stage_id

        def heard(report: Report) -> None:
            self._heard(stage_id, process, report)

        def ended(code: int, lines: list[str]) -> None:
            self._ended(stage_id, process, code, lines)

        process = StageProcess(heard, ended)
        return _Running(self._revised(record), process, asyncio.Event())

    async def _bring_up(self, stage_id: str) -> AsyncIterator[StageRecord]:
        """Starts the process and yields the record at every change until it is READY or FAILED."""
        running = self._stages[stage_id]
        try:
            await running.process.start(self._start_order(running.record))
            while True:
                changed, shown = running.changed, running.record
                yield shown
                if shown.state != agent_pb2.STAGE_STATE_LOADING:
                    return
                await changed.wait()
        finally:
            if running.record.state == agent_pb2.STAGE_STATE_LOADING:  # the caller gave up
                running.stopping = True
                self._stages.pop(stage_id, None)
                await running.process.stop()

    def _start_order(self, record: StageRecord) -> Start:
        def path(digest: str) -> str:
            found = self._store.path(digest)
            if found is None:
                raise StageError("A part of the shard is missing on this machine. Deploy again, so that it is sent.")
            return str(found)

        request, manifest, identity = record.request, record.manifest, self._identity()
        draft = self._manifest(request.draft_shard_id) if request.draft_shard_id else None
        return Start(
            epoch=request.epoch,
            stage_index=request.stage_index,
            stage_count=request.stage_count,
            first=manifest.first,
            last=manifest.last,
            blueprint=path(manifest.blueprint),
            units=[path(unit.digest) for unit in manifest.units],
            host=self._host,
            certificate_pem=identity.certificate_pem.decode(),
            key_pem=identity.key_pem.decode(),
            context_tokens=request.context_tokens,
            prefill_chunk_tokens=request.prefill_chunk_tokens,
            options=request.options,
            spill_folder=str(self._spills.folder(request.shard_id, request.options.kept_bits))
            if request.options.spill_bytes
            else "",
            draft=DraftFiles(
                path(draft.blueprint),
                [path(unit.digest) for unit in draft.units],
                draft.layer_count,
                request.draft_context_tokens,
            )
            if draft
            else None,
        )

    def _heard(self, stage_id: str, process: StageProcess, report: Report) -> None:
        running = self._stages.get(stage_id)
        if running is None or running.process is not process:
            return
        running.silence.heard()
        match report:
            case Loading():
                self._update(
                    running, replace(running.record, done_bytes=report.done_bytes, total_bytes=report.total_bytes)
                )
            case Ready():
                ready = replace(
                    running.record,
                    state=agent_pb2.STAGE_STATE_READY,
                    lane_port=report.lane_port,
                    batchable=report.batchable,
                )
                self._update(running, ready, f"Layers {ready.manifest.first} to {ready.manifest.last} are loaded.")
            case Reading():
                running.record = replace(running.record, reading=report)
            case Ring():
                self._update(running, replace(running.record, apart=not report.whole, joined=report.whole))
                self._on_event(running.record, "")
            case Connected():
                if running.connected and not running.connected.done():
                    running.connected.set_result(None)
            case Failed(fatal=True):
                running.told = report.cause
            case Failed(joining=True):
                if running.connected and not running.connected.done():
                    running.connected.set_exception(StageError(report.cause))
            case Failed():
                if not running.stopping:
                    self._on_event(running.record, report.cause)

    def _ended(self, stage_id: str, process: StageProcess, code: int, lines: list[str]) -> None:
        running = self._stages.get(stage_id)
        if running is None or running.process is not process or running.stopping:
            return
        cause = diagnose(code, running.told, lines)
        log.warning("stage %s ended: %s", stage_id, cause)
        if running.connected and not running.connected.done():
            running.connected.set_exception(StageError(cause))
        failed = replace(
            running.record, state=agent_pb2.STAGE_STATE_FAILED, cause=cause, reading=None, lane_port=0, joined=False
        )
        self._update(running, failed, cause)

    def _update(self, running: _Running, record: StageRecord, sentence: str = "") -> None:
        running.record = self._revised(record)
        running.changed.set()
        running.changed = asyncio.Event()
        if sentence:
            self._on_event(running.record, sentence)

    def _revised(self, record: StageRecord) -> StageRecord:
        self.revision += 1
        return replace(record, revision=self.revision)

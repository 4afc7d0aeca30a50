"""One node: its connection, its heartbeat, and what it last said about itself.

describe ok        beats arrive              a beat is late      too late, or reset
CONNECTING ------> READY  <----------------> SUSPECT ----------> LOST --> probe says why --> CONNECTING …
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

import grpc

from app.core.cluster.address import Address, parse_address
from app.core.cluster.client import AgentClient, AgentError
from app.core.cluster.explaining import explain_loss
from app.core.cluster.heartbeat import signs_of_life
from app.core.cluster.known_stages import KnownStages
from app.core.cluster.versions import version_problem
from app.core.errors import UsageError
from app.core.snapshot import Level, NodeState, ShardView, TransferView
from app.core.text import phrase
from shardd.host import SentenceError
from shardd.identity import Identity, fingerprint_of, short_fingerprint
from shardd.identity.accepted import is_accepted
from shardd.identity.probe import ProbeOutcome, probe
from shardd.rpc import agent_pb2

BEAT_MS = 250
SUSPECT_S = 1.0
DEAD_S = 2.5
PING_S = 2.0
RETRY_S = (0.25, 2.0)  # the first and the longest pause between two tries to connect
PROBE_S = 2.0


@dataclass(frozen=True, slots=True)
class KnownNode:
    """What is durable about a node."""

    name: str
    address: str
    certificate_pem: bytes
    local: bool = False
    next_pem: bytes = b""  # the certificate that it announced as its next one

    @property
    def fingerprint(self) -> str:
        return fingerprint_of(self.certificate_pem)


def addresses_of(node: Node) -> list[str]:
    """Where other machines try to reach a node: as we do, then as it describes itself."""
    described = list(node.description.addresses) if node.description else []
    return list(dict.fromkeys([node.address.host, *described]))


class Keys(Protocol):
    """Whose keys count: this controller's, and the nodes' pinned ones."""

    def own(self) -> Identity: ...
    def refresh(self) -> None: ...
    def expect(self, node: KnownNode, certificate_pem: bytes) -> KnownNode: ...
    def advance(self, node: KnownNode) -> KnownNode: ...
    def moved(self, node: KnownNode) -> None: ...


class Node:
    """Keeps one agent connected. All members are for the loop's thread; on_change is called after every change."""

    def __init__(
        self,
        known: KnownNode,
        keys: Keys,
        on_change: Callable[[], None],
        on_log: Callable[[Level, str, str], None],
        on_stage: Callable[[str, agent_pb2.StageEvent], None],
    ) -> None:
        self.known = known
        self.address: Address = parse_address(known.address)
        self._keys = keys
        self.client = self._make_client()
        self.state = NodeState.CONNECTING
        self.state_text = phrase("Connecting to {address}.", address=known.address)
        self.description: agent_pb2.Description | None = None
        self.beat: agent_pb2.Beat | None = None
        self._stages = KnownStages()
        self.shards: tuple[ShardView, ...] = ()
        self.transfer: TransferView | None = None
        self.round_trip_ms: float | None = None
        self.reserved_bytes = 0  # of its memory, that the settings keep free
        self._on_change = on_change
        self._on_log = on_log
        self._on_stage = on_stage
        self._ready = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._key_task: asyncio.Task[None] | None = None
        self._switch = asyncio.Event()  # set: connect again, with a new key
        self._renewed = asyncio.Event()  # set by the first beat after that
        self._confirmed = b""
        self._refusals = 0  # tries in a row in which it did not let us in
        self._elsewhere = ""  # another address at which it may be

    @property
    def name(self) -> str:
        return self.known.name

    @property
    def stages(self) -> Mapping[str, agent_pb2.Stage]:
        """What is loaded there, by stage_id."""
        return self._stages.now

    @property
    def released(self) -> Mapping[str, agent_pb2.Stage]:
        """What it unloaded by itself while this controller was away."""
        return self._stages.released

    @property
    def taken_by(self) -> str:
        """What people call another controller that has a model deployed there; "" where none has."""
        own = self._keys.own().fingerprint
        others = [stage for stage in self.stages.values() if stage.deployed_by != own]
        return (others[0].deployed_by_name or phrase("Another controller")) if others else ""

    @property
    def shard_available(self) -> int | None:
        """Bytes for new shards: what its owner allows, less what the settings keep free; None before a first beat."""
        return max(0, self.beat.memory.shard_available - self.reserved_bytes) if self.beat else None

    def start(self) -> None:
        self._task = asyncio.create_task(self._keep(), name=f"node-{self.name}")

    async def close(self) -> None:
        await _cancel([task for task in (self._task, self._key_task) if task])
        await self.client.close()

    async def wait_ready(self, seconds: float) -> None:
        """Returns when the node is READY. Raises AgentError with the state's sentence after so long; at once where
        waiting is of no use."""
        if self.state is NodeState.INCOMPATIBLE:
            raise AgentError(self.state_text)
        try:
            async with asyncio.timeout(seconds):
                await self._ready.wait()
        except TimeoutError:
            raise AgentError(self.state_text) from None

    def may_be_at(self, address: str) -> None:
        """A machine that says it is this one was seen there: it is tried when the present address is dead, and its
        certificate tells."""
        with contextlib.suppress(UsageError):
            if parse_address(address) != self.address:
                self._elsewhere = address

    async def change_key(self, seconds: float) -> None:
        """Connects again with this controller's new key, as if nothing were. Raises AgentError when it takes longer."""
        self._renewed.clear()
        self._switch.set()
        try:
            async with asyncio.timeout(seconds):
                await self._renewed.wait()
        except TimeoutError:
            raise AgentError(
                phrase(
                    "{name} did not take the new key in time. {state_text}", name=self.name, state_text=self.state_text
                )
            ) from None

    async def refresh_shards(self) -> None:
        shards = await self.client.list_shards()
        self.shards = tuple(
            ShardView(shard.shard_id, shard.model, shard.first, shard.last, shard.bytes, shard.loaded, shard.kept)
            for shard in shards
        )
        self._on_change()

    async def refresh_stages(self) -> None:
        """Asks for the stages now; else they arrive by event."""
        self._stages.take_list(await self.client.list_stages())
        self._on_change()

    def heard(self, stage: agent_pb2.Stage) -> bool:
        """Takes what it said of one of its stages, on whatever way; answers whether it is news."""
        return self._stages.take(stage, self._keys.own().fingerprint)

    async def unload_stage(self, stage_id: str) -> None:
        """It is gone when this returns, whatever its last events still say. Raises AgentError."""
        await self.client.unload_stage(stage_id)
        self._stages.end(stage_id)
        self._on_change()

    def show_transfer(self, transfer: TransferView | None) -> None:
        self.transfer = transfer
        self._on_change()

    # -- the connection ----------------------------------------------------------------------------------------------

    async def _keep(self) -> None:
        pause = RETRY_S[0]
        while True:
            connected_at = time.monotonic()
            await self._renew_client()
            try:
                await self._stay()
                continue  # to connect with a new key
            except AgentError as error:
                await self._explain(error)
            self._try_elsewhere()
            if time.monotonic() - connected_at > 10:
                pause = RETRY_S[0]
            await asyncio.sleep(pause)
            pause = min(pause * 2, RETRY_S[1])

    def _try_elsewhere(self) -> None:
        """The next try goes to the other address; where that is dead too, back again."""
        if self._elsewhere and self.state is not NodeState.INCOMPATIBLE:
            self.address, self._elsewhere = parse_address(self._elsewhere), str(self.address)

    def _has_moved(self) -> None:
        """It answers at another address than the one that is written down."""
        self.known = replace(self.known, address=str(self.address))
        self._elsewhere = ""
        self._on_log(Level.INFO, self.name, phrase("It is at {address} now.", address=self.address))
        self._keys.moved(self.known)

    async def _stay(self) -> None:
        """Connects and stays until the agent is lost, and raises AgentError then; returns for a change of key."""
        self.description = await self.client.describe()
        problem = version_problem(self.description)
        if problem:
            self._set(NodeState.INCOMPATIBLE, problem)
            raise AgentError(problem)
        if self.address != parse_address(self.known.address):
            self._has_moved()
        if self.description.caller_follows:  # our own key has changed
            await self.client.replace_certificate()
        if not self._ready.is_set():  # for a change of key nothing is forgotten
            self._stages.clear()
        await self.refresh_shards()
        await self.refresh_stages()
        async with contextlib.AsyncExitStack() as stack:
            tasks = [
                asyncio.create_task(job, name=f"{self.name}-{label}")
                for label, job in (
                    ("beats", self._watch()),
                    ("stages", self._watch_stages()),
                    ("ping", self._ping()),
                    ("switch", self._until_switched()),
                )
            ]
            stack.push_async_callback(_cancel, tasks)
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
            if self._switch.is_set():
                self._switch.clear()
                return
        raise AgentError(phrase("{name} ended the connection.", name=self.name))

    async def _watch(self) -> None:
        async with contextlib.aclosing(signs_of_life(self.client, BEAT_MS)) as signs:
            async for sign in signs:
                if isinstance(sign, agent_pb2.Beat):
                    self._take(sign)
                elif sign >= DEAD_S:
                    raise AgentError(phrase("{name} has not answered for {dead_s} s.", name=self.name, dead_s=DEAD_S))
                elif sign >= SUSPECT_S:
                    self._set(
                        NodeState.SUSPECT,
                        phrase(
                            "{name} has not answered for {suspect_s:.0f} s. Look whether it is awake.",
                            name=self.name,
                            suspect_s=SUSPECT_S,
                        ),
                    )
                elif self.state is NodeState.SUSPECT:
                    self._set(NodeState.READY, phrase("Ready."))
        raise AgentError(phrase("{name} ended the connection.", name=self.name))

    def _take(self, beat: agent_pb2.Beat) -> None:
        self.beat = beat
        self._set(NodeState.READY, phrase("Ready."))
        self._refusals = 0
        self._renewed.set()
        if self._beat_is_news(beat):
            self._key_task = asyncio.create_task(self._learn_key(beat), name=f"{self.name}-key")
        self._on_change()

    def _beat_is_news(self, beat: agent_pb2.Beat) -> bool:
        """Whether it says something of the agent's key that is not known yet."""
        if self._key_task and not self._key_task.done():
            return False
        announced = beat.next_certificate
        return (announced != b"" and announced != self._confirmed) or (
            self.known.next_pem != b"" and beat.fingerprint not in ("", self.known.fingerprint)
        )

    async def _learn_key(self, beat: agent_pb2.Beat) -> None:
        """Pins what the agent announced, or lets it take the former's place."""
        try:
            if beat.next_certificate:
                self.known = await asyncio.to_thread(self._keys.expect, self.known, beat.next_certificate)
                self._confirmed = beat.next_certificate
                await self.client.confirm_certificate(fingerprint_of(beat.next_certificate))
            elif beat.fingerprint == fingerprint_of(self.known.next_pem):
                self.known = await asyncio.to_thread(self._keys.advance, self.known)
                self._on_log(
                    Level.INFO,
                    self.name,
                    phrase("It has a new key: {fingerprint}.", fingerprint=short_fingerprint(self.known.fingerprint)),
                )
                self._on_change()
        except SentenceError as error:
            self._confirmed = beat.next_certificate  # once is enough
            self._on_log(Level.WARNING, self.name, str(error))

    def _certificates(self) -> list[bytes]:
        return [pem for pem in (self.known.certificate_pem, self.known.next_pem) if pem]

    def _make_client(self) -> AgentClient:
        return AgentClient(self.known.name, self.address, self._keys.own(), *self._certificates())

    async def _renew_client(self) -> None:
        """Where a key has changed on either side, or the address."""
        if self.client.made_for != (self._keys.own(), *self._certificates()) or self.client.address != self.address:
            former, self.client = self.client, self._make_client()
            await former.close()

    async def _watch_stages(self) -> None:
        async for event in self.client.watch_stages():
            if self.heard(event.stage):
                self._on_stage(self.name, event)
                self._on_change()

    async def _until_switched(self) -> None:
        await self._switch.wait()

    async def _ping(self) -> None:
        """Round trips of the control plane: the smallest of three calls, every PING_S."""
        while True:
            times: list[float] = []
            for _ in range(3):
                began = time.perf_counter()
                await self.client.list_stages()
                times.append((time.perf_counter() - began) * 1000)
            self.round_trip_ms = min(times)
            await asyncio.sleep(PING_S)

    async def _explain(self, error: AgentError) -> None:
        was_ready = self._ready.is_set()
        if self.state is NodeState.INCOMPATIBLE:
            return
        if was_ready:
            self._set(NodeState.LOST, str(error))
        elif self.address != parse_address(self.known.address):
            return  # whoever was seen there says nothing about this machine
        await asyncio.to_thread(self._keys.refresh)  # another program on this data may have changed our key
        found = await asyncio.to_thread(probe, self.address.host, self.address.port, PROBE_S)
        seen = fingerprint_of(found.certificate_der) if found.certificate_der else ""
        same = seen in [fingerprint_of(pem) for pem in self._certificates()]
        if was_ready and same:
            return  # a short cut: the next try will tell
        outcome = found.outcome
        if same and error.code is not grpc.StatusCode.UNAUTHENTICATED:
            (pem, *_) = (each for each in self._certificates() if fingerprint_of(each) == seen)
            address = self.address
            accepted = await asyncio.to_thread(is_accepted, self._keys.own(), pem, address.host, address.port, PROBE_S)
            self._refusals = self._refusals + 1 if accepted is False else 0
            if accepted or self._refusals == 1:  # it was only slow, as after a sleep: the next try will tell
                self._set(NodeState.LOST, str(error))
                return
            outcome = ProbeOutcome.SILENT if accepted is None else outcome
        state, text = explain_loss(outcome, same, self.name, str(self.address))
        self._set(state, text)

    def _set(self, state: NodeState, text: str) -> None:
        if (state, text) == (self.state, self.state_text):
            return
        before, self.state, self.state_text = self.state, state, text
        if state is NodeState.READY:
            self._ready.set()
        elif state is not NodeState.SUSPECT:
            self._ready.clear()
            self.beat = None
            self._stages.clear()
        if state is not before:
            level = Level.INFO if state in (NodeState.READY, NodeState.CONNECTING) else Level.WARNING
            self._on_log(level, self.name, text if state is not NodeState.READY else self._greeting())
        self._on_change()

    def _greeting(self) -> str:
        if self.description is None:
            return phrase("Ready.")
        return phrase(
            "Ready: {chip}, shardd {shardd}.", chip=self.description.chip, shardd=self.description.versions.shardd
        )


async def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)

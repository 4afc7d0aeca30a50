"""The agent as a whole: what it is made of, how it starts and how it stops."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import grpc.aio

from shardd.agent.announce import Announcement
from shardd.agent.clerk import Clerk
from shardd.agent.events import EventHub
from shardd.agent.grants import Grants
from shardd.agent.identities import Identities
from shardd.agent.mailbox import Mailbox
from shardd.agent.pairing import PairingDesk, PairingStatus
from shardd.agent.released import Absences, Released
from shardd.agent.spills import Spills
from shardd.agent.supervisor import Supervisor
from shardd.agent.trust import Trust
from shardd.host import SentenceError, addresses, describe_host, locked, private_directory
from shardd.host.temporary import sweep_temporary
from shardd.identity import Identity, TrustedPeer, TrustedPeers
from shardd.rpc import agent_pb2_grpc, pairing_pb2_grpc
from shardd.rpc.gate import Gate
from shardd.rpc.machine_servicer import Machine
from shardd.rpc.options import server_credentials, server_options
from shardd.rpc.pairing_servicer import Pairing
from shardd.rpc.pairing_wire import pairing_port
from shardd.rpc.sessions import Sessions
from shardd.rpc.shards_servicer import Shards
from shardd.rpc.stages_servicer import Stages
from shardd.store import Store, write_limit

GOODBYE_S = 1.0
TEND_S = 0.2
RELEASE_AFTER_S = 24 * 3600.0
PORT_TRIES = 20  # to find two free ports in a row

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class AgentSettings:
    host: str
    port: int  # 0: any free one
    name: str  # "": the machine's own
    data: Path
    memory_limit: int | None  # bytes
    store_limit: int | None  # bytes
    trust: tuple[Path, ...]  # certificates of controllers to pin at start
    announce: bool
    release_after: float = RELEASE_AFTER_S  # seconds without word from a controller; 0: never


class PortTaken(Exception):
    """The address cannot be listened on. The message is a sentence for a person."""


class AgentService:
    """Everything of one agent. start, then close; both once."""

    def __init__(self, settings: AgentSettings) -> None:
        self._settings = settings
        data = private_directory(settings.data)
        self.facts = describe_host(settings.name or None)
        self._identities = Identities(data / "identity", self.facts.name)
        self.peers = TrustedPeers(data / "peers")
        for path in settings.trust:
            self.peers.add(path.read_bytes(), path.stem, "controller")
        self._lock = contextlib.ExitStack()
        self._lock.enter_context(locked(data, wait=False))
        self._store = Store(data / "store", self._uses_shard, limit_bytes=settings.store_limit)
        write_limit(data, settings.store_limit)
        self._events = EventHub()
        self._grants = Grants()
        self._supervisor = Supervisor(
            self._store,
            self._own,
            settings.host,
            settings.memory_limit,
            self._events.publish,
            self._name_of,
            Spills(data / "kept"),
            Released(data),
        )
        self._sessions = sessions = Sessions()
        self._absences = Absences(settings.release_after)
        self._trust = Trust(self.peers, sessions, self._grants, self._supervisor, lambda: self.port)
        self._pairing = PairingDesk(settings.host, self.facts.name, self._own, self._pin)
        self._clerk = Clerk(Mailbox(data), self._pairing, self._identities, self._trust, self.addresses, self._busy)
        self._announcement: Announcement | None = None
        self._server = grpc.aio.server(
            interceptors=[Gate(self.peers, self._grants.holds_any, sessions)], options=server_options()
        )
        self._tending: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None
        self.port = 0

    @property
    def identity(self) -> Identity:
        return self._identities.current

    @property
    def pairing_port(self) -> int:
        return self._pairing.port

    async def start(self) -> None:
        """Listens. Raises PortTaken."""
        machine = Machine(
            self.facts,
            self._identities,
            self._settings.memory_limit,
            self._supervisor,
            self._store,
            self.peers,
            self._own_addresses,
        )
        agent_pb2_grpc.add_MachineServicer_to_server(machine, self._server)
        agent_pb2_grpc.add_ShardsServicer_to_server(
            Shards(self._store, self._supervisor, self._grants, self._own), self._server
        )
        stages = Stages(self._supervisor, self.peers, self._events, self._name_of)
        agent_pb2_grpc.add_StagesServicer_to_server(stages, self._server)
        pairing = Pairing(self.peers, self._identities, self._supervisor, self._trust.look)
        pairing_pb2_grpc.add_PairingServicer_to_server(pairing, self._server)
        await asyncio.to_thread(self._store.sweep)
        await asyncio.to_thread(sweep_temporary)
        await self._trust.look()
        self._listen()
        await self._server.start()
        self._clerk.open()
        self._tending = asyncio.create_task(self._tend(), name="tend")
        self._watching = asyncio.create_task(self._supervisor.watch(), name="watch-stages")
        await self._announce()

    async def offer_pairing(self) -> PairingStatus | None:
        """Shows a code where nobody is paired yet; None where somebody is. Raises PairingRefused."""
        return None if self._trust.controllers() else await self._pairing.show_code()

    async def close(self) -> None:
        for task in (self._tending, self._watching):
            if task:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        await self._pairing.close()
        if self._announcement:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._announcement.close(), GOODBYE_S)
        await self._server.stop(GOODBYE_S)
        await self._supervisor.close()
        self._lock.close()
        log.info("stopped")

    # -- inside ------------------------------------------------------------------------------------------------------

    def _listen(self) -> None:
        """Takes the port, and keeps the one after it for pairing. Raises PortTaken."""
        credentials = server_credentials(self._own, self._trusted_pems)
        host = f"[{self._settings.host}]" if ":" in self._settings.host else self._settings.host
        wanted = self._settings.port
        for _ in range(1 if wanted else PORT_TRIES):
            with contextlib.suppress(OSError):
                self._pairing.reserve(pairing_port(wanted) if wanted else 0)
            try:
                # Any free port will do: then the one before the pairing port, which is free more often than not.
                self.port = self._server.add_secure_port(f"{host}:{wanted or self._pairing.port - 1}", credentials)
                return
            except RuntimeError:
                continue
        raise PortTaken(
            f"{host}:{self._settings.port} cannot be listened on. Another program may use it: choose another port."
        )

    async def _tend(self) -> None:
        """Looks, a few times a second, at what other processes may have changed on disk, and who is away."""
        while True:
            await asyncio.sleep(TEND_S)
            try:
                await self._trust.look()
                await self._release_absent()
                if await self._clerk.work():
                    await self._announce()
            except (OSError, SentenceError) as error:
                log.error("%s", error)

    async def _release_absent(self) -> None:
        """Unloads what those deployed who have been away for too long."""
        deployers = {record.request.deployed_by for record in self._supervisor.records()}
        for controller, seconds in self._absences.look(deployers, self._sessions.heard()).items():
            await self._supervisor.release_absent(controller, seconds)

    async def _announce(self) -> None:
        """On the local network, where wanted; once more when the key has changed."""
        if not self._settings.announce:
            return
        if self._announcement:
            await self._announcement.close()
        self._announcement = Announcement(
            self.facts.name, self.identity.fingerprint, self.port, self._own_addresses(), self._settings.host
        )
        await self._announcement.start()

    def _own(self) -> Identity:
        return self._identities.current

    def _pin(self, certificate_pem: bytes, name: str) -> TrustedPeer:
        return self.peers.add(certificate_pem, name, "controller")

    def _name_of(self, fingerprint: str) -> str:
        return self._trust.name_of(fingerprint)

    def _uses_shard(self, shard_id: str) -> bool:
        return self._supervisor.uses_shard(shard_id) or self._supervisor.spares.keeps(shard_id)

    def _busy(self) -> bool:
        return bool(self._supervisor.records())

    def _trusted_pems(self) -> list[bytes]:
        """Whom TLS lets in: controllers, and machines that may fetch units just now."""
        controllers = (peer.pem for peer in self.peers.all() if peer.role == "controller")
        return [*controllers, *self._grants.pems()]

    def _own_addresses(self) -> Sequence[str]:
        """Where other machines reach this one."""
        return addresses() if self._settings.host in ("0.0.0.0", "::") else (self._settings.host,)

    def addresses(self) -> tuple[str, ...]:
        """Where this agent is reached, host:port."""
        return tuple(f"[{a}]:{self.port}" if ":" in a else f"{a}:{self.port}" for a in self._own_addresses())

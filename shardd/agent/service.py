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
from shardd.agent.events import EventHub
from shardd.agent.grants import Grants
from shardd.agent.supervisor import Supervisor
from shardd.host import addresses, describe_host, locked, private_directory
from shardd.identity import Identity, TrustedPeers, load_or_create_identity
from shardd.rpc import agent_pb2_grpc
from shardd.rpc.gate import Gate
from shardd.rpc.machine_servicer import Machine
from shardd.rpc.options import server_credentials, server_options
from shardd.rpc.shards_servicer import Shards
from shardd.rpc.stages_servicer import Stages
from shardd.store import Store, write_limit

GOODBYE_S = 1.0

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


class PortTaken(Exception):
    """The address cannot be listened on. The message is a sentence for a person."""


class AgentService:
    """Everything of one agent. start, then close; both once."""

    def __init__(self, settings: AgentSettings) -> None:
        self._settings = settings
        data = private_directory(settings.data)
        self.facts = describe_host(settings.name or None)
        self.identity: Identity = load_or_create_identity(data / "identity", self.facts.name)
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
            self._store, self.identity, settings.host, settings.memory_limit, self._events.publish
        )
        self._announcement: Announcement | None = None
        self._server = grpc.aio.server(
            interceptors=[Gate(self.peers, self._grants.holds_any)], options=server_options()
        )
        self.port = 0

    async def start(self) -> None:
        """Listens. Raises PortTaken."""
        machine = Machine(
            self.facts,
            self.identity.fingerprint,
            self._settings.memory_limit,
            self._supervisor,
            self._store,
            self._own_addresses,
        )
        agent_pb2_grpc.add_MachineServicer_to_server(machine, self._server)
        agent_pb2_grpc.add_ShardsServicer_to_server(
            Shards(self._store, self._supervisor, self._grants, self.identity), self._server
        )
        stages = Stages(self._supervisor, self.peers, self._events)
        agent_pb2_grpc.add_StagesServicer_to_server(stages, self._server)
        await asyncio.to_thread(self._store.sweep)
        credentials = server_credentials(self.identity, self._trusted_pems)
        host = f"[{self._settings.host}]" if ":" in self._settings.host else self._settings.host
        try:
            self.port = self._server.add_secure_port(f"{host}:{self._settings.port}", credentials)
        except RuntimeError:
            raise PortTaken(
                f"{host}:{self._settings.port} cannot be listened on. Another program may use it: choose another port."
            ) from None
        await self._server.start()
        if self._settings.announce:
            self._announcement = Announcement(
                self.facts.name, self.identity.fingerprint, self.port, self._own_addresses(), self._settings.host
            )
            await self._announcement.start()

    async def close(self) -> None:
        if self._announcement:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._announcement.close(), GOODBYE_S)
        await self._server.stop(GOODBYE_S)
        await self._supervisor.close()
        self._lock.close()
        log.info("stopped")

    def _uses_shard(self, shard_id: str) -> bool:
        return self._supervisor.uses_shard(shard_id)

    def _trusted_pems(self) -> list[bytes]:
        """Whom TLS lets in: controllers, and machines that may fetch units just now."""
        return [*(peer.pem for peer in self.peers.all()), *self._grants.pems()]

    def _own_addresses(self) -> Sequence[str]:
        """Where other machines reach this one."""
        return addresses() if self._settings.host in ("0.0.0.0", "::") else (self._settings.host,)

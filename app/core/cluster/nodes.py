"""The nodes of this controller, kept connected: meeting, adding and forgetting them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence

from app.core.activity import ActivityLog
from app.core.cluster.address import parse_address
from app.core.cluster.client import AgentError
from app.core.cluster.joining import ProbedAgent, explain_probe, fetch_certificate
from app.core.cluster.keys import OwnKey
from app.core.cluster.node import KnownNode, Node
from app.core.cluster.pairing import NoCodeShown, pair
from app.core.cluster.registry import NodeRegistry
from app.core.errors import ShardboardError
from app.core.paths import ControllerPaths
from app.core.snapshot import DiscoveredAgent, Level, NodeState
from app.core.text import phrase
from shardd.host.facts import computer_name
from shardd.identity import Identity, short_fingerprint
from shardd.rpc import agent_pb2

LEAVE_S = 3.0
CHANGE_S = 15.0


class ClusterNodes:
    """nodes: by name, in the order in which they came. on_change after every change of any node, on_stage(name, event)
    for every change of a stage."""

    def __init__(
        self,
        paths: ControllerPaths,
        log: ActivityLog,
        on_change: Callable[[], None],
        on_stage: Callable[[str, agent_pb2.StageEvent], None],
        reserve_of: Callable[[str], int] = lambda _name: 0,
    ) -> None:
        """reserve_of: bytes of a machine's memory that the settings keep free, by its name."""
        self._reserve_of = reserve_of
        self.nodes: dict[str, Node] = {}
        self._key = OwnKey(paths.identity)
        self._registry = NodeRegistry(paths)
        self._keys = NodeKeys(self._key, self._registry)
        self._log = log
        self._on_change = on_change
        self._on_stage = on_stage

    @property
    def identity(self) -> Identity:
        """This controller's, at the moment."""
        return self._key.current

    def adopt(self, known: KnownNode) -> None:
        """Connects to a node and keeps it connected."""
        node = Node(known, self._keys, self._on_change, self._log.add, self._on_stage)
        node.reserved_bytes = self._reserve_of(known.name)
        self.nodes[known.name] = node
        node.start()

    def adopt_known(self) -> None:
        """Connects to the nodes that were added before."""
        for known in self._registry.all():
            self.adopt(known)

    def seen(self, agents: Sequence[DiscoveredAgent]) -> None:
        """Agents announce themselves there: one that has another address than before is found again."""
        by_fingerprint = {agent.fingerprint: agent.address for agent in agents}
        for node in self.nodes.values():
            address = by_fingerprint.get(node.known.fingerprint)
            if address:
                node.may_be_at(address)

    def reserves_changed(self) -> None:
        """The settings keep other parts of memory free than before."""
        for name, node in self.nodes.items():
            node.reserved_bytes = self._reserve_of(name)

    async def close(self) -> None:
        await asyncio.gather(*(node.close() for node in self.nodes.values()))

    async def wait_ready(self, seconds: float) -> None:
        """Returns when every node is ready. Raises ShardboardError naming one that is not."""
        await asyncio.gather(*(node.wait_ready(seconds) for node in self.nodes.values()))

    async def refresh_stages(self) -> None:
        """Asks the nodes that answer what runs on them."""
        ready = [node for node in self.nodes.values() if node.state is NodeState.READY]
        await asyncio.gather(*(node.refresh_stages() for node in ready), return_exceptions=True)

    async def probe(self, address: str) -> ProbedAgent:
        """Looks who answers at HOST or HOST:PORT. Raises ShardboardError in words when nobody does."""
        return await explain_probe(parse_address(address), self.identity, self._registry)

    async def add(self, address: str, fingerprint: str) -> KnownNode:
        """Pins the agent with this fingerprint and connects. Raises ShardboardError when it is another one."""
        where = parse_address(address)
        certificate, name = await fetch_certificate(where, fingerprint, self.identity)
        return await self._admit(KnownNode(name, str(where), certificate))

    async def pair(self, address: str, code: str) -> KnownNode:
        """Pairs with the agent that shows this code, and connects. Raises ShardboardError in words."""
        where = parse_address(address)
        own_name = await asyncio.to_thread(computer_name)
        try:
            known = await pair(where, code, self.identity, own_name)
        except NoCodeShown:
            await explain_probe(where, self.identity, self._registry)  # or somebody else is there, or nobody
            raise
        return await self._admit(known)

    async def _admit(self, agent: KnownNode) -> KnownNode:
        known = await asyncio.to_thread(self._registry.add, agent)
        former = self.nodes.pop(known.name, None)
        if former:
            await former.close()
        self.adopt(known)
        self._log.add(
            Level.INFO,
            known.name,
            phrase(
                "Added at {address}, fingerprint {fingerprint}.",
                address=known.address,
                fingerprint=short_fingerprint(known.fingerprint),
            ),
        )
        self._on_change()
        return known

    def get(self, name: str) -> Node:
        """Raises ShardboardError when there is none of this name."""
        node = self.nodes.get(name)
        if node is None:
            raise ShardboardError(phrase("There is no machine named {name}.", name=name))
        return node

    async def forget(self, name: str) -> str:
        """Unpairs on both sides, and answers a sentence that says whether the agent could be told."""
        node = self.get(name)
        told = phrase("{name} is unpaired.", name=name)
        try:
            async with asyncio.timeout(LEAVE_S):
                await node.client.unpair()
        except (AgentError, TimeoutError):
            told = phrase("{name} is forgotten here, and could not be told. Run there: shardd unpair", name=name)
        self._registry.remove(name)
        del self.nodes[name]
        await node.close()
        self._log.add(Level.INFO, "", told)
        self._on_change()
        return told

    async def rotate(self) -> Identity:
        """Gives this controller a new key, and answers it. Raises ShardboardError before anything has changed when a
        machine cannot be told; one that falls silent in between learns it when it is back."""
        for node in self.nodes.values():
            if node.state is not NodeState.READY:
                raise ShardboardError(
                    phrase("Every paired machine must learn the new key. {state_text}", state_text=node.state_text),
                    "Start it, or unpair it first.",
                )
        coming = self._key.prepare()
        await asyncio.gather(
            *(node.client.announce_certificate(coming.certificate_pem) for node in self.nodes.values())
        )
        self._key.take()
        await asyncio.gather(*(node.change_key(CHANGE_S) for node in self.nodes.values()))
        self._log.add(
            Level.INFO,
            "",
            phrase("This controller has a new key: {fingerprint}.", fingerprint=short_fingerprint(coming.fingerprint)),
        )
        return coming


class NodeKeys:
    """What a node needs to know of keys: our own, and how to pin its next one."""

    def __init__(self, key: OwnKey, registry: NodeRegistry) -> None:
        self._key = key
        self._registry = registry

    def own(self) -> Identity:
        return self._key.current

    def refresh(self) -> None:
        self._key.refresh()

    def expect(self, node: KnownNode, certificate_pem: bytes) -> KnownNode:
        return self._registry.expect(node, certificate_pem)

    def advance(self, node: KnownNode) -> KnownNode:
        return self._registry.advance(node)

    def moved(self, node: KnownNode) -> None:
        with contextlib.suppress(ShardboardError):  # it is found again the next time
            self._registry.move(node)

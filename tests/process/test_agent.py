"""`shardd run` itself: how it starts, whom it answers, what the network sees, how it stops."""

from __future__ import annotations

import asyncio
import signal
import ssl
import subprocess
from pathlib import Path
from typing import Any

import pytest

from app.core.cluster.address import parse_address
from app.core.cluster.client import AgentClient, AgentError
from app.core.cluster.discovery import Discovery
from app.core.cluster.registry import NodeRegistry
from app.core.controller import Controller
from app.core.errors import ShardboardError
from app.core.paths import controller_paths
from app.core.snapshot import NodeState
from shardd.identity import create_identity
from tests.agents import RUN, SHARDD, Agent, shardd
from tests.process.conftest import eventually


async def test_a_stranger_gets_nothing(agent: Any) -> None:
    running = agent()
    client = AgentClient(
        "mini-7", parse_address(running.address), create_identity("stranger"), running.ready["certificate"].encode()
    )
    with pytest.raises(AgentError):
        await asyncio.wait_for(client.describe(), 60)
    await client.close()


async def test_add_by_address(agent: Any, tmp_path: Path) -> None:
    paths = controller_paths(tmp_path / "controller")
    controller = Controller(paths, discover=False)
    stranger = agent()
    friend = agent("--trust", str(paths.identity / "certificate.pem"))
    try:
        await controller.start()
        unknown = await controller.probe_agent(stranger.address)
        assert not unknown.trusts_us and "shardd pair" in unknown.advice
        with pytest.raises(ShardboardError, match="does not know this controller"):
            await controller.add_node(stranger.address, unknown.fingerprint)
        known = await controller.probe_agent(friend.address)
        assert known.trusts_us and known.fingerprint == friend.ready["fingerprint"]
        with pytest.raises(ShardboardError, match="another fingerprint"):
            await controller.add_node(friend.address, "0" * 64)
        await controller.add_node(friend.address, known.fingerprint)
        await controller.wait_ready()
        node = controller.snapshot().nodes[0]
        assert node.name == "mini-7" and node.memory is not None
        memory = node.memory
        assert memory.weights + memory.kv + memory.others + memory.free == memory.total
        await eventually(lambda: controller.snapshot().nodes[0].round_trip_ms is not None)

        # It is remembered, and its end is told in words.
        friend.stop()
        await eventually(lambda: controller.snapshot().nodes[0].state is NodeState.LOST)
        await eventually(lambda: "shardd is not running" in controller.snapshot().nodes[0].state_text)
    finally:
        await controller.close()
    again = Controller(paths, discover=False)
    await again.start()
    assert [view.name for view in again.snapshot().nodes] == ["mini-7"]
    await again.forget_node("mini-7")
    assert again.snapshot().nodes == ()
    await again.close()


@pytest.mark.parametrize(
    ("address", "words"),
    [("127.0.0.1:1", "Nothing listens"), ("no host", "is not an address"), ("127.0.0.1:banana", "is not a port")],
)
async def test_an_agent_that_is_not_there(address: str, words: str, tmp_path: Path) -> None:
    controller = Controller(controller_paths(tmp_path / "controller"), discover=False)
    await controller.start()
    with pytest.raises(ShardboardError, match=words):
        await controller.probe_agent(address)
    await controller.close()


async def test_discovery_by_bonjour(agent: Any) -> None:
    running = agent("--announce")
    found = asyncio.Event()
    discovery = Discovery(lambda: found.set() if discovery.agents else None, ["127.0.0.1"])
    await discovery.start()
    try:
        await asyncio.wait_for(found.wait(), 60)
        (seen,) = discovery.agents
        assert (seen.name, seen.address, seen.fingerprint) == ("mini-7", running.address, running.ready["fingerprint"])
    finally:
        await discovery.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stops_cleanly(number: signal.Signals, agent: Any) -> None:
    assert agent().stop(number) == 0


def test_says_where_it_listens(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*SHARDD, *RUN, str(tmp_path / "a")], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    process.terminate()
    process.communicate(timeout=100)
    assert "listens on 127.0.0.1:" in line and "fingerprint" in line


def test_a_taken_port_is_refused_in_a_sentence(agent: Any, tmp_path: Path) -> None:
    port = agent().ready["port"]
    done = shardd("run", "--host", "127.0.0.1", "--port", str(port), "--data", str(tmp_path))
    assert done.returncode == 1
    assert "shardd: 127.0.0.1" in done.stderr and "choose another port" in done.stderr


def test_tls_below_1_3_is_refused_on_lanes(tmp_path: Path) -> None:
    from shardd.identity.tls import server_context

    identity = create_identity("stage")
    assert server_context(identity, [identity.certificate_pem]).minimum_version is ssl.TLSVersion.TLSv1_3


@pytest.mark.in_turn
async def test_a_machine_that_has_another_address_is_found_again(agent: Any, tmp_path: Path) -> None:
    paths = controller_paths(tmp_path / "controller")
    controller = Controller(paths, discover=False)
    trust = ("--trust", str(paths.identity / "certificate.pem"))
    former, stranger = agent(*trust), agent()
    moved = None
    await controller.start()
    try:
        await controller.add_node(former.address, former.ready["fingerprint"])
        await controller.wait_ready()
        node = controller.nodes["mini-7"]
        former.stop()
        await eventually(lambda: node.state is NodeState.LOST)
        said = node.state_text
        node.may_be_at("no address at all:")
        node.may_be_at(stranger.address)  # it only says that it is the one
        await eventually(lambda: str(node.address) == stranger.address, 60)
        await eventually(lambda: str(node.address) == former.address, 60)
        assert node.state is NodeState.LOST and node.state_text == said
        moved = Agent(former.data, *trust)
        assert moved.address != former.address
        node.may_be_at(moved.address)
        await eventually(lambda: node.state is NodeState.READY, 60)
        assert str(node.address) == moved.address
    finally:
        await controller.close()
        if moved:
            moved.stop()
    assert NodeRegistry(paths).all()[0].address == moved.address

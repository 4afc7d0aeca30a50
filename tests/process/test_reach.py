"""Why can't I see my Mac?, against real agents and sockets on loopback: what is really in the way is what is said."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.core.cluster import reach
from app.core.cluster.reach_findings import Finding, Verdict
from app.core.errors import UsageError
from app.core.snapshot import DiscoveredAgent
from shardd.identity import create_identity
from tests.agents import Agent, shown_code

LOOPBACK = ("127.0.0.1",)


async def check(address: str, **facts: Any) -> dict[str, Finding]:
    """The findings by what was checked, of the way to an address alone."""
    own = facts.pop("identity", None) or create_identity("controller")
    found = reach.check_reach(address, own, interfaces=LOOPBACK, **facts)
    return {finding.check: finding async for finding in found}


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Agent]:
    running = Agent(tmp_path / "agent")
    yield running
    running.stop()


@pytest.fixture(autouse=True)
def hears(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bonjour has a test of its own: asking it takes over a second."""

    async def heard(*_: object) -> tuple[bool, str]:
        return True, ""

    monkeypatch.setattr(reach, "hears_itself", heard)


async def test_an_agent_without_and_with_a_code(agent: Agent) -> None:
    found = await check(agent.address)
    assert found["Agent's port"].verdict is Verdict.GOOD
    assert found["Pairing"].verdict is Verdict.NOTE and "shardd pair" in found["Pairing"].remedy
    assert found["Agent's version"].verdict is Verdict.UNTESTED
    assert "this machine itself" in found["Same network"].sentence

    heard = DiscoveredAgent("mini-7", agent.address, agent.ready["fingerprint"], "0.1.0")
    found = await check(agent.address, discovered=[heard])
    assert found["Agent's version"].sentence == "mini-7 announces version 0.1.0."
    assert found["Machines that announce themselves"].verdict is Verdict.GOOD

    await asyncio.to_thread(shown_code, agent)
    found = await check(agent.address)
    assert found["Pairing"].verdict is Verdict.GOOD
    assert found["Agent's version"].sentence == "mini-7 runs a version that works with this app."


async def test_an_agent_that_knows_this_controller(tmp_path: Path) -> None:
    own = create_identity("controller")
    certificate = tmp_path / "controller.pem"
    certificate.write_bytes(own.certificate_pem)
    friend = Agent(tmp_path / "friend", "--trust", str(certificate))
    try:
        found = await check(friend.address, identity=own)
        assert found["Pairing"].sentence == "mini-7 knows this controller already: add it."
        assert found["Agent's version"].verdict is Verdict.GOOD
    finally:
        friend.stop()


async def test_nothing_listens_or_another_program_does() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        async def hang_up() -> None:
            other.setblocking(False)
            connection, _ = await asyncio.get_running_loop().sock_accept(other)
            connection.close()

        hanging = asyncio.create_task(hang_up())
        found = await check(f"127.0.0.1:{port}")
        await hanging
        assert "Another program answers" in found["Agent's port"].sentence
    found = await check(f"127.0.0.1:{port}")
    assert "nothing listens" in found["Agent's port"].sentence and "shardd run" in found["Agent's port"].remedy
    assert "Pairing" not in found  # nothing to be said of it


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS refuses what a full queue does not take")
async def test_a_machine_that_never_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A listener whose queue is full drops what comes, as a firewall does."""
    monkeypatch.setattr(reach, "PROBE_S", 0.5)
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        address = full.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        try:
            for each in waiting:
                each.setblocking(False)
                each.connect_ex(address)
            found = await check(f"127.0.0.1:{address[1]}")
        finally:
            for each in waiting:
                each.close()
    assert found["Agent's port"].verdict is Verdict.PROBLEM and "firewall" in found["Agent's port"].remedy


async def test_names_and_addresses_that_lead_nowhere() -> None:
    found = await check("no-such-machine.invalid")
    assert found["Its name"].verdict is Verdict.PROBLEM and "Agent's port" not in found
    with pytest.raises(UsageError):
        await check("two words")


async def test_bonjour_really_goes_out_and_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert await reach.hears_itself(LOOPBACK, 60) == (True, "")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # zeroconf forgets a socket then
async def test_bonjour_on_a_network_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    heard, problem = await reach.hears_itself(("192.0.2.77",), 60)  # no interface of this machine
    assert not heard and problem


def test_a_packet_to_the_local_network() -> None:
    """Allowed or not: the system's own word for it, never an exception."""
    refused = reach.send_to_local_network()
    assert refused is None or refused > 0

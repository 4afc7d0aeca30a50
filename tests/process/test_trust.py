"""Who gets what from real agents: pairing by the command line, unpairing under way, and strangers nothing."""

from __future__ import annotations

import asyncio
import secrets
import socket
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import psutil
import pytest

from app.core.cluster.client import AgentClient, AgentError
from app.core.library.models import BUILT_IN
from app.core.snapshot import NodeState
from shardd.identity import TLS_NAME, Identity, TrustedPeers, create_identity, load_or_create_identity
from shardd.identity.tls import client_context
from shardd.rpc import agent_pb2, pairing_pb2
from shardd.rpc.agent_pb2_grpc import MachineStub, ShardsStub
from shardd.rpc.options import channel_credentials, channel_options
from shardd.stage.orders import PipelineOptions
from tests.agents import shardd, shown_code, wrong_code
from tests.clusters import ask
from tests.process.conftest import Opener, chat, eventually, shardboard

METHODS = [
    (f"/{service.full_name}/{method.name}", method)
    for file in (agent_pb2, pairing_pb2)
    for service in file.DESCRIPTOR.services_by_name.values()
    for method in service.methods
]
REFUSALS = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNAUTHENTICATED)


# -- pairing by the command line -------------------------------------------------------------------------------------


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The command line's own data."""
    folder = tmp_path / "controller"
    monkeypatch.setenv("SHARDBOARD_DATA", str(folder))
    return folder


def test_pair_and_unpair(agent: Any, data: Path) -> None:
    running = agent()
    code = shown_code(running)
    wrong = shardboard("pair", running.address, "--code", wrong_code(code))
    assert wrong.code == 1 and "not the code that mini-7 shows. 4 tries are left." in wrong.err
    assert shardboard("pair", running.address, "--code", "12").code == 2

    paired = shardboard("pair", running.address, "--code", code, "--json")
    assert paired.code == 0, paired.err
    assert paired.json["fingerprint"] == running.ready["fingerprint"]
    (pinned,) = TrustedPeers(running.data / "peers").all()
    assert pinned.fingerprint == paired.json["controller_fingerprint"] and pinned.role == "controller"
    assert [node["state"] for node in shardboard("nodes", "--json").json["nodes"]] == ["ready"]
    again = shardboard("pair", running.address, "--code", code).err
    assert "was used already" in again or "No code is shown" in again  # the first for five seconds, then the second
    for private in (data / "identity" / "key.pem", running.data / "identity" / "key.pem"):
        assert private.stat().st_mode & 0o777 == 0o600 and private.parent.stat().st_mode & 0o777 == 0o700

    unpaired = shardboard("unpair", "mini-7")
    assert unpaired.code == 0 and unpaired.out == "mini-7 is unpaired.\n"
    assert TrustedPeers(running.data / "peers").all() == () == TrustedPeers(data / "peers").all()
    assert "no machine named mini-7" in shardboard("unpair", "mini-7").err


def test_the_agent_says_who_paired(agent: Any, data: Path) -> None:
    running = agent()
    command = [sys.executable, "-m", "shardd.main", "pair", "--data", str(running.data)]
    showing = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert showing.stdout is not None
    lines = [showing.stdout.readline() for _ in range(4)]
    code = lines[0].removeprefix("Pairing code: ").strip()
    assert lines[2].strip() == f"shardboard pair {running.address}"
    assert shardboard("pair", running.address, "--code", code).code == 0
    said, _ = showing.communicate(timeout=100)
    assert showing.returncode == 0 and "Paired with " in said

    assert "shardd run" in shardd("pair", "--data", str(running.data / "elsewhere")).stderr
    name = TrustedPeers(running.data / "peers").all()[0].name
    assert 'No controller "nobody"' in shardd("unpair", "nobody", "--data", str(running.data)).stderr
    assert shardd("unpair", name, "--data", str(running.data)).returncode == 0
    assert TrustedPeers(running.data / "peers").all() == ()


def test_a_first_start_shows_a_code(tmp_path: Path, data: Path) -> None:
    command = [sys.executable, "-m", "shardd.main", "run", "--host", "127.0.0.1", "--port", "0", "--data"]
    process = subprocess.Popen([*command, str(tmp_path / "a")], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(4)]
    code = lines[1].removeprefix("Pairing code: ").strip()
    try:
        assert shardboard("pair", lines[3].split()[-1], "--code", code).code == 0
    finally:
        process.terminate()
        process.communicate(timeout=100)


# -- strangers -------------------------------------------------------------------------------------------------------


def caller(method: Any, channel: grpc.aio.Channel, name: str) -> Any:
    """Calls a method with an empty request, and reads all that comes."""
    kinds = {
        (False, False): channel.unary_unary,
        (False, True): channel.unary_stream,
        (True, False): channel.stream_unary,
        (True, True): channel.stream_stream,
    }
    call = kinds[method.client_streaming, method.server_streaming](name)

    async def run() -> list[bytes]:
        async def requests() -> AsyncIterator[bytes]:
            yield b""

        begun = call(requests() if method.client_streaming else b"", timeout=60)
        if not method.server_streaming:
            return [await begun]
        return [reply async for reply in begun]

    return run()


async def refusals(channel: grpc.aio.Channel) -> dict[str, grpc.StatusCode]:
    """What every method of every service says."""
    said: dict[str, grpc.StatusCode] = {}
    for name, method in METHODS:
        try:
            await caller(method, channel, name)
        except grpc.aio.AioRpcError as error:
            said[name] = error.code()
        else:
            said[name] = grpc.StatusCode.OK
    return said


def channel_to(address: str, credentials: grpc.ChannelCredentials) -> grpc.aio.Channel:
    return grpc.aio.secure_channel(address, credentials, options=channel_options())


def test_every_method_is_tried() -> None:
    assert len(METHODS) >= 20 and {name.split("/")[1] for name, _ in METHODS} >= {
        "shardd.v1.Machine",
        "shardd.v1.Shards",
        "shardd.v1.Stages",
        "shardd.v1.Pairing",
    }


@pytest.mark.parametrize("who", ["no certificate", "stranger", "wrong role"])
async def test_every_method_refuses(who: str, agent: Any) -> None:
    running = agent()
    own = running.ready["certificate"].encode()
    identity = create_identity(who)
    if who == "wrong role":
        TrustedPeers(running.data / "peers").add(identity.certificate_pem, who, "agent")
    credentials = grpc.ssl_channel_credentials(own) if who == "no certificate" else channel_credentials(identity, own)
    async with channel_to(running.address, credentials) as channel:
        said = await refusals(channel)
    assert set(said.values()) <= set(REFUSALS), said


def connections_to(port: int) -> int:
    """Of this process, that stand."""
    return sum(
        bool(each.raddr) and each.raddr.port == port and each.status == psutil.CONN_ESTABLISHED
        for each in psutil.Process().net_connections("tcp")
    )


async def test_every_method_refuses_the_revoked_on_its_open_connection(agent: Any, tmp_path: Path) -> None:
    identity = load_or_create_identity(tmp_path / "revoked", "revoked")
    running = agent("--trust", str(tmp_path / "revoked" / "certificate.pem"))
    async with channel_to(
        running.address, channel_credentials(identity, running.ready["certificate"].encode())
    ) as channel:
        described = await MachineStub(channel).Describe(agent_pb2.DescribeRequest(), timeout=60)
        assert described.name == "mini-7"
        assert TrustedPeers(running.data / "peers").remove(identity.fingerprint)
        assert connections_to(running.ready["port"]) == 1
        said = await refusals(channel)
        assert set(said.values()) == {grpc.StatusCode.UNAUTHENTICATED}, said
        await eventually(lambda: connections_to(running.ready["port"]) == 0, 60)  # the agent ends it


async def test_a_grant_is_good_for_nothing_else(agent: Any, tmp_path: Path) -> None:
    """A machine that may fetch units may call ServeUnit, and that only with its token."""
    owner = load_or_create_identity(tmp_path / "owner", "owner")
    fetcher = create_identity("fetcher")
    running = agent("--trust", str(tmp_path / "owner" / "certificate.pem"))
    own = running.ready["certificate"].encode()
    async with channel_to(running.address, channel_credentials(owner, own)) as channel:
        request = agent_pb2.GrantUnitsRequest(digests=[], certificate=fetcher.certificate_pem)
        await ShardsStub(channel).GrantUnits(request, timeout=60)
    async with channel_to(running.address, channel_credentials(fetcher, own)) as channel:
        said = await refusals(channel)
        assert said.pop("/shardd.v1.Shards/ServeUnit") == grpc.StatusCode.PERMISSION_DENIED
        assert set(said.values()) == {grpc.StatusCode.UNAUTHENTICATED}, said
        # Revoking who granted it takes it back.
        TrustedPeers(running.data / "peers").remove(owner.fingerprint)

        async def refused() -> None:
            while (await refusals(channel))["/shardd.v1.Shards/ServeUnit"] != grpc.StatusCode.UNAUTHENTICATED:
                await asyncio.sleep(0.05)

        await asyncio.wait_for(refused(), 60)


KNOCKS = {
    "HTTP": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "plain gRPC": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes.fromhex("000000040000000000"),
    "random": secrets.token_bytes(2048),
    "zeros": bytes(64),
    "silence": b"",
}


def knock(port: int, data: bytes) -> bytes:
    """All that is answered to plain bytes, until the other end hangs up."""
    answer = b""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as plain:
        try:
            plain.sendall(data)
            plain.shutdown(socket.SHUT_WR)
            while part := plain.recv(4096):
                answer += part
        except ConnectionError:
            pass
    return answer


def knock_by_tls(port: int, context: ssl.SSLContext, protocols: list[str]) -> bytes:
    """All that is answered inside TLS; nothing where the handshake fails."""
    if protocols:
        context.set_alpn_protocols(protocols)
    answer = b""
    try:
        with (
            socket.create_connection(("127.0.0.1", port), timeout=60) as plain,
            context.wrap_socket(plain, server_hostname=TLS_NAME) as tls,
        ):
            tls.sendall(KNOCKS["plain gRPC"])
            while part := tls.recv(4096):
                answer += part
    except (OSError, ssl.SSLError):
        pass
    return answer


def tls_context(identity: Identity | None, pem: bytes) -> ssl.SSLContext:
    if identity is not None:
        return client_context(identity, pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def ports_of(process_id: int) -> set[int]:
    """Where a process and its children listen."""
    agent_process = psutil.Process(process_id)
    return {
        connection.laddr.port
        for each in (agent_process, *agent_process.children(recursive=True))
        for connection in each.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
    }


async def test_every_port_refuses_strangers(cluster: Opener, tmp_path: Path) -> None:
    async with cluster(BUILT_IN, 2, agents_folder=tmp_path / "agents") as controller:
        assert controller.local_agents
        first = controller.local_agents.process_ids[0]
        done = await asyncio.to_thread(shardd, "pair", "--json", "--data", str(tmp_path / "agents" / "local-1"))
        assert done.returncode == 0, done.stderr
        main = controller.nodes["local-1"].address.port
        certificate = controller.nodes["local-1"].known.certificate_pem
        ports = ports_of(first)
        assert {main, main + 1} < ports and len(ports) >= 3  # its own, the code's, the lanes'

        async def knock_at(port: int, name: str) -> None:
            answer = await asyncio.to_thread(knock, port, KNOCKS[name])
            # At most a TLS alert (RFC 8446, 5.1): nothing that a stranger could use.
            assert answer == b"" or (answer[0] == 0x15 and len(answer) <= 7), (port, name, answer[:100])

        async def shake_hands_at(port: int, identity: Identity | None, protocols: list[str]) -> None:
            context = tls_context(identity, certificate)
            answer = await asyncio.to_thread(knock_by_tls, port, context, protocols)
            if port == main + 1 and answer:
                hello = pairing_pb2.PairingHello.FromString(answer[2 : 2 + int.from_bytes(answer[:2], "big")])
                assert (hello.name, len(answer)) == ("local-1", 2 + hello.ByteSize())
            elif port == main:
                # An empty SETTINGS frame may precede the refusal of a certificate (RFC 9113, 3.4).
                assert b"shardd" not in answer and len(answer) < 200, answer
            else:
                assert answer == b"", (port, answer[:100])

        # A few at a time: more from one address would be refused before they are heard.
        stranger = create_identity("stranger")
        for identity in (None, stranger):
            hands = [shake_hands_at(port, identity, each) for each in ([], ["h2"], ["http/1.1"]) for port in ports]
            await asyncio.gather(*hands)
        for few in (list(KNOCKS)[:3], list(KNOCKS)[3:]):
            await asyncio.gather(*(knock_at(port, name) for name in few for port in ports))
        result = await ask(controller, chat("Hello"))
        assert result.finish_reason in ("stop", "length")


# -- revoking --------------------------------------------------------------------------------------------------------


async def test_unpairing_ends_calls_lanes_and_stages(cluster: Opener, tmp_path: Path) -> None:
    slow = PipelineOptions(layer_delay_ms=20.0, speculate=False)  # an answer takes long enough to be cut
    async with cluster(BUILT_IN, 2, agents_folder=tmp_path / "agents", options=slow) as controller:
        assert controller.local_agents
        second = psutil.Process(controller.local_agents.process_ids[1])
        assert second.children()
        node = controller.nodes["local-2"]
        client = AgentClient("local-2", node.address, controller.identity, node.known.certificate_pem)
        beats = client.watch(100)
        await anext(aiter(beats))
        events = client.watch_stages()
        await anext(aiter(events))

        async def end_of(stream: AsyncIterator[Any]) -> str:
            try:
                async for _ in stream:
                    pass
            except AgentError as error:
                return str(error)
            return "it ended without a word"

        request = replace(chat("Tell me a long story"), max_tokens=24)
        answering = asyncio.create_task(ask(controller, request))
        await eventually(lambda: controller.answers > 0)
        ends = [asyncio.create_task(end_of(stream)) for stream in (beats, events)]
        # As `shardd unpair` does, without the time that a program takes to start: the answer is being written.
        peers = TrustedPeers(tmp_path / "agents" / "local-2" / "peers")
        assert await asyncio.to_thread(peers.remove, controller.identity.fingerprint)
        said = await asyncio.wait_for(asyncio.gather(*ends), 30)  # what it really takes: tests.bench.revoking
        assert all("is not paired with this controller" in each for each in said), said
        await eventually(lambda: not second.children(), 60)  # the stage, and its lanes with it
        result = await asyncio.wait_for(answering, 60)  # on the machine that is left
        assert "stage_lost" in [event.kind for event in result.events] and result.finish_reason != "error"
        await eventually(lambda: controller.snapshot().nodes[1].state is NodeState.NOT_PAIRED)
        assert "Pair it again" in controller.snapshot().nodes[1].state_text
        assert controller.snapshot().nodes[0].state is NodeState.READY
        await client.close()

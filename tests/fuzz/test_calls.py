"""Every call of a real agent, by a paired controller that has gone wild: the agent lives, answers and stays small."""

from __future__ import annotations

import asyncio
from pathlib import Path

import grpc
import grpc.aio
import pytest

from app.core.cluster.local_agents import LocalAgents
from shardd.identity import create_identity
from shardd.rpc import agent_pb2
from shardd.rpc.agent_pb2_grpc import MachineStub
from shardd.rpc.limits import MAX_CALLS, MAX_CONTROL_BYTES, Unread, endpoint_problem, limited
from shardd.rpc.options import channel_credentials, channel_options
from tests.fuzz.calls import storm


async def test_an_agent_survives_every_call(tmp_path: Path) -> None:
    """Longer by hand: `python -m tests.fuzz --calls --minutes 60`."""
    seen = await storm(tmp_path / "agents", 1, lambda rounds: rounds < 3)
    print(seen)
    assert not seen.problems
    assert seen.said["FAILED_PRECONDITION"] and seen.said["answered"]


async def test_one_caller_has_so_many_calls_and_no_more(tmp_path: Path) -> None:
    identity = create_identity("greedy")
    async with LocalAgents(("local",), identity, folder=tmp_path / "agents") as agents:
        known = agents.nodes[0]
        credentials = channel_credentials(identity, known.certificate_pem)
        channels = [grpc.aio.secure_channel(known.address, credentials, options=channel_options()) for _ in range(2)]
        request = agent_pb2.WatchRequest(interval_ms=5000)
        watches = [MachineStub(channels[number % 2]).Watch(request) for number in range(MAX_CALLS)]
        await asyncio.gather(*(watch.read() for watch in watches))
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await MachineStub(channels[0]).Describe(agent_pb2.DescribeRequest(), timeout=20)
        assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        for watch in watches:
            watch.cancel()
        for channel in channels:
            await channel.close()


@pytest.mark.parametrize(
    ("addresses", "port", "fine"),
    [
        (["10.0.0.7"], 8101, True),
        (["mini-1.local", "fe80::1%en0", "::1"], 1, True),
        (["10.0.0.7"], 0, False),
        (["10.0.0.7"], 65536, False),
        ([], 8101, False),
        (["a"] * 17, 8101, False),
        (["unix:/tmp/socket"], 8101, False),
        (["dns:///a"], 8101, False),
        (["/etc/passwd"], 8101, False),
        (["../a"], 8101, False),
        (["a b"], 8101, False),
        (["a" * 64], 8101, False),
        (["a..b"], 8101, False),
        (["::1/x"], 8101, False),
        ([""], 8101, False),
    ],
)
def test_where_a_node_may_be_told_to_dial(addresses: list[str], port: int, fine: bool) -> None:
    assert (endpoint_problem(addresses, port) is None) is fine


def test_a_message_is_measured_before_it_is_read() -> None:
    read: list[int] = []
    once = limited(lambda wire: read.append(len(wire)))
    assert isinstance(once(bytes(MAX_CONTROL_BYTES + 1)), Unread)
    assert not read
    once(bytes(MAX_CONTROL_BYTES))
    assert read == [MAX_CONTROL_BYTES]

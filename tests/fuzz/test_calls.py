"""Every call of a real agent, by a paired controller that has gone wild: the agent lives, answers and stays small."""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import psutil
import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from app.core.cluster.local_agents import LocalAgents
from shardd.identity import create_identity
from shardd.rpc import agent_pb2, pairing_pb2
from shardd.rpc.agent_pb2_grpc import MachineStub
from shardd.rpc.limits import MAX_CALLS, MAX_CONTROL_BYTES, Unread, endpoint_problem, limited
from shardd.rpc.options import channel_credentials, channel_options
from tests.fuzz.mutate import NUMBERS, TEXTS, mutated

ABOVE_BYTES = 128 << 20
ROUNDS = int(os.environ.get("FUZZ_ROUNDS", "3"))  # by hand: FUZZ_ROUNDS=5000 FUZZ_SEED=9
SEED = int(os.environ.get("FUZZ_SEED", "1"))
UNPAIRS = "Unpair"  # would end the test, rightly
METHODS = [
    method
    for file in (agent_pb2, pairing_pb2)
    for service in file.DESCRIPTOR.services_by_name.values()
    for method in service.methods
    if method.name != UNPAIRS
]


def wild(descriptor: Any, chance: random.Random, depth: int = 0) -> Message:
    """A message of this type with values of every kind, likely and impossible."""
    message = GetMessageClass(descriptor)()
    for field in descriptor.fields:
        if chance.random() < 0.25 or depth > 3:
            continue
        if field.is_repeated:
            values = [_value(field, chance, depth) for _ in range(chance.choice((0, 1, 2, 30)))]
            if field.message_type is None:
                getattr(message, field.name).extend(values)
            else:
                for value in values:
                    getattr(message, field.name).add().CopyFrom(value)
        elif field.message_type is not None:
            getattr(message, field.name).CopyFrom(_value(field, chance, depth))
        else:
            setattr(message, field.name, _value(field, chance, depth))
    return message


def _value(field: FieldDescriptor, chance: random.Random, depth: int) -> Any:
    kind = field.cpp_type
    if kind == FieldDescriptor.CPPTYPE_MESSAGE:
        return wild(field.message_type, chance, depth + 1)
    if kind == FieldDescriptor.CPPTYPE_STRING:
        text = chance.choice((*TEXTS, "a" * 64, "unix:/tmp/x", "127.0.0.1")).replace("\ud800", "?")
        return text.encode() if field.type == FieldDescriptor.TYPE_BYTES else text
    if kind in (FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_FLOAT):
        return float(chance.choice((0, 1, -1, 0.5, float("nan"), float("inf"), 1e300)))
    if kind == FieldDescriptor.CPPTYPE_BOOL:
        return chance.random() < 0.5
    bits = 32 if kind in (FieldDescriptor.CPPTYPE_UINT32, FieldDescriptor.CPPTYPE_INT32) else 64
    number = int(chance.choice(NUMBERS[:20])) % 2**bits
    return (
        number if kind in (FieldDescriptor.CPPTYPE_UINT32, FieldDescriptor.CPPTYPE_UINT64) else number % 2 ** (bits - 1)
    )


async def call(channel: grpc.aio.Channel, method: Any, bodies: list[bytes]) -> grpc.StatusCode | None:
    """The status with which the call was refused; None where it was answered or went on."""
    path = f"/{method.containing_service.full_name}/{method.name}"
    raw: dict[str, Any] = {"request_serializer": bytes, "response_deserializer": bytes}
    try:
        async with asyncio.timeout(4):
            if method.client_streaming:

                async def pieces() -> Any:
                    for body in bodies:
                        yield body

                await channel.stream_unary(path, **raw)(pieces())
            elif method.server_streaming:
                going = channel.unary_stream(path, **raw)(bodies[0], timeout=3)
                async for _ in going:
                    going.cancel()
                    break
            else:
                await channel.unary_unary(path, **raw)(bodies[0], timeout=3)
    except grpc.aio.AioRpcError as error:
        return error.code()
    except (TimeoutError, asyncio.CancelledError):
        return None
    return None


def body(method: Any, chance: random.Random) -> bytes:
    """A message that is likely to be read, one that is damaged, or bytes of no meaning."""
    made = wild(method.input_type, chance).SerializeToString()
    match chance.randrange(4):
        case 0:
            return chance.randbytes(chance.choice((0, 5, 300, MAX_CONTROL_BYTES + 1)))
        case 1:
            return mutated((made,), chance, is_json=False)
        case _:
            return made


@pytest.mark.timeout(180 + 10 * ROUNDS)
async def test_an_agent_survives_every_call(tmp_path: Path) -> None:
    """Printed with -s: which statuses came, and what the agent took."""
    identity = create_identity("wild")
    async with LocalAgents(("local",), identity, folder=tmp_path / "agents") as agents:
        known, process = agents.nodes[0], psutil.Process(agents.process_ids[0])
        credentials = channel_credentials(identity, known.certificate_pem)
        async with grpc.aio.secure_channel(known.address, credentials, options=channel_options()) as channel:
            machine = MachineStub(channel)
            await machine.Describe(agent_pb2.DescribeRequest(), timeout=20)
            before, peak = process.memory_info().rss, 0
            said: Counter[str] = Counter()
            chance = random.Random(SEED)
            for _ in range(ROUNDS):
                calls = [
                    call(channel, method, [body(method, chance) for _ in range(3)])
                    for method in METHODS
                    for _ in range(4)
                ]
                for status in await asyncio.gather(*calls):
                    said[status.name if status else "answered"] += 1
                peak = max(peak, process.memory_info().rss)
                await machine.Describe(agent_pb2.DescribeRequest(), timeout=20)
            print(f"{said.total()} calls: {dict(said)}; the agent grew by {(peak - before) >> 20} MB")
            assert process.is_running()
            assert peak - before < ABOVE_BYTES
            assert said["FAILED_PRECONDITION"] and said["answered"]
            assert not said["UNAVAILABLE"] and not said["UNKNOWN"] and not said["INTERNAL"]
    assert not list((tmp_path / "agents").rglob("passwd"))


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

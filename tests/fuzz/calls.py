"""Calls as a paired controller gone wild would make them, to a real agent."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import psutil
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from app.core.cluster.local_agents import LocalAgents
from shardd.identity import create_identity
from shardd.rpc import agent_pb2, pairing_pb2
from shardd.rpc.agent_pb2_grpc import MachineStub
from shardd.rpc.limits import MAX_CONTROL_BYTES
from shardd.rpc.options import channel_credentials, channel_options
from tests.fuzz.mutate import NUMBERS, TEXTS, mutated

ABOVE_BYTES = 128 << 20  # that an agent may grow by
AT_ONCE = 4  # calls of each method
UNPAIRS = "Unpair"  # would end it, rightly
METHODS = [
    method
    for file in (agent_pb2, pairing_pb2)
    for service in file.DESCRIPTOR.services_by_name.values()
    for method in service.methods
    if method.name != UNPAIRS
]


@dataclass
class Storm:
    """said: how calls ended. grown: bytes that the agent took above its start, at most. left: files it must not make.
    slowest_s: of the answers to Describe after each round."""

    said: Counter[str] = field(default_factory=Counter[str])
    grown: int = 0
    left: list[Path] = field(default_factory=list[Path])
    slowest_s: float = 0.0

    @property
    def problems(self) -> list[str]:
        wrong = [f"{self.said[name]} x {name}" for name in ("UNAVAILABLE", "UNKNOWN", "INTERNAL") if self.said[name]]
        if self.grown >= ABOVE_BYTES:
            wrong.append(f"the agent grew by {self.grown >> 20} MB")
        return [*wrong, *(f"{path} was made" for path in self.left)]

    def __str__(self) -> str:
        return (
            f"{self.said.total():,} calls: {dict(self.said)}; the agent grew by {self.grown >> 20} MB; "
            f"the slowest answer afterwards took {self.slowest_s:.2f} s"
        )


async def storm(folder: Path, seed: int, go_on: Callable[[int], bool]) -> Storm:
    """Rounds of every method at once, while go_on(rounds so far). Raises what Describe raises where the agent died."""
    identity = create_identity("wild")
    chance, seen, rounds = random.Random(seed), Storm(), 0
    async with LocalAgents(("local",), identity, folder=folder) as agents:
        known, process = agents.nodes[0], psutil.Process(agents.process_ids[0])
        credentials = channel_credentials(identity, known.certificate_pem)
        async with grpc.aio.secure_channel(known.address, credentials, options=channel_options()) as channel:
            machine = MachineStub(channel)
            await machine.Describe(agent_pb2.DescribeRequest(), timeout=20)
            before = process.memory_info().rss
            while go_on(rounds):
                rounds += 1
                calls = [
                    call(channel, method, [body(method, chance) for _ in range(3)])
                    for method in METHODS
                    for _ in range(AT_ONCE)
                ]
                for status in await asyncio.gather(*calls):
                    seen.said[status.name if status else "answered"] += 1
                seen.grown = max(seen.grown, process.memory_info().rss - before)
                began = time.monotonic()
                await machine.Describe(agent_pb2.DescribeRequest(), timeout=20)
                seen.slowest_s = max(seen.slowest_s, time.monotonic() - began)
        seen.left = list(folder.rglob("passwd"))
    return seen


def wild(descriptor: Any, chance: random.Random, depth: int = 0) -> Message:
    """A message of this type with values of every kind, likely and impossible."""
    message = GetMessageClass(descriptor)()
    for each in descriptor.fields:
        if chance.random() < 0.25 or depth > 3:
            continue
        if each.is_repeated:
            values = [_value(each, chance, depth) for _ in range(chance.choice((0, 1, 2, 30)))]
            if each.message_type is None:
                getattr(message, each.name).extend(values)
            else:
                for value in values:
                    getattr(message, each.name).add().CopyFrom(value)
        elif each.message_type is not None:
            getattr(message, each.name).CopyFrom(_value(each, chance, depth))
        else:
            setattr(message, each.name, _value(each, chance, depth))
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
                going = channel.unary_stream(path, **raw)(bodies[0], timeout=1)
                async for _ in going:
                    going.cancel()
                    break
            else:
                await channel.unary_unary(path, **raw)(bodies[0], timeout=3)
    except grpc.aio.AioRpcError as error:
        # gRPC's client says so of a refusal that came while it was still writing.
        return grpc.StatusCode.ABORTED if error.details() == "Internal error from Core" else error.code()
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

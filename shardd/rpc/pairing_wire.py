"""Frames of the pairing exchange, the same for both ends. Nothing is parsed before its size is known to be small."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Final, TypeVar

from google.protobuf.message import DecodeError, Message

LARGEST_FRAME: Final = 4096
_PREFIX_BYTES: Final = 2

Received = TypeVar("Received", bound=Message)


class WireError(Exception):
    """The other end does not keep to the exchange, or is gone."""


def pairing_port(port: int) -> int:
    """Where an agent that listens on this port pairs while it shows a code: the next one."""
    return port + 1 if port < 65535 else port - 1


def write_message(writer: asyncio.StreamWriter, message: Message) -> bytes:
    """Queues a message and answers its bytes, which both ends put into what they prove."""
    data = message.SerializeToString()
    assert len(data) <= LARGEST_FRAME
    writer.write(len(data).to_bytes(_PREFIX_BYTES, "big") + data)
    return data


def prologue(hello: bytes, controller_name: str) -> bytes:
    """What was said before the exchange proper, as both ends put it into what they prove."""
    return hello + hashlib.sha256(controller_name.encode()).digest()


async def read_message(reader: asyncio.StreamReader, kind: type[Received]) -> tuple[Received, bytes]:
    """The next message and its bytes. Raises WireError; the caller sets the deadline."""
    try:
        size = int.from_bytes(await reader.readexactly(_PREFIX_BYTES), "big")
        if size > LARGEST_FRAME:
            raise WireError(f"a frame of {size} bytes")
        data = await reader.readexactly(size)
        message = kind()
        message.ParseFromString(data)
    except (asyncio.IncompleteReadError, OSError, DecodeError) as error:
        raise WireError(str(error)) from error
    return message, data

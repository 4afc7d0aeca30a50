"""What a paired controller may ask for at most: checked before memory, disk or another machine is touched."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf.message import DecodeError

from shardd.rpc.options import MAX_CONTROL_BYTES

MAX_CALLS: Final = 128
"""Open calls of one caller: a controller has a few watches and a few pushes."""
MAX_TOKEN_BYTES: Final = 64
MAX_ADDRESSES: Final = 16
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,252}[A-Za-z0-9.])?")


@dataclass(frozen=True, slots=True)
class Unread:
    """Stands for a message that was too large to be read, or could not be."""

    sentence: str


def limited(read: Any, most_bytes: int = MAX_CONTROL_BYTES) -> Callable[[bytes], Any]:
    """As `read`, but an Unread for what is too large (many tiny fields take thirty times their size in memory) or no
    message: an exception here would fill the log with a caller's nonsense."""

    def deserialise(wire: bytes) -> Any:
        if len(wire) > most_bytes:
            return Unread(f"A message of {len(wire)} bytes came; at most {most_bytes} are read.")
        try:
            return read(wire)
        except DecodeError:
            return Unread("The message cannot be read. Update Shardboard and shardd to the same version.")

    return deserialise


def endpoint_problem(addresses: Sequence[str], port: int) -> str | None:
    """Why nobody can be dialled there, or None. Only host names and IP addresses pass: no path, no other scheme."""
    if not 0 < port < 65536:
        return "The port is impossible."
    if not 0 < len(addresses) <= MAX_ADDRESSES:
        return f"From one to {MAX_ADDRESSES} addresses are needed."
    if not all(_is_host(address) for address in addresses):
        return "An address is neither a host name nor an IP address."
    return None


def token_problem(token: bytes) -> str | None:
    """Why a one-time token is none, or None; empty is none at all."""
    return "A token is too long." if len(token) > MAX_TOKEN_BYTES else None


def _is_host(text: str) -> bool:
    if len(text) > 255:
        return False
    if _HOST.fullmatch(text):
        return all(0 < len(label) <= 63 for label in text.removesuffix(".").split("."))
    try:
        ipaddress.IPv6Address(text)  # also with a zone, fe80::1%en0
    except ValueError:
        return False
    return "/" not in text

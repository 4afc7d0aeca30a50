"""HOST:PORT as a person types it."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from app.core.errors import UsageError
from app.core.text import phrase
from shardd.main import DEFAULT_PORT


@dataclass(frozen=True, slots=True)
class Address:
    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(text: str) -> Address:
    """HOST, HOST:PORT, [IPV6]:PORT or a bare IPv6 address. Raises UsageError."""
    text = text.strip()
    host, port_text = text, ""
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        port_text = rest.removeprefix(":")
    elif text.count(":") == 1:
        host, port_text = text.split(":")
    elif text.count(":") > 1:
        try:
            ipaddress.ip_address(text.split("%")[0])
        except ValueError:
            raise _malformed(text) from None
    if not host or any(character.isspace() or character in "/@" for character in host):
        raise _malformed(text)
    if not port_text:
        return Address(host, DEFAULT_PORT)
    if len(port_text) > 5 or not port_text.isascii() or not port_text.isdigit() or not 0 < int(port_text) < 65536:
        raise UsageError(
            phrase('"{port_text}" is not a port.', port_text=port_text), phrase("A port is a number from 1 to 65535.")
        )
    return Address(host, int(port_text))


def _malformed(text: str) -> UsageError:
    return UsageError(
        phrase('"{text}" is not an address.', text=text),
        phrase(
            "Write a host name or an IP address, such as mini-1.local or 10.0.0.7:{default_port}.",
            default_port=DEFAULT_PORT,
        ),
    )

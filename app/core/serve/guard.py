"""Who may talk to the HTTP API: pure rules.

A page in a browser can reach a server on this machine. Host names that are not ours are refused (DNS rebinding), and so
are requests that a page of another origin sends.
"""

from __future__ import annotations

import hmac
import socket
from collections.abc import Sequence
from urllib.parse import urlsplit

LOOPBACK = ("localhost", "127.0.0.1", "::1")


def is_loopback(host: str) -> bool:
    return host in LOOPBACK or host.startswith("127.")


def own_hosts(bound: str) -> frozenset[str]:
    """Names by which this server is rightly called. Beyond loopback also by the machine's own."""
    names = {*LOOPBACK, bound}
    if not is_loopback(bound):
        name = socket.gethostname()
        names |= {name, f"{name.partition('.')[0]}.local"}
    return frozenset(each.lower() for each in names)


def host_allowed(header: str, hosts: frozenset[str], bound: str) -> bool:
    """header: the request's Host. An address is always right where all addresses are bound: it cannot be rebound."""
    name = _host_of(f"//{header}")
    if name in hosts:
        return True
    return bound in ("0.0.0.0", "::") and _is_address(name)


def origin_allowed(header: str | None, hosts: frozenset[str], origins: Sequence[str]) -> bool:
    """header: the request's Origin, None where no browser sent it."""
    if header is None or "*" in origins or header in origins:
        return True
    return _host_of(header) in hosts


def key_allowed(header: str | None, key: str) -> bool:
    """header: the request's Authorization. Compared in constant time."""
    if not key:
        return True
    scheme, _, given = (header or "").partition(" ")
    return scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), key.encode())


def _host_of(address: str) -> str:
    """In lower case; "" where there is none that could be read."""
    try:
        return (urlsplit(address).hostname or "").lower()
    except ValueError:
        return ""


def _is_address(name: str) -> bool:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, name)
        except (OSError, ValueError):
            continue
        return True
    return False

"""Connections that other machines have made to this process, found at the system, for gRPC hands out none of them; and
how many it can bear.
"""

from __future__ import annotations

import ipaddress
import os
import resource
import socket
from collections.abc import Collection
from contextlib import suppress
from typing import Final, TypeAlias
from urllib.parse import unquote

import psutil

Endpoint: TypeAlias = tuple[str, int]

MOST_FILES: Final = 8192


def endpoint_of(peer: str) -> Endpoint | None:
    """Address and port behind what gRPC calls a caller: `ipv4:10.0.0.7:5000`, `ipv6:%5Bfe80::1%25en0%5D:5000`."""
    family, _, rest = unquote(peer).partition(":")
    host, _, port = rest.rpartition(":")
    if family not in ("ipv4", "ipv6") or not port.isdecimal():
        return None
    return _endpoint(host.strip("[]"), int(port))


def hang_up(port: int, but: Collection[Endpoint]) -> int:
    """Ends every connection that came in at a port of this process but these; answers how many there were.

    Whoever reads or writes them here finds them closed by the other end.
    """
    ended = 0
    try:
        connections = psutil.Process().net_connections("tcp")
    except psutil.Error:  # the system does not tell
        return 0
    for each in connections:
        came_in = each.status == psutil.CONN_ESTABLISHED and each.laddr.port == port and each.fd >= 0
        if came_in and _endpoint(*each.raddr) not in but:
            ended += _shut(each.fd, each.raddr.port)
    return ended


def allow_files() -> None:
    """Lets this process and its children have many files and connections open. macOS allows 256 unasked: as many
    connections of a stranger would keep an agent from reading the list of those whom it trusts."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):  # it runs with fewer all the same
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def is_crowded() -> bool:
    """Whether more than half of the files that this process may have open are open."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        return soft != resource.RLIM_INFINITY and len(os.listdir("/dev/fd")) > soft // 2
    except OSError:  # not even one more
        return True


def _shut(descriptor: int, remote_port: int) -> bool:
    try:
        with socket.socket(fileno=os.dup(descriptor)) as connection:
            if connection.getpeername()[1] != remote_port:  # meanwhile the number was given to another
                return False
            connection.shutdown(socket.SHUT_RDWR)
    except (OSError, IndexError):  # or to a socket whose other end has no port
        return False
    return True


def _endpoint(host: str, port: int) -> Endpoint:
    """The same for an IPv4 address and for how IPv6 writes it."""
    address = ipaddress.ip_address(host.partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address), port

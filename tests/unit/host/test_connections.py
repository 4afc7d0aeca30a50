"""Connections of this process, found at the system and ended."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys

import pytest

from shardd.host.connections import Endpoint, endpoint_of, hang_up


@pytest.mark.parametrize(
    ("peer", "endpoint"),
    [
        ("ipv4:10.0.0.7:5000", ("10.0.0.7", 5000)),
        ("ipv6:%5B::1%5D:5000", ("::1", 5000)),
        ("ipv6:[::ffff:10.0.0.7]:5000", ("10.0.0.7", 5000)),
        ("ipv6:%5Bfe80::1%25en0%5D:5000", ("fe80::1", 5000)),
        ("unix:/tmp/socket", None),
        ("ipv4:10.0.0.7", None),
        ("", None),
    ],
)
def test_where_a_caller_is(peer: str, endpoint: Endpoint | None) -> None:
    assert endpoint_of(peer) == endpoint


@pytest.mark.parametrize("host", ["127.0.0.1", "::"], ids=["IPv4", "both"])
def test_only_those_who_are_not_spared_are_ended(host: str) -> None:
    with contextlib.ExitStack() as stack:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = stack.enter_context(socket.create_server((host, 0), family=family, dualstack_ipv6=host == "::"))
        elsewhere = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        port = listener.getsockname()[1]

        def joined(to: socket.socket) -> tuple[socket.socket, socket.socket]:
            near = stack.enter_context(socket.create_connection(("127.0.0.1", to.getsockname()[1]), timeout=60))
            far, _ = to.accept()
            return near, stack.enter_context(far)

        gone, spared, other = joined(listener), joined(listener), joined(elsewhere)
        # Both ends are of this process here; the ends that dialled have another port of their own.
        assert hang_up(port, {spared[0].getsockname()[:2]}) == 1
        assert gone[0].recv(1) == b""
        assert gone[1].recv(1) == b""
        for near, far in (spared, other):
            far.sendall(b"!")
            assert near.recv(1) == b"!"


LIMITED = """
import os, resource, sys
from shardd.host.connections import allow_files, is_crowded
soft, hard, opened = map(int, sys.argv[1:])
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
allow_files()
kept = [os.open(os.devnull, os.O_RDONLY) for _ in range(opened)]
print(resource.getrlimit(resource.RLIMIT_NOFILE)[0], is_crowded())
"""


@pytest.mark.parametrize(
    ("soft", "hard", "opened", "said"),
    [(64, 256, 0, "256 False"), (64, 256, 120, "256 False"), (64, 256, 140, "256 True"), (200, 200, 110, "200 True")],
)
def test_how_many_files_are_allowed_and_too_many(soft: int, hard: int, opened: int, said: str) -> None:
    command = [sys.executable, "-c", LIMITED, str(soft), str(hard), str(opened)]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == said

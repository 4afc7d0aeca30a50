"""Namespaces joined by a switch, where the system allows them; loopback without links to hurt, where it does not."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import struct
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

CLONE_NEWNET, CLONE_NEWNS = 0x40000000, 0x00020000
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
CONTROLLER = 1  # its number in the network; agents follow


class NoNamespaces(Exception):
    """The system does not allow them. The message says why."""


class Network:
    """Machine n is at 10.77.0.n. Made in the main thread of a process that has no other: it moves into a namespace."""

    def __init__(self, agents: int) -> None:
        """Raises NoNamespaces."""
        self.agents = tuple(range(CONTROLLER + 1, CONTROLLER + 1 + agents))
        self._namespaces: dict[int, int] = {}
        devices: dict[int, int] = {}
        try:
            _enter(CLONE_NEWNS)
            for number in (*self.agents, CONTROLLER):  # this process stays in the controller's
                _enter(CLONE_NEWNET)
                devices[number] = _tun(number)
                self._namespaces[number] = os.open("/proc/self/ns/net", os.O_RDONLY)
        except (OSError, subprocess.CalledProcessError) as error:
            raise NoNamespaces(f"No network namespaces here ({error}).") from error
        self._switch = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.switch", *(f"{number}:{fd}" for number, fd in devices.items())],
            stdin=subprocess.PIPE,
            pass_fds=tuple(devices.values()),
        )
        for device in devices.values():
            os.close(device)

    def address(self, number: int) -> str:
        return f"10.77.0.{number}"

    def inside(self, number: int) -> list[str]:
        """What to write before a command that runs on this machine."""
        return ["nsenter", f"--net=/proc/{os.getpid()}/fd/{self._namespaces[number]}"]

    def disk(self, folder: Path, nbytes: int) -> None:
        """A small disk of its own at this folder, gone with this process."""
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={nbytes}", "faults", str(folder)], check=True)

    def shape(self, source: int, target: int, *, cut: bool = False, delay_ms: float = 0.0, loss: float = 0.0) -> None:
        """One direction of one link from now on."""
        assert self._switch.stdin is not None
        order = {"from": source, "to": target, "cut": cut, "delay_ms": delay_ms, "loss": loss}
        self._switch.stdin.write(json.dumps(order).encode() + b"\n")
        self._switch.stdin.flush()

    def heal(self) -> None:
        """Every link is whole."""
        numbers = (CONTROLLER, *self.agents)
        for source in numbers:
            for target in numbers:
                self.shape(source, target)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            if self._switch.stdin:
                self._switch.stdin.close()
        self._switch.wait(10)
        for descriptor in self._namespaces.values():
            os.close(descriptor)


def _enter(kind: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(kind):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    if kind == CLONE_NEWNS:
        _run(["mount", "--make-rprivate", "/"])


def _tun(number: int) -> int:
    import fcntl

    device = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH22x", b"tun0", IFF_TUN | IFF_NO_PI))
    _run(["ip", "link", "set", "lo", "up"])
    _run(["ip", "address", "add", f"10.77.0.{number}/24", "dev", "tun0"])
    _run(["ip", "link", "set", "tun0", "up"])
    return device


def _run(command: Sequence[str]) -> None:
    subprocess.run(command, check=True, capture_output=True)

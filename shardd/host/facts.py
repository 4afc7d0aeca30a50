"""What a machine is: facts that do not change while the agent runs."""

import os
import platform
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import psutil

from shardd.host.cgroup import memory_limit
from shardd.host.darwin import sysctl_text
from shardd.host.names import clean_name

_NAME_DEADLINE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class HostFacts:
    """One machine.

    Attributes:
        name: what its owner calls it, such as "Anna's MacBook Pro".
        chip: such as "Apple M4 Pro".
        os: such as "macOS 15.1".
        memory_total: bytes; less than the machine has where a container limits us.
        cores: logical cores.
    """

    name: str
    chip: str
    os: str
    memory_total: int
    cores: int


def describe_host(name: str | None = None) -> HostFacts:
    """Look at this machine. `name` overrides what the system calls it. May take some milliseconds."""
    total = psutil.virtual_memory().total
    limit = memory_limit()
    return HostFacts(
        name=clean_name(name or "") or computer_name(),
        chip=_chip(),
        os=_system(),
        memory_total=total if limit is None else min(total, limit),
        cores=os.cpu_count() or 1,
    )


def computer_name() -> str:
    """Return what the owner calls this machine; its host name where macOS does not say."""
    name = ""
    if sys.platform == "darwin":
        try:
            command = ["/usr/sbin/scutil", "--get", "ComputerName"]
            answer = subprocess.run(
                command, capture_output=True, timeout=_NAME_DEADLINE_SECONDS, check=False, stdin=subprocess.DEVNULL
            )
            name = clean_name(answer.stdout.decode(errors="replace"))
        except (OSError, subprocess.SubprocessError):
            name = ""
    return name or clean_name(socket.gethostname().removesuffix(".local")) or "computer"


def chip_from_cpuinfo(text: str) -> str | None:
    """Find the processor's name in the text of Linux's /proc/cpuinfo; ARM machines often give none."""
    for line in text.splitlines():
        key, _, value = line.partition(":")
        if key.strip() in ("model name", "Model", "Hardware") and value.strip():
            return clean_name(value)
    return None


def _chip() -> str:
    if sys.platform == "darwin":
        found = sysctl_text("machdep.cpu.brand_string")
    else:
        try:
            found = chip_from_cpuinfo(Path("/proc/cpuinfo").read_text(errors="replace"))
        except OSError:
            found = None
    return found or platform.machine() or "unknown chip"


def _system() -> str:
    if sys.platform == "darwin":
        return f"macOS {platform.mac_ver()[0]}".strip()
    try:
        return clean_name(platform.freedesktop_os_release()["PRETTY_NAME"])
    except (OSError, KeyError):
        return f"{platform.system()} {platform.release()}"

"""`shardd` itself as a process of its own, on loopback: for tests that start agents one by one."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

SHARDD = (sys.executable, "-m", "shardd.main")
RUN = ("run", "--host", "127.0.0.1", "--port", "0", "--data")
STOP_S = 20.0


class Agent:
    """Runs when it is made. ready: what it says of itself. arguments: more of `shardd run`."""

    command: tuple[str, ...] = SHARDD

    def __init__(self, data: Path, *arguments: str, name: str = "mini-7") -> None:
        self.data = data
        self.process = subprocess.Popen(
            [*self.command, *RUN, str(data), "--name", name, "--json", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert self.process.stdout is not None
        self.ready: dict[str, Any] = json.loads(self.process.stdout.readline())
        self.address = f"127.0.0.1:{self.ready['port']}"

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        self.process.communicate(timeout=STOP_S)
        return self.process.returncode


def stop_all(agents: Iterable[Agent]) -> None:
    """Those that still run, side by side."""
    running = [agent for agent in agents if agent.process.poll() is None]
    for agent in running:
        agent.process.terminate()
    for agent in running:
        agent.process.communicate(timeout=STOP_S)


def shardd(*arguments: str, timeout: float = 30) -> subprocess.CompletedProcess[str]:
    """Runs the agent's own command line."""
    return subprocess.run(
        [*SHARDD, *arguments],
        capture_output=True,
        text=True,
        timeout=timeout,
        stdin=subprocess.DEVNULL,
    )


def shown_code(agent: Agent) -> str:
    """A new code, as `shardd pair` shows it."""
    done = shardd("pair", "--json", "--data", str(agent.data))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["code"]


def wrong_code(code: str) -> str:
    return f"{(int(code) + 1) % 1_000_000:06d}"

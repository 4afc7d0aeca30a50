"""The machines of a run: an agent each, with a data folder that outlives it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from pathlib import Path
from typing import Any

import psutil

from shardd.host.paths import disk_free
from tests.faults.network import Network

START_S = 60.0
STOP_S = 20.0
BALLAST = "ballast"


class Machine:
    """One agent. number: of its place in the network."""

    def __init__(self, name: str, number: int, folder: Path, trust: Path, network: Network | None) -> None:
        self.name = name
        self.number = number
        self.folder = folder
        self._trust = trust
        self._network = network
        self._port = 8101 if network else 0
        self._process: asyncio.subprocess.Process | None = None
        self._seen: dict[int, psutil.Process] = {}  # stages, also of agents that are gone
        self.ready: dict[str, Any] = {}

    @property
    def address(self) -> str:
        return f"{self.ready['host']}:{self.ready['port']}"

    async def start(self) -> None:
        host = self._network.address(self.number) if self._network else "127.0.0.1"
        inside = self._network.inside(self.number) if self._network else []
        with (self.folder.parent / f"{self.name}.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *inside, sys.executable, "-m", "shardd.main", "run", "--host", host, "--port", str(self._port),
                "--name", self.name, "--data", str(self.folder / "data"), "--trust", str(self._trust), "--json",
                "--no-announce", "--exit-with-stdin",
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=log, start_new_session=True,
            )  # fmt: skip
        assert self._process.stdout is not None
        line = await asyncio.wait_for(self._process.stdout.readline(), START_S)
        if not line:
            raise RuntimeError(f"the agent of {self.name} did not start; its log says why")
        self.ready = json.loads(line)
        self._port = int(self.ready["port"])

    async def kill(self) -> None:
        self.stages()
        if self._process and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    async def stop(self) -> int:
        """As its owner stops it; the exit code."""
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        return await asyncio.wait_for(self._process.wait(), STOP_S)

    def agent(self) -> list[psutil.Process]:
        """The agent's process, where it runs."""
        if self._process is None or self._process.returncode is not None:
            return []
        with contextlib.suppress(psutil.Error):
            return [psutil.Process(self._process.pid)]
        return []

    def stages(self, *, all_here: bool = False) -> list[psutil.Process]:
        """The processes of its stages. all_here: also those whose agent was killed while they stood still."""
        found: list[psutil.Process] = []
        for agent in self.agent():
            with contextlib.suppress(psutil.Error):
                found = [child for child in agent.children() if "shardd.stage" in " ".join(child.cmdline())]
        self._seen |= {process.pid: process for process in found}
        self._seen = {pid: process for pid, process in self._seen.items() if _lives(process)}
        return list(self._seen.values()) if all_here else found

    def fill_disk(self) -> None:
        with contextlib.suppress(OSError), (self.folder / BALLAST).open("wb") as file:  # full already
            os.posix_fallocate(file.fileno(), 0, disk_free(self.folder))

    def free_disk(self) -> None:
        (self.folder / BALLAST).unlink(missing_ok=True)


def _lives(process: psutil.Process) -> bool:
    """Those that lost their agent become ours, and nobody waits for them: what is left of them does not count."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False

"""Temporary agents on this machine: real processes, real TLS on loopback, gone without a trace at the end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any

from app.core.cluster.node import KnownNode
from app.core.errors import ShardboardError
from shardd.identity import Identity

START_S = 60.0
STOP_S = 8.0


class LocalAgents:
    """An async context: entering starts count agents, leaving stops them and removes their folder.

    Each is paired by handing over certificates: it is started with the controller's, and answers with its own. They
    end with their stdin, so they are gone even when the controller is killed.
    """

    def __init__(self, count: int, identity: Identity, *, prefix: str = "local", memory_limit: str = "") -> None:
        self._names = [f"{prefix}-{number}" for number in range(1, count + 1)]
        self._identity = identity
        self._memory_limit = memory_limit
        self._processes: list[asyncio.subprocess.Process] = []
        self._folder: Path | None = None
        self.nodes: tuple[KnownNode, ...] = ()

    @property
    def process_ids(self) -> tuple[int, ...]:
        return tuple(process.pid for process in self._processes)

    async def __aenter__(self) -> LocalAgents:
        self._folder = Path(tempfile.mkdtemp(prefix="shardboard-"))
        certificate = self._folder / "controller.pem"
        certificate.write_bytes(self._identity.certificate_pem)
        try:
            starts = [self._start(name, self._folder, certificate) for name in self._names]
            self.nodes = tuple(await asyncio.gather(*starts))
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stop()

    async def _start(self, name: str, folder: Path, certificate: Path) -> KnownNode:
        log = folder / f"{name}.log"
        arguments = ["--host", "127.0.0.1", "--port", "0", "--name", name, "--data", str(folder / name)]
        arguments += ["--trust", str(certificate), "--json", "--exit-with-stdin"]
        if self._memory_limit:
            arguments += ["--memory-limit", self._memory_limit]
        with log.open("wb") as log_file:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "shardd.main",
                "run",
                *arguments,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log_file,
                start_new_session=True,  # a Ctrl-C is the controller's to handle
            )
        self._processes.append(process)
        assert process.stdout is not None
        try:
            line = await asyncio.wait_for(process.stdout.readline(), START_S)
            ready: dict[str, Any] = json.loads(line)
        except (TimeoutError, ValueError):
            said = log.read_text(errors="replace").strip().splitlines()
            raise ShardboardError(
                f"The local agent {name} did not start: {said[-1] if said else 'it said nothing'}."
            ) from None
        return KnownNode(name, f"{ready['host']}:{ready['port']}", str(ready["certificate"]).encode(), local=True)

    async def _stop(self) -> None:
        for process in self._processes:
            if process.stdin:
                process.stdin.close()
        for process in self._processes:
            try:
                await asyncio.wait_for(process.wait(), STOP_S)
            except TimeoutError:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        self._processes.clear()
        if self._folder is not None:
            await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)
            self._folder = None

"""Agents on this machine that the controller starts itself: real processes, real TLS on loopback.

Temporary ones are gone without a trace at the end; this machine's own agent keeps its shards.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from app.core.cluster.node import KnownNode
from app.core.errors import ShardboardError
from app.core.text import phrase
from shardd.host import private_directory
from shardd.host.temporary import sweep_temporary, temporary_folder
from shardd.identity import Identity

START_S = 60.0
STOP_S = 8.0


class LocalAgents:
    """An async context: entering starts an agent for each name, leaving stops them.

    folder: where their data stays; None: a temporary one, removed at the end.

    Each is paired by handing over certificates: it is started with the controller's, and answers with its own. They
    end with their stdin, so they are gone even when the controller is killed.
    """

    def __init__(
        self,
        names: Sequence[str],
        identity: Identity,
        *,
        folder: Path | None = None,
        memory_limit: str = "",
        store_limit: int | None = None,
    ) -> None:
        self.names = tuple(names)
        self._identity = identity
        self._temporary = folder is None
        self._folder = folder
        self._memory_limit = memory_limit
        self._store_limit = store_limit
        self._until_stopped = contextlib.ExitStack()
        self._processes: list[asyncio.subprocess.Process] = []
        self.nodes: tuple[KnownNode, ...] = ()

    @property
    def folder(self) -> Path | None:
        """Where their data lies; None before they start and after they end."""
        return self._folder

    @property
    def process_ids(self) -> tuple[int, ...]:
        return tuple(process.pid for process in self._processes)

    async def __aenter__(self) -> LocalAgents:
        sweep_temporary()
        folder = private_directory(self._folder or self._until_stopped.enter_context(temporary_folder("shardboard-")))
        self._folder = folder
        certificate = folder / "controller.pem"
        certificate.write_bytes(self._identity.certificate_pem)
        try:
            starts = [self._start(name, folder, certificate) for name in self.names]
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
        if self._store_limit is not None:
            arguments += ["--store-limit", str(self._store_limit)]
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
                phrase(
                    "The local agent {name} did not start: {said}.",
                    name=name,
                    said=said[-1] if said else phrase("it said nothing"),
                )
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
        if self._temporary and self._folder is not None:
            await asyncio.to_thread(self._until_stopped.close)
            self._folder = None


def numbered(prefix: str, count: int) -> tuple[str, ...]:
    """local-1, local-2 …"""
    return tuple(f"{prefix}-{number}" for number in range(1, count + 1))

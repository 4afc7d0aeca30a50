"""One stage's child process as the agent sees it: orders in, reports out, and word of its end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
from collections import deque
from collections.abc import Callable

from shardd.stage.orders import MAX_LINE_BYTES, Order, Report, Start, report_from, to_line

KEPT_LINES = 20
GOODBYE_S = 3.0

log = logging.getLogger(__name__)


class StageProcess:
    """on_report gets every report; on_exit(return code, last lines of stderr) is called once, after the last report."""

    def __init__(self, on_report: Callable[[Report], None], on_exit: Callable[[int, list[str]], None]) -> None:
        self._on_report = on_report
        self._on_exit = on_exit
        self._lines: deque[str] = deque(maxlen=KEPT_LINES)
        self._process: asyncio.subprocess.Process | None = None
        self._watch: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    async def start(self, order: Start) -> None:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "shardd.stage",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=MAX_LINE_BYTES,
            start_new_session=True,  # a Ctrl-C in the agent's terminal is the agent's to handle
        )
        self._watch = asyncio.create_task(self._follow(self._process), name=f"stage-{self._process.pid}")
        await self.tell(order)

    async def tell(self, order: Order) -> None:
        """Writes an order; an ended process is noticed by on_exit, not here."""
        if self._process and self._process.stdin:
            with contextlib.suppress(ConnectionError):
                self._process.stdin.write(to_line(order))
                await self._process.stdin.drain()

    async def stop(self) -> None:
        """Closes the process's stdin, upon which it ends; kills it where it does not."""
        if self._process is None or self._watch is None:
            return
        if self._process.stdin:
            self._process.stdin.close()
        try:
            await asyncio.wait_for(asyncio.shield(self._watch), GOODBYE_S)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._watch

    async def kill(self) -> None:
        """Ends the process at once."""
        if self._process is None or self._watch is None:
            return
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._watch

    async def _follow(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout and process.stderr
        await asyncio.gather(self._read_reports(process.stdout), self._read_log(process.stderr))
        self._on_exit(await process.wait(), list(self._lines))

    async def _read_reports(self, pipe: asyncio.StreamReader) -> None:
        async for line in pipe:
            try:
                self._on_report(report_from(line))
            except ValueError as error:
                log.warning("a stage reported what cannot be read: %s", error)

    async def _read_log(self, pipe: asyncio.StreamReader) -> None:
        async for line in pipe:
            text = line.decode(errors="replace").rstrip()
            self._lines.append(text)
            log.info("stage %s: %s", self.pid, text)

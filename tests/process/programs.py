"""Controllers in processes of their own (tests/faults/driver.py): several at once, and killed when a test says so."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from app.core.library.models import built_in_model
from tests.agents import Agent
from tests.faults.driver import Order

WAIT_S = 60.0
Story = tuple[list[int], list[int]]
ANY: Story = ([1, 2, 3], list(range(96)))  # where it does not matter what is answered


class Program:
    """Answers without end. It deploys over three of the machines, or takes up what runs. told: its lines so far."""

    def __init__(self, folder: Path, agents: Sequence[Agent], story: Story = ANY) -> None:
        known = [(each.address, each.ready["fingerprint"]) for each in agents]
        order = Order(str(folder), str(built_in_model()), known, 3, 1, 7, 1.0, [story])
        self.told: list[dict[str, Any]] = []
        self._looked = 0
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.driver"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._reader = threading.Thread(target=self._read, name="program", daemon=True)
        self._reader.start()
        self.tell(asdict(order))

    def tell(self, order: object) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()

    async def until(self, happened: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first of its lines, after those that were looked at already, of which this is true."""
        async with asyncio.timeout(WAIT_S):
            while True:
                ended = not self._reader.is_alive()
                while self._looked < len(self.told):
                    self._looked += 1
                    if happened(self.told[self._looked - 1]):
                        return self.told[self._looked - 1]
                assert not ended, f"the program ended by itself: {self.told[-5:]}"
                await asyncio.sleep(0.02)

    def kill(self) -> None:
        self.process.kill()
        self._reader.join()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            assert stream is not None
            stream.close()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.endswith("\n"):
                self.told.append(json.loads(line))


def is_token(told: dict[str, Any]) -> bool:
    return told["kind"] == "token"


def deploys(told: dict[str, Any]) -> bool:
    return told["kind"] == "state" and told["changed"].get("") == "DEPLOYING"

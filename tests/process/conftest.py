"""Real agents as processes on loopback, with real TLS."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from app.core.controller import Controller
from app.core.generation.request import GenerationRequest, Message, Sampling
from tests.agents import Agent, stop_all
from tests.clusters import deployed
from tests.process.programs import Program

Opener = Callable[..., AbstractAsyncContextManager[Controller]]


@pytest.fixture
def cluster(tmp_path: Path) -> Opener:
    """`async with cluster(model, agents, place=None) as controller`: real agents with the model deployed."""
    return partial(deployed, folder=tmp_path / "controller")


@pytest.fixture
def program() -> Iterator[Callable[..., Program]]:
    """`program(folder, agents)`: a controller in a process of its own."""
    started: list[Program] = []

    def start(*arguments: Any) -> Program:
        started.append(Program(*arguments))
        return started[-1]

    yield start
    for each in started:
        each.kill()


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Callable[..., Agent]]:
    """`agent(*arguments, name="mini-7")` starts one on loopback."""
    started: list[Agent] = []

    def start(*arguments: str, name: str = "mini-7") -> Agent:
        started.append(Agent(tmp_path / f"agent-{len(started)}", *arguments, name=name))
        return started[-1]

    yield start
    stop_all(started)


def chat(text: str, **sampling: Any) -> GenerationRequest:
    return GenerationRequest(messages=(Message("user", text),), sampling=Sampling(**sampling), max_tokens=64)


async def eventually(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    """Waits until a condition that changes by itself holds."""

    async def poll() -> None:
        while not condition():
            await asyncio.sleep(0.02)

    await asyncio.wait_for(poll(), seconds)


@dataclass(frozen=True)
class Finished:
    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        return json.loads(self.out)


def shardboard(*arguments: str, timeout: float = 240) -> Finished:
    """Runs the real command line."""
    done = subprocess.run(
        [sys.executable, "-m", "app.cli.main", *arguments],
        capture_output=True,
        text=True,
        timeout=timeout,
        stdin=subprocess.DEVNULL,
    )
    return Finished(done.returncode, done.stdout, done.stderr)


class Reference:
    """One-process mlx-lm on the same files, in a process of its own."""

    def __init__(self, directory: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "shardd.model.reference", str(directory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout and self._process.stdout.readline().strip() == "ready"

    def run(self, prompt: Sequence[int], max_tokens: int) -> dict[str, Any]:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps({"prompt": list(prompt), "max_tokens": max_tokens}) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


@pytest.fixture
def reference() -> Any:
    """`reference(directory)`: closed at the end of the test."""
    opened: list[Reference] = []

    def open_reference(directory: Path) -> Reference:
        opened.append(Reference(directory))
        return opened[-1]

    yield open_reference
    for each in opened:
        each.close()

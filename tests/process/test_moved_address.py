"""A machine that gets another address in the middle of an answer: what it has loaded is of use as it is."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from app.core.controller import Controller
from app.core.generation.request import GenerationRequest, GenerationResult, TokenEvent
from app.core.library.models import built_in_model
from app.core.paths import controller_paths
from app.core.placement.placement import even_split
from app.core.snapshot import NodeState
from shardd.stage.orders import PipelineOptions
from tests.clusters import ask
from tests.process.conftest import eventually

STORY = GenerationRequest(prompt="Once", max_tokens=60, ignore_end=True)


class Way:
    """A port that leads to another one until it is closed."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._writers: list[asyncio.StreamWriter] = []
        self._server: asyncio.Server | None = None

    async def open(self) -> str:
        self._server = await asyncio.start_server(self._lead, "127.0.0.1", 0)
        return f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def close(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()

    async def _lead(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._writers += [writer, far_writer]
        with contextlib.suppress(OSError):
            await asyncio.gather(_copy(reader, far_writer), _copy(far_reader, writer))


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1 << 16):
        writer.write(data)
        await writer.drain()
    writer.close()


@contextlib.asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Controller]:
    controller = Controller(controller_paths(folder), discover=False, options=PipelineOptions(layer_delay_ms=2.0))
    try:
        await controller.start()
        yield controller
    finally:
        await controller.close()


@pytest.mark.in_turn
async def test_an_answer_goes_on_at_the_new_address(agent: Any, tmp_path: Path) -> None:
    async with opened(tmp_path / "controller") as controller:
        trust = ("--trust", str(controller.paths.identity / "certificate.pem"), "--no-announce")
        running = agent(*trust, "--host", "0.0.0.0")
        former, there = Way(running.ready["port"]), f"127.0.0.2:{running.ready['port']}"
        await controller.add_node(await former.open(), running.ready["fingerprint"])
        await controller.wait_ready(60)
        await controller.choose_model(str(built_in_model()))
        await controller.deploy(even_split(("mini-7",), 12), 512)
        plain, before, machine = await ask(controller, STORY), controller.deployment, controller.nodes["mini-7"]
        tokens, result = 0, None
        async for update in controller.generate(STORY):
            tokens += isinstance(update, TokenEvent)
            if isinstance(update, TokenEvent) and tokens == 10:
                await former.close()
                await eventually(lambda: machine.state is NodeState.LOST, 60)
                machine.may_be_at(there)  # as it is announced
            if isinstance(update, GenerationResult):
                result = update
        assert result is not None and result.token_ids == plain.token_ids, result
        assert machine.known.address == there
        assert any(entry.message == f"It is at {there} now." for entry in controller.activity())
        after = controller.deployment
        assert before is not None and after is not None
        assert (after.epoch, after.stages) == (before.epoch, before.stages), "it was not loaded again"

"""Settings take effect: on what placements may use, on the API inside the app, on window and command line alike."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from app.cli.main import main
from app.core.controller import Controller
from app.core.errors import ShardboardError
from app.core.library.models import BUILT_IN
from app.core.paths import controller_paths
from app.core.placement.placement import even_split
from app.core.serve.desk import ApiState
from app.core.settings.store import read_settings, write_change
from app.core.starting import deploy_balanced
from tests.process.conftest import eventually

GB = 1_000_000_000


def controller_on(folder: Path, *agents: str) -> Controller:
    return Controller(controller_paths(folder), local_agents=agents, known_nodes=False, discover=False)


@pytest.fixture
async def idle(tmp_path: Path) -> AsyncIterator[Controller]:
    """A controller without machines."""
    controller = controller_on(tmp_path / "controller")
    await controller.start()
    yield controller
    await controller.close()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


async def ask(address: str, path: str = "/v1/models", key: str = "") -> int:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    async with httpx2.AsyncClient(headers=headers, timeout=30) as client:
        return (await client.get(f"{address}{path}")).status_code


async def answers_with(address: str, code: int, key: str = "", seconds: float = 30) -> None:
    """Once the API has started again."""
    async with asyncio.timeout(seconds):
        while True:
            try:
                if await ask(address, key=key) == code:
                    return
            except httpx2.TransportError:
                pass
            await asyncio.sleep(0.02)


# -- memory and context ------------------------------------------------------------------------------------------------


async def test_what_is_kept_free_is_not_placed_on_and_a_first_deployment(tmp_path: Path) -> None:
    controller = controller_on(tmp_path / "controller", "mini-1", "mini-2")
    try:
        await controller.start()
        await controller.wait_ready()
        first, second = controller.snapshot().nodes
        assert first.memory and second.memory
        await controller.settings.reserve("mini-1", first.memory.total)
        changed, same = controller.snapshot().nodes
        assert changed.memory and changed.memory.shard_available == 0 and changed.memory.reserved == first.memory.total
        assert same.memory and same.memory.shard_available > 0 and same.memory.reserved == 0

        await controller.choose_model(BUILT_IN)
        placement = even_split(("mini-1", "mini-2"), 12)
        with pytest.raises(ShardboardError, match="mini-1 lacks"):
            await controller.deploy(placement, 1024)
        await controller.settings.change(default_context=768)
        await deploy_balanced(controller, BUILT_IN)  # over the machine that is left
        view = controller.snapshot().deployment
        assert view.placement and view.placement.nodes == ("mini-2",) and view.context_tokens == 768

        await controller.settings.reserve("mini-2", second.memory.total)
        with pytest.raises(ShardboardError, match="are missing"):
            await deploy_balanced(controller, BUILT_IN)
        assert controller.snapshot().deployment.placement == view.placement  # what answers goes on
    finally:
        await controller.close()


async def test_no_machine_to_deploy_on(idle: Controller) -> None:
    with pytest.raises(ShardboardError, match="No machine is ready"):
        await deploy_balanced(idle, BUILT_IN)


async def test_downloads_go_where_the_settings_say(tmp_path: Path) -> None:
    elsewhere = tmp_path / "disk"
    paths = controller_paths(tmp_path / "controller")
    write_change(paths.preferences, {"downloads_folder": str(elsewhere)})
    assert Controller(paths, discover=False).library.root == paths.models  # a disk that is not there
    elsewhere.mkdir()
    assert Controller(paths, discover=False).library.root == elsewhere


# -- the API -----------------------------------------------------------------------------------------------------------


async def test_the_api_runs_inside_the_app(idle: Controller) -> None:
    api, port = idle.api, free_port()
    await idle.settings.change(api_port=port)
    await api.start_with_app()
    assert api.view.state is ApiState.STOPPED  # nobody asked for it
    await api.start()
    assert api.view.state is ApiState.RUNNING and api.view.address == f"http://127.0.0.1:{port}"
    address = api.view.address
    assert await ask(address) == 200 and await ask(address, "/health") == 503
    await api.start()  # again: goes on
    assert api.view.address == address

    for key in ("one", "two", "three", "secret"):  # in force at once, and the last one in the end
        await idle.settings.change(api_key=key)
    await answers_with(address, 401)  # until then the one without a key may still listen, and take any key
    await answers_with(address, 200, "secret")
    assert await ask(address) == 401

    await idle.settings.change(api_with_app=True)
    await api.stop()
    assert api.view.state is ApiState.STOPPED
    with pytest.raises(httpx2.ConnectError):
        await ask(address, key="secret")
    await api.start_with_app()
    assert api.view.state is ApiState.RUNNING
    assert any("The API runs at" in entry.message for entry in idle.activity())


async def test_why_the_api_does_not_run(idle: Controller) -> None:
    api = idle.api
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        await idle.settings.change(api_port=port)
        await api.start()
        assert api.view.state is ApiState.FAILED and f"127.0.0.1:{port} cannot be listened on" in api.view.text
        assert "--" not in api.view.text  # words for a window, not for a command line
        await idle.settings.change(api_port=(other := free_port()))  # tried again by itself
        await eventually(lambda: api.view.state is ApiState.RUNNING, 60)
        assert api.view.address.endswith(str(other))
    await idle.settings.change(api_host="0.0.0.0")
    await eventually(lambda: api.view.state is ApiState.FAILED, 60)
    assert "without a key" in api.view.text
    await idle.settings.change(api_key="secret")
    await eventually(lambda: api.view.state is ApiState.RUNNING, 60)
    assert "0.0.0.0" not in api.view.address  # by an address that others can use


async def test_the_api_ends_with_the_app(tmp_path: Path) -> None:
    controller = controller_on(tmp_path / "controller")
    await controller.start()
    await controller.settings.change(api_port=free_port())
    seen: list[ApiState] = []

    async def follow() -> None:
        async for view in controller.api.watch():
            seen.append(view.state)

    following = asyncio.create_task(follow())
    await controller.api.start()
    address = controller.api.view.address
    await eventually(lambda: ApiState.RUNNING in seen, 60)
    await controller.close()
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    with pytest.raises(httpx2.ConnectError):
        await ask(address)


# -- the command line --------------------------------------------------------------------------------------------------


def test_the_command_line_reads_and_writes_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*arguments: str) -> tuple[int, str, str]:
        code = main(arguments)
        return code, *capsys.readouterr()

    data = tmp_path / "data"
    monkeypatch.setenv("SHARDBOARD_DATA", str(data))
    file = controller_paths(data).preferences
    write_change(file, {"default_context": 512, "api_key": "secret"})
    told: dict[str, Any] = json.loads(run("settings", "--json")[1])
    assert told["default_context"] == 512 and told["api_key"] is True and "secret" not in json.dumps(told)
    assert run("settings", "memory_reserves", "mini-1=2GB") == (0, "memory_reserves = mini-1=2 GB\n", "")
    assert read_settings(file).settings.reserve_of("mini-1") == 2 * GB
    assert read_settings(file).settings.api_key == "secret"
    code, _, error = run("settings", "api_port", "0")
    assert code == 2 and "api_port is not between 1 and 65,535." in error
    usual, more = (
        json.loads(run("plan", BUILT_IN, "--node", "a=1GB", "--json", *context)[1])["stages"][0]["kv_bytes"]
        for context in ((), ("--context", "1024"))
    )
    assert 2 * usual == more
    file.write_text("{")
    code, out, error = run("settings", "default_context")
    assert code == 0 and out == "default_context = 4096\n" and "could not be read" in error

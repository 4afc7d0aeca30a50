"""The file of settings: written whole, read when damaged, shared by two programs."""

from __future__ import annotations

import asyncio
import json
import stat
from pathlib import Path

import pytest

from app.core.errors import ShardboardError
from app.core.paths import controller_paths
from app.core.settings.settings import Settings
from app.core.settings.store import SettingsDesk, first_start_due, read_settings, write_change
from app.core.settings.updates import NO_ADDRESS, version_report
from tests.made_up_nodes import node


def test_none_yet(tmp_path: Path) -> None:
    found = read_settings(tmp_path / "settings.json")
    assert found.settings == Settings() and not found.problem


def test_only_its_owner_reads_it(tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    write_change(file, {"api_key": "secret"})
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert json.loads(file.read_text()) == {"api_key": "secret"}
    assert [each.name for each in tmp_path.iterdir()] == ["settings.json"]


@pytest.mark.parametrize(
    "damage", [b"", b"{", b"\xff\xfe", b"[]", b"7", b"[" * 100_000, b'{"a": 1' + b" " * (1 << 20) + b"}"]
)
def test_damaged(tmp_path: Path, damage: bytes) -> None:
    file = tmp_path / "settings.json"
    file.write_bytes(damage)
    found = read_settings(file)
    assert found.settings == Settings() and found.damaged and "The usual ones are in force." in found.problem
    assert file.read_bytes() == damage  # reading changes nothing
    write_change(file, {"default_context": 8192})
    assert read_settings(file).settings.default_context == 8192 and not read_settings(file).problem
    assert (tmp_path / "settings.json.damaged").read_bytes() == damage


def test_a_wrong_value_is_told_and_the_rest_holds(tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    file.write_text('{"appearance": "pink", "api_port": 9000, "later": {"x": 1}}')
    found = read_settings(file)
    assert found.settings.api_port == 9000 and "appearance" in found.problem and not found.damaged
    write_change(file, {"appearance": "dark"})
    assert json.loads(file.read_text()) == {"appearance": "dark", "api_port": 9000, "later": {"x": 1}}


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(ShardboardError, match="could not be written"):
        write_change(tmp_path / "gone" / "settings.json", {"api_port": 9000})


async def test_desk(tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    told: list[Settings] = []
    desk = SettingsDesk(file, told.append)
    views = desk.watch()
    assert (await anext(views)).settings == Settings()
    await desk.change(default_context=8192)
    assert (await anext(views)).settings.default_context == 8192
    assert [each.default_context for each in told] == [8192]
    write_change(file, {"api_port": 9000})  # another program
    await asyncio.gather(desk.reserve("a", 5), desk.reserve("b", 7))
    assert desk.now.memory_reserves == {"a": 5, "b": 7} and desk.now.api_port == 9000
    await desk.reserve("a", 0)
    assert desk.now.memory_reserves == {"b": 7} and desk.now.reserve_of("a") == 0
    with pytest.raises(ShardboardError):
        await desk.change(default_context=1)
    assert desk.now.default_context == 8192 == read_settings(file).settings.default_context
    await views.aclose()  # type: ignore[attr-defined]


def test_when_the_first_start_is_due(tmp_path: Path) -> None:
    paths = controller_paths(tmp_path / "data")
    assert first_start_due(paths)
    paths.nodes.write_text("{}")
    assert not first_start_due(paths)
    paths.nodes.unlink()
    write_change(paths.preferences, {"first_start_done": True})
    assert not first_start_due(paths)


@pytest.mark.parametrize(
    ("versions", "expected"),
    [
        ({}, "This is Shardboard 0.1.0."),
        ({"a": "0.1.0"}, "This is Shardboard 0.1.0, and every machine runs the same version."),
        (
            {"a": "0.0.9", "b": "0.1.0"},
            "This is Shardboard 0.1.0; a runs shardd 0.0.9. Install the same version on all",
        ),
        ({"a": "", "b": "0.1.0"}, "Not heard from: a."),
    ],
)
def test_what_can_be_said_of_updates(versions: dict[str, str], expected: str) -> None:
    nodes = [node(name, versions={"shardd": version}) for name, version in versions.items()]
    told = " ".join(version_report("0.1.0", nodes))
    assert expected in told and told.endswith(NO_ADDRESS)

"""Models on this disk: where they are found, what they are called, and how a name becomes a folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from app.core.errors import ShardboardError
from app.core.library import models
from app.core.library.models import (
    BUILT_IN,
    FoundModel,
    built_in_model,
    find_models,
    resolve_model,
    resources_directory,
)


def put(directory: Path, size: int = 100, *, config: bool = True) -> Path:
    directory.mkdir(parents=True)
    if config:
        (directory / "config.json").write_text("{}")
    if size:
        (directory / "model.safetensors").write_bytes(bytes(size))
    return directory


@pytest.fixture(autouse=True)
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home, without the built-in model."""
    for name in ("HF_HOME", "HF_HUB_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(models, "resources_directory", lambda: tmp_path / "resources")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def snapshot(hub: Path, repository: str, revision: str, size: int = 100) -> Path:
    return put(hub / f"models--{repository.replace('/', '--')}" / "snapshots" / revision, size)


def test_nothing_is_found_on_an_empty_disk(disk: Path) -> None:
    assert find_models([disk / "missing"]) == ()


def test_every_usual_place_is_looked_at(disk: Path) -> None:
    built_in = put(disk / "resources" / "models" / BUILT_IN, 5)
    hub = snapshot(disk / ".cache" / "huggingface" / "hub", "Qwen/Qwen3-4B", "abc", 40)
    studio = put(disk / ".lmstudio" / "models" / "mlx-community" / "Llama-3.2-3B-4bit", 30)
    own = put(disk / "mine" / "Zephyr", 20)
    assert find_models([disk / "mine"]) == (
        FoundModel("Llama-3.2-3B-4bit", studio, 30, "LM Studio"),
        FoundModel("Qwen/Qwen3-4B", hub, 40, "Hugging Face cache"),
        FoundModel(BUILT_IN, built_in, 5, "built-in"),
        FoundModel("Zephyr", own, 20, "folder"),
    )
    assert find_models([own]) == find_models([disk / "mine"])


@pytest.mark.parametrize(
    ("variables", "hub"),
    [
        ({}, ".cache/huggingface/hub"),
        ({"XDG_CACHE_HOME": "{home}/xdg"}, "xdg/huggingface/hub"),
        ({"HF_HOME": "{home}/hf"}, "hf/hub"),
        ({"HF_HOME": "~/hf"}, "hf/hub"),
        ({"HF_HOME": "{home}/hf", "HF_HUB_CACHE": "{home}/cache"}, "cache"),
    ],
)
def test_the_hub_cache_is_where_its_client_has_it(
    disk: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], hub: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value.format(home=disk))
    snapshot(disk / hub, "a/b", "1")
    assert [model.name for model in find_models()] == ["a/b"]


@pytest.mark.parametrize("main", ["111", "222"])
def test_of_two_revisions_the_main_one_counts(disk: Path, main: str) -> None:
    hub = disk / ".cache" / "huggingface" / "hub"
    for revision in ("111", "222"):
        snapshot(hub, "a/b", revision)
    refs = hub / "models--a--b" / "refs"
    refs.mkdir()
    (refs / "main").write_text(f"{main}\n")
    assert [model.directory.name for model in find_models()] == [main]


def test_what_is_no_model_is_passed_over(disk: Path) -> None:
    folder = disk / "mine"
    put(folder / "no weights", 0)
    put(folder / "no config", config=False)
    (folder / "a file").write_text("")
    torn = put(folder / "torn link")
    (torn / "model-2.safetensors").symlink_to(disk / "gone")
    hub = disk / ".cache" / "huggingface" / "hub"
    put(hub / "datasets--a--b" / "snapshots" / "1")
    (hub / "models--empty").mkdir()
    (hub / "version.txt").write_text("1")
    assert find_models([folder, folder / "a file"]) == ()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_closed_folder_is_passed_over(disk: Path) -> None:
    (disk / "closed").mkdir(mode=0)
    assert find_models([disk / "closed"]) == ()


def test_a_name_or_a_folder_becomes_a_directory(disk: Path) -> None:
    built_in = put(disk / "resources" / "models" / BUILT_IN)
    hub = snapshot(disk / ".cache" / "huggingface" / "hub", "Qwen/Qwen3-4B", "abc")
    own = put(disk / "mine" / "Zephyr")
    assert resolve_model(BUILT_IN) == resolve_model("built-in") == built_in
    assert resolve_model("Qwen/Qwen3-4B") == resolve_model("Qwen3-4B") == hub
    assert resolve_model("Zephyr", [disk / "mine"]) == own
    assert resolve_model(str(own)) == resolve_model("mine/Zephyr") == resolve_model("~/mine/Zephyr") == own


@pytest.mark.parametrize(
    ("wanted", "cause", "remedy"),
    [
        ("qwen3", 'There is no model "qwen3" here.', "Qwen/Qwen3-4B"),
        ("shardbord-tiny", 'There is no model "shardbord-tiny" here.', BUILT_IN),
        ("", 'There is no model "" here.', "Name a folder, or one of: Qwen/Qwen3-4B, shardboard-tiny."),
        ("~nobody-here/x", "There is no model", "Name a folder"),
        ("/nowhere/at/all", "/nowhere/at/all does not exist.", "Name the folder"),
        ("{home}/empty", "{home}/empty is not a model: it has no config.json.", "config.json"),
        ("{home}/hollow", "{home}/hollow is not a model: it has no weights (*.safetensors).", "*.safetensors"),
        ("{home}/hollow/config.json", "is a file, not a folder.", "Name the folder"),
    ],
)
def test_what_cannot_be_resolved_is_told_in_words(disk: Path, wanted: str, cause: str, remedy: str) -> None:
    put(disk / "resources" / "models" / BUILT_IN)
    snapshot(disk / ".cache" / "huggingface" / "hub", "Qwen/Qwen3-4B", "abc")
    (disk / "empty").mkdir()
    put(disk / "hollow", 0)
    with pytest.raises(ShardboardError) as caught:
        resolve_model(wanted.format(home=disk))
    assert cause.format(home=disk) in caught.value.cause and remedy in caught.value.remedy


def test_without_any_model_the_sentence_still_stands() -> None:
    with pytest.raises(ShardboardError) as caught:
        resolve_model("built-in")
    assert str(caught.value) == 'There is no model "built-in" here.'


def test_the_programs_own_data_is_in_the_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert (resources_directory() / "icons").is_dir()
    assert built_in_model().parent.parent == resources_directory()

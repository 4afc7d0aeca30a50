"""A hub on loopback with a small model on it, and a place for downloads."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.core.library.models import built_in_model
from tests.hub.server import LoopbackHub

REPO = "mlx-community/Shardboard-Tiny"


@pytest.fixture
def hub() -> Iterator[LoopbackHub]:
    with LoopbackHub() as running:
        yield running


@pytest.fixture
def repository(hub: LoopbackHub, tmp_path: Path) -> Path:
    """The built-in model as a repository, its folder to be changed at will; with files that nobody needs."""
    folder = tmp_path / "upstream"
    shutil.copytree(built_in_model(), folder)
    (folder / "pytorch_model.bin").write_bytes(b"never" * 50_000)
    (folder / "modeling.py").write_text("raise SystemExit")
    hub.add_repository(REPO, folder, downloads=7)
    return folder


@pytest.fixture
def environment(hub: LoopbackHub, tmp_path: Path) -> dict[str, str]:
    """For a command line of its own: our hub, nothing of the user's."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING"))}
    return {
        **inherited,
        "HF_ENDPOINT": hub.endpoint,
        "HF_HOME": str(tmp_path / "hf"),
        "HOME": str(tmp_path / "home"),
        "SHARDBOARD_DATA": str(tmp_path / "data"),
        "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
    }


Command = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def command(environment: dict[str, str]) -> Iterator[Command]:
    """`command("models", "pull", …)`: the real command line, running."""
    running: list[subprocess.Popen[str]] = []

    def start(*arguments: str, **variables: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "app.cli.main", *arguments],
            env=environment | variables,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        return process

    yield start
    for process in running:
        process.kill()
        process.communicate()

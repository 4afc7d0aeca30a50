"""The real window's Models page on a real controller, with a hub on loopback."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.core.controller import Controller
from app.core.library import download as downloading
from app.core.library.models import built_in_model
from app.core.paths import ControllerPaths, controller_paths
from app.ui.main import opened
from app.ui.models import ModelsPage
from app.ui.window import MainWindow
from tests.hub.server import LoopbackHub

REPO = "mlx-community/Shardboard-Tiny"
OTHER = "somebody/tiny-shardboard-4bit"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[LoopbackHub]:
    """With the built-in model under two names; the other one is gated."""
    for name, value in (
        ("SEGMENT_BYTES", 1 << 20),
        ("PIECE_BYTES", 1 << 16),
        ("PAUSES_S", (0.05,)),
        ("SPARE_BYTES", 0),
    ):
        monkeypatch.setattr(downloading, name, value)
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    folder = tmp_path / "upstream"
    shutil.copytree(built_in_model(), folder)
    with LoopbackHub() as running:
        running.add_repository(REPO, folder, downloads=7)
        running.add_repository(OTHER, folder, gated=True, downloads=100)
        monkeypatch.setenv("HF_ENDPOINT", running.endpoint)
        yield running


@pytest.fixture
def paths(tmp_path: Path) -> ControllerPaths:
    return controller_paths(tmp_path / "controller")


@pytest.fixture
def open_window(qtbot: QtBot, qapp: QApplication, paths: ControllerPaths):  # type: ignore[no-untyped-def]
    """`with open_window() as window`: the whole program, started as often as wanted on the same data."""

    def begin(*agents: str, mode: str = "dark"):  # type: ignore[no-untyped-def]
        return opened(
            qapp,
            lambda: Controller(paths, local_agents=agents, discover=False, known_nodes=False),
            paths,
            "Shardboard",
            mode=mode,
        )

    return begin


def show_models(qtbot: QtBot, window: MainWindow) -> ModelsPage:
    """The page, once the disk was looked at."""
    window.show()
    window.go("Models")
    qtbot.waitUntil(lambda: window.models.view.looked, timeout=20_000)
    return window.models

"""The real window's Models page on a real controller, with a hub on loopback."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from app.core.library import download as downloading
from app.core.library.models import built_in_model
from app.ui.models.page import ModelsPage
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


def show_models(qtbot: QtBot, window: MainWindow) -> ModelsPage:
    """The page, once the disk was looked at."""
    window.show()
    window.go("Models")
    qtbot.waitUntil(lambda: window.models.view.looked)
    return window.models

"""The real window on a real controller of its own data."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot
from pytestqt.wait_signal import SignalBlocker

from app.core.controller import Controller
from app.core.paths import ControllerPaths, controller_paths
from app.ui.main import opened
from app.ui.window import MainWindow

OpenWindow = Callable[..., AbstractContextManager[MainWindow]]
PATIENCE_MS = 60_000  # for what is not expected to last, on a machine that does other things as well


class PatientBot(QtBot):
    """Waits for what will come as long as a busy machine may need."""

    def waitUntil(self, callback: Callable[[], bool | None], *, timeout: int = PATIENCE_MS) -> None:
        super().waitUntil(callback, timeout=timeout)

    def waitSignal(self, signal: Any, *, timeout: int = PATIENCE_MS, **how: Any) -> SignalBlocker:
        return super().waitSignal(signal, timeout=timeout, **how)


@pytest.fixture
def qtbot(qapp: QApplication, request: pytest.FixtureRequest) -> QtBot:
    return PatientBot(request)


@pytest.fixture
def paths(tmp_path: Path) -> ControllerPaths:
    return controller_paths(tmp_path / "controller")


@pytest.fixture
def mode() -> str:
    """In which the window opens; "" for what the settings say."""
    return "dark"


@pytest.fixture
def open_window(qapp: QApplication, paths: ControllerPaths, mode: str) -> OpenWindow:
    """`with open_window(*agents) as window`: the whole program, started as often as wanted on the same data."""

    def begin(*agents: str) -> AbstractContextManager[MainWindow]:
        return opened(
            qapp,
            lambda: Controller(paths, local_agents=agents, discover=False, known_nodes=False),
            paths,
            "Shardboard",
            mode=mode,
        )

    return begin

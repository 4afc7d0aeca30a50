from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.core.chat.shelf import Shelf
from app.core.snapshot import Snapshot
from app.ui.bridge import CoreBridge
from app.ui.chat import ChatPane
from app.ui.theme import Theme
from tests.ui.chat.fakes import ScriptedController, Step

Open = Callable[..., tuple[ChatPane, ScriptedController]]


@pytest.fixture(scope="session")
def theme(qapp: QApplication) -> Theme:
    return Theme(qapp, "dark")


@pytest.fixture
def open_chat(qtbot: QtBot, theme: Theme) -> Iterator[Open]:
    """Makes a chat on a scripted controller and shows it."""
    bridges: list[CoreBridge] = []
    panes: list[ChatPane] = []

    def make(
        *scripts: Sequence[Step], snapshot: Snapshot | None = None, shelf: Shelf | None = None, width: int = 420
    ) -> tuple[ChatPane, ScriptedController]:
        controller = ScriptedController(scripts, snapshot)
        bridge = CoreBridge(lambda: controller)
        bridges.append(bridge)
        with qtbot.waitSignal(bridge.ready):
            bridge.start()
        pane = ChatPane(bridge, shelf)
        panes.append(pane)
        pane.resize(width, 720)
        pane.show()
        qtbot.waitExposed(pane)
        return pane, controller

    theme.set_mode("dark")
    yield make
    for bridge in bridges:
        bridge.close()
    for pane in panes:
        pane.close()
        pane.deleteLater()
    QApplication.processEvents()

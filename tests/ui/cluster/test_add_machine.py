"""The Add machine dialog against a real agent: who answers is shown before it is trusted, and why not in words."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.core.controller import Controller
from app.core.paths import controller_paths
from app.core.snapshot import NodeState
from app.ui.bridge import CoreBridge
from app.ui.cluster.add_machine import AddMachineDialog
from app.ui.theme import Theme
from app.ui.words import fingerprint
from tests.process.test_agent import Agent


@pytest.fixture
def opened(qtbot: QtBot, qapp: QApplication, tmp_path: Path) -> Iterator[tuple[AddMachineDialog, CoreBridge, Path]]:
    Theme(qapp, "dark")
    paths = controller_paths(tmp_path / "controller")
    bridge = CoreBridge(lambda: Controller(paths, discover=False))
    with qtbot.waitSignal(bridge.ready):
        bridge.start()
    dialog = AddMachineDialog(bridge)
    dialog.open()
    yield dialog, bridge, paths.identity / "certificate.pem"
    dialog.close()
    bridge.close()
    dialog.deleteLater()
    qapp.processEvents()


def look(qtbot: QtBot, dialog: AddMachineDialog, address: str) -> None:
    dialog.address.setText(address)
    dialog.look_button.click()
    qtbot.waitUntil(lambda: dialog.look_button.isEnabled(), timeout=20_000)


def test_look_compare_add(qtbot: QtBot, opened: tuple[AddMachineDialog, CoreBridge, Path], tmp_path: Path) -> None:
    dialog, bridge, certificate = opened
    assert not dialog.add_button.isEnabled() and dialog.add_button.toolTip() == "Look at an address first."
    look(qtbot, dialog, "127.0.0.1:1")
    assert "Nothing listens at 127.0.0.1:1." in dialog.banner.text

    stranger = Agent(tmp_path / "stranger")
    look(qtbot, dialog, stranger.address)
    assert dialog.fingerprint.text() == fingerprint(stranger.ready["fingerprint"])
    assert not dialog.add_button.isEnabled() and "shardd run --trust" in dialog.add_button.toolTip()
    stranger.stop()

    friend = Agent(tmp_path / "friend", "--trust", str(certificate))
    look(qtbot, dialog, friend.address)
    assert dialog.add_button.isEnabled()
    with qtbot.waitSignal(dialog.accepted, timeout=20_000):
        dialog.add_button.click()
    qtbot.waitUntil(lambda: [n.state for n in bridge.snapshot.nodes] == [NodeState.READY], timeout=20_000)
    friend.stop()

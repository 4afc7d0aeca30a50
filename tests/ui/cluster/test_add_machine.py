"""The Add machine dialog against a real agent: paired by the code that it shows, and why not in words."""

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
from app.ui.cluster.add_machine import CODE_FIRST, AddMachineDialog
from app.ui.theme import Theme
from app.ui.words import short_fingerprint
from tests.agents import Agent, shown_code, wrong_code


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
    qtbot.waitUntil(lambda: dialog.look_button.isEnabled())


def test_pair_by_code(qtbot: QtBot, opened: tuple[AddMachineDialog, CoreBridge, Path], tmp_path: Path) -> None:
    dialog, bridge, _ = opened
    assert not dialog.add_button.isEnabled() and dialog.add_button.toolTip() == "Look at an address first."
    assert not dialog.code.isVisible()
    look(qtbot, dialog, "127.0.0.1:1")
    assert "Nothing listens at 127.0.0.1:1." in dialog.banner.text

    agent = Agent(tmp_path / "agent")
    look(qtbot, dialog, agent.address)
    assert "shardd pair" in dialog.advice.text()  # no code is shown yet
    code = shown_code(agent)
    look(qtbot, dialog, agent.address)
    assert dialog.advice.text() == "Type the code that mini-7 shows."
    assert short_fingerprint(agent.ready["fingerprint"]) in dialog.fingerprints.text()
    assert dialog.code.isVisible() and dialog.add_button.text() == "Pair"
    assert not dialog.add_button.isEnabled() and dialog.add_button.toolTip() == CODE_FIRST

    dialog.code.setText(wrong_code(code))
    dialog.add_button.click()
    qtbot.waitUntil(lambda: "not the code that mini-7 shows. 4 tries are left." in dialog.banner.text)
    assert dialog.add_button.isEnabled()  # to try again

    dialog.code.setText(f"{code[:3]} {code[3:]}")
    with qtbot.waitSignal(dialog.accepted):
        dialog.code.returnPressed.emit()
    qtbot.waitUntil(lambda: [n.state for n in bridge.snapshot.nodes] == [NodeState.READY])
    agent.stop()


def test_add_one_that_knows_us(qtbot: QtBot, opened: tuple[AddMachineDialog, CoreBridge, Path], tmp_path: Path) -> None:
    dialog, bridge, certificate = opened
    friend = Agent(tmp_path / "friend", "--trust", str(certificate))
    look(qtbot, dialog, friend.address)
    assert dialog.add_button.isEnabled() and dialog.add_button.text() == "Add machine" and not dialog.code.isVisible()
    with qtbot.waitSignal(dialog.accepted):
        dialog.add_button.click()
    qtbot.waitUntil(lambda: [n.state for n in bridge.snapshot.nodes] == [NodeState.READY])
    friend.stop()

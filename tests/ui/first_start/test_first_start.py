"""The first start over the real window, by keyboard alone: a machine is paired, a model deployed, and it answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from app.core.cluster.reach_findings import Verdict
from app.core.paths import ControllerPaths
from app.core.snapshot import DeploymentState, DiscoveredAgent, NodeState, Snapshot
from app.ui.first_start import FirstStartDialog, open_first_start, open_reach
from app.ui.first_start.model_step import NOTHING_CHOSEN
from app.ui.window import MainWindow
from tests.agents import Agent, shown_code, wrong_code
from tests.hub.server import LoopbackHub
from tests.ui.conftest import OpenWindow
from tests.ui.models.conftest import OTHER, REPO, hub  # noqa: F401
from tests.ui.walking import nameless, press, tab_to, unexplained, unreachable, write

WAIT_MS = 60_000


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Agent]:
    running = Agent(tmp_path / "agent")
    yield running
    running.stop()


def begin(qtbot: QtBot, window: MainWindow) -> FirstStartDialog:
    window.resize(1024, 700)
    window.show()
    dialog = open_first_start(window, window.bridge, window.settings.chosen, window.go)
    dialog.activateWindow()
    qtbot.waitUntil(lambda: window.bridge.started and dialog.isActiveWindow(), timeout=WAIT_MS)
    return dialog


def seen(paths: ControllerPaths) -> bool:
    return paths.preferences.exists() and json.loads(paths.preferences.read_text()).get("first_start_done") is True


def test_the_whole_of_it_by_keyboard(
    qtbot: QtBot, open_window: OpenWindow, paths: ControllerPaths, agent: Agent
) -> None:
    with open_window("studio") as window:
        dialog = begin(qtbot, window)
        qtbot.waitUntil(lambda: dialog.machine.name.text() == "studio", timeout=WAIT_MS)
        qtbot.waitUntil(lambda: dialog.machine.memory.text() != "", timeout=WAIT_MS)
        assert "is used by other programs" in dialog.machine.state.text()
        assert not dialog.back.isEnabled() and dialog.back.toolTip() == "This is the first step."
        assert not nameless(dialog) and not unexplained(dialog) and not unreachable(dialog)

        tab_to(dialog, dialog.next)
        press(dialog, Qt.Key.Key_Return)
        assert dialog.step == 1 and dialog.others.searching.isVisible()
        code = shown_code(agent)
        tab_to(dialog, dialog.others.address)
        write(dialog, agent.address)
        press(dialog, Qt.Key.Key_Return)
        assert dialog.step == 1  # Return in a field stays there
        row = dialog.others.rows[agent.address]
        qtbot.waitUntil(row.code.hasFocus, timeout=WAIT_MS)
        assert row.says.text() == "Type the code that mini-7 shows."
        assert not row.button.isEnabled() and "six digits that mini-7 shows" in row.button.toolTip()
        assert not nameless(dialog) and not unexplained(dialog)
        tab_to(dialog, row.code)
        write(dialog, wrong_code(code))
        press(dialog, Qt.Key.Key_Return)
        qtbot.waitUntil(lambda: "4 tries are left" in row.says.text(), timeout=WAIT_MS)
        row.code.selectAll()
        write(dialog, f"{code[:3]} {code[3:]}")
        press(dialog, Qt.Key.Key_Return)

        def ready() -> list[str]:
            return [node.name for node in window.bridge.snapshot.nodes if node.state is NodeState.READY]

        qtbot.waitUntil(lambda: ready() == ["studio", "mini-7"], timeout=WAIT_MS)
        qtbot.waitUntil(lambda: not dialog.others.rows, timeout=WAIT_MS)

        tab_to(dialog, dialog.next)
        press(dialog, Qt.Key.Key_Return)
        assert dialog.step == 2 and dialog.next.text() == "Deploy and chat"
        qtbot.waitUntil(lambda: dialog.model.chosen is not None, timeout=WAIT_MS)
        built_in = next(iter(dialog.model.rows.values()))
        qtbot.waitUntil(lambda: built_in.fits is not None, timeout=WAIT_MS)
        assert built_in.fit.text().startswith("Fits: 2 machines")
        assert not nameless(dialog) and not unexplained(dialog) and not unreachable(dialog)
        tab_to(dialog, dialog.next)
        with qtbot.waitSignal(dialog.chat_wanted, timeout=WAIT_MS):
            press(dialog, Qt.Key.Key_Return)
        assert window.place == "Chat"

        def deployed() -> set[str]:
            deployment = window.bridge.snapshot.deployment
            ready = deployment.state is DeploymentState.READY and deployment.placement is not None
            return set(deployment.placement.nodes) if ready else set()  # type: ignore[union-attr]

        qtbot.waitUntil(lambda: deployed() == {"studio", "mini-7"}, timeout=WAIT_MS)
        qtbot.waitUntil(lambda: seen(paths), timeout=WAIT_MS)


def test_skipped_by_escape_and_reached_again(qtbot: QtBot, open_window: OpenWindow, paths: ControllerPaths) -> None:
    with open_window() as window:
        dialog = begin(qtbot, window)
        assert open_first_start(window, window.bridge, window.settings.chosen, window.go) is dialog
        press(dialog, Qt.Key.Key_Escape)
        qtbot.waitUntil(lambda: seen(paths), timeout=WAIT_MS)
        window.first_start()
        again = next(each for each in window.findChildren(FirstStartDialog) if each.isVisible())
        assert again.step == 0
        again.go(2)
        qtbot.waitUntil(lambda: again.model.chosen is not None, timeout=WAIT_MS)
        again.next.click()  # nowhere to deploy it
        qtbot.waitUntil(again.banner.isVisible, timeout=WAIT_MS)
        assert "No machine is ready." in again.banner.text and again.next.text() == "Deploy and chat"
        again.skip.click()


def test_found_machines_come_and_go(qtbot: QtBot, open_window: OpenWindow) -> None:
    with open_window() as window:
        others = begin(qtbot, window).others
        mini = DiscoveredAgent("mini-1", "127.0.0.1:1", "ab", "0.1.0")
        other = DiscoveredAgent("mini-2", "127.0.0.1:2", "cd", "0.1.0")
        others.show_snapshot(Snapshot(discovered=(mini, other)))
        row = others.rows["127.0.0.1:1"]
        assert row.title.text() == "mini-1" and not others.searching.isVisibleTo(others)
        row.button.click()  # one click; nobody is there
        qtbot.waitUntil(lambda: "Nothing listens at 127.0.0.1:1." in row.says.text(), timeout=WAIT_MS)
        assert row.button.isEnabled()
        others.show_snapshot(Snapshot(discovery_problem="Machines cannot be discovered on this network."))
        assert others.searching.text().startswith("Machines cannot be discovered")
        assert others.rows == {"127.0.0.1:1": row}, "what was tried stays to be read"


@pytest.mark.in_turn
def test_a_model_from_the_hub(
    qtbot: QtBot,
    open_window: OpenWindow,
    hub: LoopbackHub,  # noqa: F811
) -> None:
    with open_window("studio") as window:
        dialog = begin(qtbot, window)
        dialog.go(2)
        step = dialog.model
        qtbot.waitUntil(lambda: step.chosen is not None, timeout=WAIT_MS)
        assert not hub.requests  # before anybody searched
        tab_to(dialog, step.words)
        write(dialog, "shardboard")
        press(dialog, Qt.Key.Key_Return)
        qtbot.waitUntil(lambda: REPO in step.found and "first" in step.status.text(), timeout=WAIT_MS)
        qtbot.waitUntil(lambda: step.found[REPO].fit.text().startswith("Fits"), timeout=WAIT_MS)
        gated = step.found[OTHER]
        assert not gated.pull.isEnabled() and "gated" in gated.pull.toolTip()
        tab_to(dialog, step.found[REPO].pull)
        press(dialog, Qt.Key.Key_Space)
        qtbot.waitUntil(lambda: step.chosen is not None and step.chosen.name == REPO, timeout=WAIT_MS)
        assert not nameless(dialog) and not unexplained(dialog)
        for each in step.rows.values():
            each.radio.setAutoExclusive(False)
            step._group.setExclusive(False)
            each.radio.setChecked(False)
        assert not dialog.next.isEnabled() and dialog.next.toolTip() == NOTHING_CHOSEN


@pytest.mark.in_turn
def test_why_a_machine_is_not_seen(qtbot: QtBot, open_window: OpenWindow, agent: Agent) -> None:
    with open_window() as window:
        window.show()
        qtbot.waitUntil(lambda: window.bridge.started, timeout=WAIT_MS)
        dialog = open_reach(window, window.bridge)
        dialog.activateWindow()
        qtbot.waitUntil(lambda: dialog.isActiveWindow() and not dialog.checking, timeout=WAIT_MS)
        assert len(dialog.findings) == 4  # what can be tested without an address
        tab_to(dialog, dialog.address)
        write(dialog, agent.address)
        press(dialog, Qt.Key.Key_Return)
        assert not dialog.check_button.isEnabled() and dialog.check_button.toolTip()
        qtbot.waitUntil(lambda: not dialog.checking, timeout=WAIT_MS)
        found = {finding.check: finding for finding in dialog.findings}
        assert found["Agent's port"].verdict is Verdict.GOOD and found["Pairing"].verdict is Verdict.NOTE
        tab_to(dialog, dialog.address)
        dialog.address.selectAll()
        write(dialog, "127.0.0.1:1")
        press(dialog, Qt.Key.Key_Return)
        qtbot.waitUntil(lambda: not dialog.checking, timeout=WAIT_MS)
        assert "Begin with:" in dialog.status.text()
        dialog.address.setText("two words")
        dialog.check()
        qtbot.waitUntil(lambda: not dialog.checking, timeout=WAIT_MS)
        assert "is not an address" in dialog.banner.text and not dialog.findings
        assert not nameless(dialog) and not unexplained(dialog) and not unreachable(dialog)
        dialog.check()
        press(dialog, Qt.Key.Key_Escape)  # while it checks

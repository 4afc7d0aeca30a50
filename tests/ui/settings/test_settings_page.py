"""The Settings place of the real window: each setting by keyboard, in force at once, and there after a new start."""

from __future__ import annotations

import json
import shutil
import socket
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from app.core.library.models import built_in_model
from app.core.paths import ControllerPaths
from app.core.serve.desk import ApiState
from app.core.settings.store import write_change
from app.core.settings.updates import NO_ADDRESS
from app.ui.settings.api import EVERYWHERE, NOT_RUNNING
from app.ui.settings.page import SettingsPage
from app.ui.window import MainWindow
from tests.ui.conftest import OpenWindow
from tests.ui.walking import nameless, press, tab_to, unexplained, unreachable, write

WAIT_MS = 40_000


@pytest.fixture
def mode() -> str:
    return ""


def show(qtbot: QtBot, window: MainWindow) -> SettingsPage:
    window.resize(1024, 700)
    window.show()
    window.go("Settings")
    window.activateWindow()
    qtbot.waitUntil(lambda: window.bridge.started and window.isActiveWindow(), timeout=WAIT_MS)
    return window.settings


def stored(paths: ControllerPaths) -> dict[str, Any]:
    return json.loads(paths.preferences.read_text()) if paths.preferences.exists() else {}


def test_appearance_by_keyboard_and_again(qtbot: QtBot, open_window: OpenWindow, paths: ControllerPaths) -> None:
    with open_window() as window:
        page = show(qtbot, window)
        tab_to(window, page.appearance.mode)
        write(window, "Light")
        assert window.theme.mode == "light"
        tab_to(window, page.appearance.scale)
        press(window, Qt.Key.Key_Down)
        assert window.theme.scale == pytest.approx(1.1)
        tab_to(window, page.appearance.motion)
        write(window, "Reduced")
        wanted = {"appearance": "light", "text_scale": 1.1, "motion": "reduced"}
        qtbot.waitUntil(lambda: stored(paths) == wanted, timeout=WAIT_MS)
        window.theme.toggle()  # by the menu: the page follows, and it is kept
        assert page.appearance.mode.currentText() == "Dark"
        qtbot.waitUntil(lambda: stored(paths)["appearance"] == "dark", timeout=WAIT_MS)
    with open_window() as again:
        assert again.theme.mode == "dark" and again.theme.scale == pytest.approx(1.1)
        again.theme.set_scale(1.0)
        again.theme.set_mode("system")


def test_memory_and_context(qtbot: QtBot, open_window: OpenWindow, paths: ControllerPaths) -> None:
    with open_window("mini-1") as window:
        page = show(qtbot, window)
        bridge = window.bridge

        def memory():  # type: ignore[no-untyped-def]
            return bridge.snapshot.nodes[0].memory if bridge.snapshot.nodes else None

        qtbot.waitUntil(lambda: memory() is not None, timeout=WAIT_MS)
        qtbot.waitUntil(lambda: "mini-1" in page.memory.rows, timeout=WAIT_MS)
        row = page.memory.rows["mini-1"]
        assert "can hold models just now" in row.left.text()
        tab_to(window, row.spin)
        row.spin.selectAll()
        write(window, "1.5")
        press(window, Qt.Key.Key_Tab)
        qtbot.waitUntil(lambda: memory().reserved == 1_500_000_000, timeout=WAIT_MS)
        assert stored(paths)["memory_reserves"] == {"mini-1": 1_500_000_000}

        bridge.run(lambda controller: controller.choose_model("built-in"))
        qtbot.waitUntil(lambda: window.cluster.draft is not None, timeout=WAIT_MS)
        tab_to(window, page.memory.context)
        press(window, Qt.Key.Key_Down)  # 2,048 is what the built-in model was made for: the board shows less only below
        press(window, Qt.Key.Key_Down)
        qtbot.waitUntil(lambda: stored(paths).get("default_context") == 1024, timeout=WAIT_MS)
        qtbot.waitUntil(lambda: window.cluster.draft.now.context == 1024, timeout=WAIT_MS)  # type: ignore[union-attr]
        assert not nameless(page) and not unexplained(page)


def test_api(qtbot: QtBot, open_window: OpenWindow, paths: ControllerPaths) -> None:
    taken = socket.create_server(("127.0.0.1", 0))
    port = taken.getsockname()[1]
    write_change(paths.preferences, {"api_port": port})
    with open_window() as window:
        page = show(qtbot, window)
        api = page.api
        assert api.port.value() == port and api.view.state is ApiState.STOPPED
        assert not api.copy_curl.isEnabled() and api.copy_curl.toolTip() == NOT_RUNNING

        tab_to(window, api.switch)
        press(window, Qt.Key.Key_Space)
        qtbot.waitUntil(lambda: api.view.state is ApiState.FAILED, timeout=WAIT_MS)
        assert f"127.0.0.1:{port} cannot be listened on" in api.text.text()
        taken.close()
        api.switch.click()
        qtbot.waitUntil(lambda: api.view.state is ApiState.RUNNING, timeout=WAIT_MS)
        assert "It answers once a model is deployed." in api.text.text()

        tab_to(window, api.new_key)
        press(window, Qt.Key.Key_Space)
        qtbot.waitUntil(lambda: bool(page.chosen.now.api_key) and api.switch.isEnabled(), timeout=WAIT_MS)
        qtbot.waitUntil(lambda: api.view.state is ApiState.RUNNING, timeout=WAIT_MS)
        api.copy_curl.click()
        assert f"http://127.0.0.1:{port}/v1/chat/completions" in QGuiApplication.clipboard().text()
        assert page.chosen.now.api_key in QGuiApplication.clipboard().text() and "key" in api.copied.text()
        api.copy_client.click()
        assert f"OPENAI_BASE_URL=http://127.0.0.1:{port}/v1" in QGuiApplication.clipboard().text()
        tab_to(window, api.show_key)
        press(window, Qt.Key.Key_Space)
        assert api.key.displayText() == page.chosen.now.api_key

        tab_to(window, api.with_app)
        press(window, Qt.Key.Key_Space)
        qtbot.waitUntil(lambda: stored(paths).get("api_with_app") is True, timeout=WAIT_MS)
        api.switch.click()
        qtbot.waitUntil(lambda: api.view.state is ApiState.STOPPED, timeout=WAIT_MS)


def test_the_api_for_others_needs_a_key(qtbot: QtBot, open_window: OpenWindow, paths: ControllerPaths) -> None:
    with open_window() as window:
        api = show(qtbot, window).api
        tab_to(window, api.who)
        write(window, "All")
        qtbot.waitUntil(lambda: stored(paths).get("api_host") == EVERYWHERE, timeout=WAIT_MS)
        qtbot.waitUntil(lambda: not api.switch.isEnabled(), timeout=WAIT_MS)
        assert "without a key" in api.switch.toolTip() and "without a key" in api.text.text()
        tab_to(window, api.key)
        write(window, "two words")  # a header cannot hold this
        press(window, Qt.Key.Key_Return)
        qtbot.waitUntil(lambda: window.settings.banner.isVisible(), timeout=WAIT_MS)
        assert "api_key has a space" in window.settings.banner.text and api.key.text() == ""
        write(window, "secret")
        press(window, Qt.Key.Key_Return)
        qtbot.waitUntil(api.switch.isEnabled, timeout=WAIT_MS)


@pytest.mark.in_turn
def test_folders(qtbot: QtBot, open_window: OpenWindow, paths: ControllerPaths, tmp_path: Path) -> None:
    shutil.copytree(built_in_model(), tmp_path / "mine" / "some-model")
    with open_window() as window:
        folders = show(qtbot, window).folders
        assert folders.downloads.text.text() == str(paths.models) and not folders.reset.isEnabled()
        folders.add_folder(str(tmp_path / "mine"))
        qtbot.waitUntil(lambda: tmp_path / "mine" in folders.rows, timeout=WAIT_MS)
        folders.add_folder(str(tmp_path / "nothing"))
        qtbot.waitUntil(lambda: "is not a folder" in window.settings.banner.text, timeout=WAIT_MS)
        folders.forget(tmp_path / "mine")
        qtbot.waitUntil(lambda: not folders.rows, timeout=WAIT_MS)
        assert (tmp_path / "mine" / "some-model" / "config.json").exists()
        folders.move_downloads(str(tmp_path))
        qtbot.waitUntil(lambda: folders.downloads.text.text() == str(tmp_path), timeout=WAIT_MS)
        assert folders.later.isVisible() and str(paths.models) in folders.later.text()
    with open_window() as again:
        folders = show(qtbot, again).folders
        qtbot.waitUntil(lambda: not folders.later.isVisible(), timeout=WAIT_MS)
        folders.reset.click()
        qtbot.waitUntil(lambda: stored(paths).get("downloads_folder") is None, timeout=WAIT_MS)


def test_a_damaged_file_is_told(qtbot: QtBot, open_window: OpenWindow, paths: ControllerPaths) -> None:
    paths.preferences.write_text("{")
    with open_window() as window:
        page = show(qtbot, window)
        assert "could not be read" in page.banner.text and page.banner.isVisible()
        assert any("could not be read" in entry.message for entry in window.bridge.activity)


def test_every_control_is_reached_named_and_explained(qtbot: QtBot, open_window: OpenWindow) -> None:
    with open_window() as window:
        page = show(qtbot, window)
        assert not unreachable(page) and not nameless(page) and not unexplained(page)
        page.about.check.click()
        assert NO_ADDRESS in page.about.answer.text()
        dialog = page.hub.enter_token()
        assert dialog.isVisible()
        dialog.reject()
        QTest.qWait(0)

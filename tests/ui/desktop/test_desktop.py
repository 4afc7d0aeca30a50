"""The window on its desktop: menus, the page of shortcuts, tray, notices, text size, and what it remembers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QEvent, QEventLoop, QPoint, QRect, Qt
from PySide6.QtGui import QGuiApplication, QKeyEvent, QKeySequence
from PySide6.QtWidgets import QApplication, QMenu, QPlainTextEdit
from pytestqt.qtbot import QtBot

from app.core.controller import Controller
from app.core.paths import ControllerPaths
from app.core.snapshot import DeploymentState, DeploymentView, Level, Snapshot
from app.ui.chat.rich import RichView
from app.ui.desktop.commands import COMMANDS
from app.ui.desktop.motion import motion_reduced
from app.ui.desktop.notices import Notice
from app.ui.desktop.security_page import SecurityDialog
from app.ui.desktop.shortcuts_page import ShortcutsDialog
from app.ui.desktop.state import keep_on_screen
from app.ui.desktop.tray import Tray, tray_exists
from app.ui.main import opened
from app.ui.theme import TEXT
from app.ui.window import MainWindow


@pytest.fixture
def paths(tmp_path: Path) -> ControllerPaths:
    return ControllerPaths(tmp_path)


@pytest.fixture(scope="module")
def shared_window(qapp: QApplication, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MainWindow]:
    """With a controller that knows no machine."""
    paths = ControllerPaths(tmp_path_factory.mktemp("controller"))
    with opened(qapp, lambda: Controller(paths, known_nodes=False), paths, "Shardboard", mode="dark") as shown:
        shown.resize(1440, 900)
        shown.show()
        yield shown


@pytest.fixture
def window(shared_window: MainWindow, qtbot: QtBot) -> Iterator[MainWindow]:
    qtbot.waitUntil(lambda: shared_window.bridge.started)
    yield shared_window
    shared_window.theme.set_mode("dark")
    shared_window.theme.set_scale(1.0)


def test_each_command_has_its_menu_and_says_why_it_cannot(window: MainWindow) -> None:
    actions = window.desktop.menus.actions
    assert list(actions) == [each.name for each in COMMANDS]
    for menu in window.menuBar().findChildren(QMenu):
        menu.aboutToShow.emit()
    assert not actions["deploy"].isEnabled() and actions["deploy"].toolTip() != actions["deploy"].text()
    assert actions["undeploy"].toolTip() == "Nothing is deployed."
    assert not actions["stop"].isEnabled() and actions["stop"].toolTip()
    for menu in window.menuBar().findChildren(QMenu):
        menu.aboutToHide.emit()
    assert all(action.isEnabled() for action in actions.values()), "keys of a disabled action are dead"
    assert actions["about"].menuRole() == actions["about"].MenuRole.AboutRole
    assert actions["preferences"].menuRole() == actions["preferences"].MenuRole.PreferencesRole
    assert actions["quit"].menuRole() == actions["quit"].MenuRole.QuitRole
    assert actions["go_settings"].menuRole() == actions["go_settings"].MenuRole.NoRole


def test_fields_leave_our_shortcuts_alone(qtbot: QtBot) -> None:
    """A text field takes the keys of its own editing before a menu sees them: ours must not be among those."""
    field = QPlainTextEdit("words")
    qtbot.addWidget(field)
    own = {"undo", "redo", "cut", "copy", "paste", "select_all"}
    taken = set()
    for command in COMMANDS:
        for keys in command.keys:
            pressed = QKeySequence(keys)[0]
            event = QKeyEvent(QEvent.Type.ShortcutOverride, pressed.key(), pressed.keyboardModifiers())
            event.ignore()
            QApplication.sendEvent(field, event)
            if event.isAccepted() and keys != "?":  # that is a letter in a field, as it should be
                taken.add(command.name)
    assert taken <= own, taken - own


def test_the_page_of_shortcuts_finds_one(window: MainWindow) -> None:
    page = ShortcutsDialog(window)
    page.show()
    page.search.setText("deploy")
    shown = [text for text, widgets in page.lines if widgets[0].isVisibleTo(page)]
    assert shown and all("deploy" in text for text in shown)
    page.search.setText("nothing has these words")
    assert page.nothing.isVisibleTo(page)
    page.close()


def test_text_grows_everywhere_and_at_once(window: MainWindow) -> None:
    before = window.side_bar.buttons["Cluster"].fontMetrics().height(), window.menuBar().height()
    assert TEXT.body == 13
    window.theme.set_scale(2.0)
    QApplication.processEvents()
    assert (TEXT.body, TEXT.small, window.theme.scale) == (26, 24, 2.0)
    assert window.side_bar.buttons["Cluster"].fontMetrics().height() > 1.8 * before[0]
    assert window.cluster.activity.fontMetrics().height() > 1.8 * before[0]
    window.theme.set_scale(9.0)
    assert window.theme.scale == 2.0
    window.theme.set_scale(0.1)
    assert window.theme.scale == 0.8
    window.desktop.menus.actions["usual_size"].trigger()
    assert window.theme.scale == 1.0


def test_light_and_dark_follow_the_system(window: MainWindow) -> None:
    window.theme.set_mode("system")
    hints = QGuiApplication.styleHints()
    for scheme, name in ((Qt.ColorScheme.Light, "light"), (Qt.ColorScheme.Dark, "dark")):
        if hints.colorScheme() != scheme:
            hints.setColorScheme(scheme)
            QApplication.processEvents()
        if hints.colorScheme() == scheme:  # a platform that knows schemes
            assert window.theme.tokens.name == name


def test_the_place_and_the_splitter_are_remembered(qapp: QApplication, paths: ControllerPaths, qtbot: QtBot) -> None:
    def factory() -> Controller:
        return Controller(paths, known_nodes=False)

    with opened(qapp, factory, paths, "Shardboard") as first:
        first.show()
        first.go("Cluster")
        first.resize(1440, 650)
        handle = first.splitter.handle(1)
        middle = handle.rect().center()
        qtbot.mousePress(handle, Qt.MouseButton.LeftButton, pos=middle)
        qtbot.mouseMove(handle, QPoint(middle.x() - 90, middle.y()))
        qtbot.mouseRelease(handle, Qt.MouseButton.LeftButton, pos=QPoint(middle.x() - 90, middle.y()))
        width = first.chat.width()
        first.go("Models")  # where the chat is hidden
        first.resize(960, 650)  # Qt itself keeps a larger one within the screen
        qtbot.waitUntil(lambda: first.bridge.started)
    with opened(qapp, factory, paths, "Shardboard") as second:
        assert second.place == "Models"
        assert second.size().toTuple() == (960, 650)
        second.resize(1440, 650)
        second.show()
        second.go("Cluster")
        assert second.chat.width() == width
        qtbot.waitUntil(lambda: second.bridge.started)


@pytest.mark.parametrize(
    "damage", [b"\x00\xff not a file", b"[General]\ngeometry=@ByteArray(x)\nplace=Nowhere\nsplitter=3\n"]
)
def test_a_damaged_memory_is_as_good_as_none(
    qapp: QApplication, paths: ControllerPaths, qtbot: QtBot, damage: bytes
) -> None:
    paths.settings.write_bytes(damage)
    with opened(qapp, lambda: Controller(paths, known_nodes=False), paths, "Shardboard") as window:
        assert window.place == "Cluster"
        assert window.size().toTuple() == (1440, 900)
        qtbot.waitUntil(lambda: window.bridge.started)


def test_a_window_far_away_comes_back(window: MainWindow) -> None:
    window.move(9000, 9000)
    keep_on_screen(window)
    assert window.screen().availableGeometry().intersects(QRect(window.frameGeometry()))


def test_the_tray_tells_the_state(window: MainWindow) -> None:
    assert (window.desktop.tray is not None) == tray_exists()
    tray = Tray(window)
    assert tray.state.text() == "No machine yet"
    running = DeploymentView(DeploymentState.READY, "tiny runs on 3 machines.", 1, "tiny", None, 1)
    tray.show_snapshot(Snapshot(deployment=running))
    assert "tiny runs on 3 machines." in tray.icon.toolTip() and tray.model.text() == running.text
    assert not tray.icon.icon().isNull()
    tray.menu.aboutToShow.emit()
    assert not tray.stop_action.isEnabled()
    tray.hide()


@pytest.mark.parametrize("looked_at", [True, False])
def test_notices_go_to_the_activity_always_and_to_the_system_behind_other_windows(
    window: MainWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, looked_at: bool
) -> None:
    shown: list[Notice] = []
    window.desktop.notifier.wanted.connect(shown.append)
    monkeypatch.setattr(window.desktop.notifier, "_looked_at", lambda: looked_at)
    window.desktop.notifier.tell(Notice("A download has finished", "o/one is here.", place="Models"))
    written = "A download has finished: o/one is here."
    qtbot.waitUntil(lambda: any(e.message == written for e in window.bridge.activity))
    assert [entry.level for entry in window.bridge.activity if entry.message == written] == [Level.INFO]
    assert len(shown) == (0 if looked_at else 1)


def test_motion_of_the_settings_is_in_force(window: MainWindow, qtbot: QtBot) -> None:
    assert not motion_reduced()
    window.bridge.run(lambda controller: controller.settings.change(motion="reduced"))
    qtbot.waitUntil(motion_reduced)
    assert not QApplication.isEffectEnabled(Qt.UIEffect.UI_AnimateMenu)
    window.bridge.run(lambda controller: controller.settings.change(motion="full"))
    qtbot.waitUntil(lambda: not motion_reduced())


def test_every_menu_line_can_be_chosen(window: MainWindow, monkeypatch: pytest.MonkeyPatch) -> None:
    """None fails where nothing is deployed and nothing written. What opens a system's file window is left out."""
    monkeypatch.setattr(window.chat.files, "choose_import", lambda: None)
    left_out = {"import_chat", "close", "quit", "minimize", "full_screen", "zoom"}
    for name, action in window.desktop.menus.actions.items():
        if name not in left_out:
            action.trigger()
            QApplication.processEvents()
            for dialog in QApplication.topLevelWidgets():
                if dialog is not window and dialog.isVisible():
                    dialog.close()


def test_the_page_of_security_is_shown(window: MainWindow) -> None:
    window.desktop.menus.actions["security"].trigger()
    (page,) = window.findChildren(SecurityDialog)
    pauses = QEventLoop()
    page.view.caught_up.connect(pauses.quit)
    if page.view.behind:
        pauses.exec()
    shown = " ".join(view.toPlainText() for view in page.view.findChildren(RichView))
    assert "What is protected, against whom, and what is not" in shown and "Not protected" in shown
    page.close()

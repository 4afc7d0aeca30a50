"""Every widget of every page and dialog of the real window: reached by the Tab key, named, with a role."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent
from PySide6.QtWidgets import QApplication, QGridLayout, QLineEdit, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from app.cli.window import demo_controller, deploy_built_in
from app.core.paths import ControllerPaths
from app.core.snapshot import ActivityEntry, DeploymentState, Level
from app.ui.desktop.announcer import Announcer, gathered
from app.ui.main import opened
from app.ui.window import MainWindow
from shardd.host import private_directory
from tests.ui import audit
from tests.ui.scenes import pause, scenes

WAIT_MS = 90_000


@pytest.fixture(scope="module")
def window(qapp: QApplication) -> Iterator[MainWindow]:
    """The demo with two machines, a model on them, and an answer in the chat."""
    with tempfile.TemporaryDirectory() as folder:
        paths = ControllerPaths(private_directory(Path(folder) / "controller"))
        with opened(qapp, lambda: demo_controller(paths, 2), paths, "Shardboard", deploy_built_in, "dark") as shown:
            shown.resize(1440, 900)
            shown.show()
            shown.activateWindow()
            _until(lambda: shown.bridge.snapshot.deployment.state is DeploymentState.READY)
            shown.chat.send("What is a shard?")
            _until(lambda: bool(shown.chat.conversation.turns) and not shown.chat.writing)
            yield shown


def _until(condition: Callable[[], bool]) -> None:
    for _ in range(WAIT_MS // 30):
        if condition():
            return
        pause(30)
    raise AssertionError("the window did not come so far")


def test_every_widget_of_every_page_and_dialog(window: MainWindow, qtbot: QtBot) -> None:
    found: list[str] = []
    names: list[str] = []
    for name, top, _close in scenes(window):
        names.append(name)
        for what, look in (
            ("has no name", audit.nameless),
            ("has no role", audit.without_role),
            ("is grey and does not say why", audit.grey_without_reason),
            ("is not reached by Tab", audit.out_of_reach),
        ):
            found += [f"{name}: {what}: {each}" for each in sorted(set(look(top)))]
    assert len(names) >= 19
    assert not found, "\n" + "\n".join(found)


def test_tab_leaves_the_side_bar_and_comes_back(window: MainWindow, qtbot: QtBot) -> None:
    window.go("Cluster")
    window.side_bar.focus_place()
    stops = audit.tab_stops(window)
    places = list(window.side_bar.buttons.values())
    assert set(places) <= set(stops)
    assert len(set(stops) - set(places)) > 8


def test_arrows_walk_the_side_bar(window: MainWindow, qtbot: QtBot) -> None:
    window.go("Cluster")
    window.side_bar.focus_place()
    for place in ("Models", "Chat", "Settings", "Cluster"):
        qtbot.keyClick(window.focusWidget(), Qt.Key.Key_Down)
        assert window.focusWidget() is window.side_bar.buttons[place]
    qtbot.keyClick(window.focusWidget(), Qt.Key.Key_Up)
    qtbot.keyClick(window.focusWidget(), Qt.Key.Key_Space)
    assert window.place == "Settings"


def test_what_ends_is_said_and_written_down(window: MainWindow, qtbot: QtBot) -> None:
    """An answer's end reaches the activity, and from there the screen reader."""
    said: list[str] = []
    window.desktop.announcer.said.connect(lambda text, _interrupts: said.append(text))
    window.go("Chat")
    window.chat.send("What is a stage?")
    _until(lambda: any("An answer is finished" in text for text in said))
    assert any("An answer is finished: “What is a shard?”" in entry.message for entry in window.bridge.activity)


@pytest.mark.parametrize(
    ("waiting", "expected"),
    [
        ([("One.", False)], ("One.", False)),
        ([("One.", False), ("Two.", True)], ("Two. One.", True)),
        (
            [(f"{n}.", False) for n in range(5)],
            ("2. 3. 4. And 2 more in the activity.", False),
        ),
        ([(f"E{n}.", True) for n in range(5)], ("E0. E1. E2. And 2 more in the activity.", True)),
    ],
)
def test_what_happens_at_once_is_said_at_once(waiting: list[tuple[str, bool]], expected: tuple[str, bool]) -> None:
    assert gathered(waiting) == expected


def test_an_error_interrupts(qtbot: QtBot) -> None:
    events: list[tuple[str, QAccessible.AnnouncementPoliteness]] = []

    def hear(event: object) -> None:
        assert isinstance(event, QAccessibleAnnouncementEvent)
        events.append((event.message(), event.politeness()))

    widget = QWidget()
    qtbot.addWidget(widget)
    announcer = Announcer(widget, hear)
    announcer.say_entry(ActivityEntry(1, 0.0, Level.INFO, "mini-1", "Ready."))
    announcer.flush()
    announcer.say_entry(ActivityEntry(2, 0.0, Level.ERROR, "mini-2", "It ran out of memory."))
    announcer.flush()
    polite, assertive = QAccessible.AnnouncementPoliteness.Polite, QAccessible.AnnouncementPoliteness.Assertive
    assert events == [("mini-1: Ready.", polite), ("Error. mini-2: It ran out of memory.", assertive)]


def test_the_walk_finds_what_is_wrong(qtbot: QtBot) -> None:
    """The audit itself: a nameless field, a thing without a role, a button that Tab passes, a silent grey one."""
    top = QWidget()
    layout = QGridLayout(top)
    field, painted, passed, grey = QLineEdit(), QWidget(), QPushButton("Passed"), QPushButton("Grey")
    painted.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    painted.setAccessibleName("Painted")
    passed.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
    grey.setEnabled(False)
    for widget in (field, painted, passed, grey, QPushButton("Good")):
        layout.addWidget(widget)
    qtbot.addWidget(top)
    top.show()
    qtbot.waitExposed(top)
    assert [len(audit.nameless(top)), len(audit.without_role(top)), len(audit.grey_without_reason(top))] == [1, 1, 1]
    assert [line for line in audit.out_of_reach(top) if "Passed" in line] and len(audit.out_of_reach(top)) == 1

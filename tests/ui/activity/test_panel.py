"""The activity log: lines, filters, scrolling, with real clicks."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication, QPushButton
from pytestqt.qtbot import QtBot

from app.core.controller import Controller
from app.core.snapshot import ActivityEntry, Level
from app.ui.activity import ActivityPanel
from app.ui.activity.lines import line, wanted
from app.ui.bridge import CoreBridge
from app.ui.theme import Theme


def entry(number: int, level: Level = Level.INFO, node: str = "studio-a", message: str = "") -> ActivityEntry:
    return ActivityEntry(number, 1_700_000_000.0 + number, level, node, message or f"entry {number}")


@pytest.fixture
def bridge(qapp: QApplication) -> CoreBridge:
    """Never started: the tests put the entries in."""
    Theme(qapp, "dark")
    return CoreBridge(Controller)


@pytest.fixture
def panel(qtbot: QtBot, bridge: CoreBridge) -> ActivityPanel:
    made = ActivityPanel(bridge)
    qtbot.addWidget(made)
    made.resize(520, 200)
    made.show()
    qtbot.waitExposed(made)
    return made


def log(bridge: CoreBridge, *entries: ActivityEntry) -> None:
    for one in entries:
        bridge.activity.append(one)
        bridge.activity_added.emit(one)


def press(qtbot: QtBot, panel: ActivityPanel, text: str) -> None:
    button = next(button for button in panel.findChildren(QPushButton) if button.text() == text)
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


@pytest.mark.parametrize(
    ("level", "node", "message", "end"),
    [
        (Level.INFO, "studio-a", "ready", "  studio-a      ready"),
        (Level.WARNING, "air-kit", "memory pressure", "  air-kit       warning: memory pressure"),
        (Level.ERROR, "", "boom", "                error: boom"),
        (Level.INFO, "a-very-long-machine", "x", "  a-very-long…  x"),
    ],
)
def test_line(level: Level, node: str, message: str, end: str) -> None:
    text = line(entry(1, level, node, message))
    assert text[8:] == end and text[2] == text[5] == ":"


def test_wanted() -> None:
    entries = [entry(1), entry(2, Level.WARNING), entry(3, Level.ERROR), entry(4)]
    assert [e.number for e in wanted(entries, False, 0)] == [1, 2, 3, 4]
    assert [e.number for e in wanted(entries, True, 0)] == [2, 3]
    assert [e.number for e in wanted(entries, False, 2)] == [3, 4]


def test_filters_clear_and_copy(qtbot: QtBot, bridge: CoreBridge, panel: ActivityPanel) -> None:
    assert panel.text.toPlainText() == "" and panel.text.placeholderText()
    log(bridge, entry(1), entry(2, Level.WARNING), entry(3))
    assert panel.text.document().blockCount() == 3
    press(qtbot, panel, "Warnings")
    assert panel.text.toPlainText().endswith("warning: entry 2") and panel.text.document().blockCount() == 1
    log(bridge, entry(4), entry(5, Level.ERROR))
    assert panel.text.document().blockCount() == 2
    press(qtbot, panel, "Copy")
    assert QGuiApplication.clipboard().text() == panel.text.toPlainText()
    press(qtbot, panel, "All")
    assert panel.text.document().blockCount() == 5
    press(qtbot, panel, "Clear")
    assert panel.text.toPlainText() == "" and len(bridge.activity) == 5
    log(bridge, entry(6))
    assert panel.text.toPlainText().endswith("entry 6") and panel.text.document().blockCount() == 1


def test_it_follows_the_end_unless_scrolled_up(qtbot: QtBot, bridge: CoreBridge, panel: ActivityPanel) -> None:
    log(bridge, *(entry(number) for number in range(1, 200)))
    bar = panel.text.verticalScrollBar()
    assert bar.maximum() > 0 and bar.value() == bar.maximum()
    for height in (400, 160):
        panel.resize(520, height)
        qtbot.waitUntil(lambda: bar.value() == bar.maximum() > 0)
    panel.text.setFocus()
    bar.triggerAction(bar.SliderAction.SliderPageStepSub)
    at = bar.value()
    log(bridge, entry(200), entry(201))
    assert bar.value() == at < bar.maximum()


def test_what_does_not_fit_a_line_stands_below_its_own_words(bridge: CoreBridge, panel: ActivityPanel) -> None:
    log(bridge, entry(1, message="word " * 60))
    layout = panel.text.document().firstBlock().layout()
    document = panel.text.document().documentLayout()
    begins = [document.blockBoundingRect(panel.text.document().firstBlock()).x()]
    begins += [layout.lineAt(number).x() for number in range(layout.lineCount())]
    assert layout.lineCount() > 2 and begins[2] == begins[3] > begins[1]


def test_it_is_bounded(bridge: CoreBridge, panel: ActivityPanel) -> None:
    log(bridge, *(entry(number) for number in range(1, 1300)))
    assert panel.text.document().blockCount() == 1000
    assert panel.text.toPlainText().endswith("entry 1299")


def test_foreign_text_is_plain(bridge: CoreBridge, panel: ActivityPanel) -> None:
    log(bridge, entry(1, message="<b>hi</b>"))
    assert "<b>hi</b>" in panel.text.toPlainText()


def test_wanted_by_machine_and_words() -> None:
    entries = [
        entry(1, node="mini-1", message="Sending a shard"),
        entry(2, Level.ERROR, "mini-2", "the shard is damaged"),
        entry(3, node="", message="Deployed"),
    ]
    assert [e.number for e in wanted(entries, False, 0, "mini-1")] == [1]
    assert [e.number for e in wanted(entries, False, 0, "", "SHARD")] == [1, 2]
    assert [e.number for e in wanted(entries, False, 0, "", "shard error")] == [2]
    assert [e.number for e in wanted(entries, True, 0, "mini-1")] == []


def test_one_machine_with_words_saved_to_a_file(
    qtbot: QtBot, bridge: CoreBridge, panel: ActivityPanel, tmp_path: Path
) -> None:
    log(bridge, entry(1, node="mini-1"), entry(2, Level.WARNING, "mini-2", "two\nlines"), entry(3, node="mini-2"))
    panel.show_machines(("mini-1", "mini-2"))
    panel.machine.setFocus()
    qtbot.keyClick(panel.machine, Qt.Key.Key_End)
    panel.machine.activated.emit(panel.machine.currentIndex())
    assert panel.node == "mini-2" and [each.number for each in panel.shown()] == [2, 3]
    qtbot.keyClicks(panel.search, "two")
    assert panel.text.document().blockCount() == 1 and "two" in panel.text.toPlainText()
    panel.save(tmp_path / "log.txt")
    day, node, level, message = (tmp_path / "log.txt").read_text().rstrip("\n").split("\t")
    assert day.startswith("2023-11-1") and (node, level, message) == ("mini-2", "warning", "two lines")
    assert "Saved as" in panel.banner.text
    panel.save(tmp_path / "none" / "log.txt")
    assert "could not be written" in panel.banner.text
    panel.search.setText("nothing of the kind")
    assert panel.text.toPlainText() == "" and panel.text.placeholderText() == "Nothing of that is in the activity."
    panel.show_only("mini-9")  # gone meanwhile
    assert panel.node == "mini-9" and panel.search.text() == ""

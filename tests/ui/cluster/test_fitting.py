"""Everything finds its place: rows that break, grids on large screens, boundaries that are moved by keys."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import shiboken6
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QApplication, QLabel, QScrollArea, QToolButton, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from app.core.controller import Controller
from app.core.paths import controller_paths
from app.ui.bridge import CoreBridge
from app.ui.cluster.links_panel import LinkCanvas
from app.ui.theme import Theme
from app.ui.widgets import FittedSplitter, FlowRow, PaneSplitter, SearchField, SteadyButton, page_scroll
from app.ui.widgets.grid import columns_for
from app.ui.widgets.search_field import CLEARS
from app.ui.window import PLACES, MainWindow
from tests.ui.cluster.made_up import cluster

THREE = ("studio-a", "mini-1", "mini-2")


def sized(width: int) -> QLabel:
    made = QLabel()
    made.setFixedSize(width, 20)
    return made


@pytest.mark.parametrize(
    ("width", "at_end", "places"),
    [
        (340, False, [(0, 0), (110, 0), (240, 0)]),  # the spring takes what is left before the last one
        (310, False, [(0, 0), (110, 0), (210, 0)]),
        (309, False, [(0, 0), (110, 0), (0, 30)]),
        (309, True, [(0, 0), (110, 0), (209, 30)]),
        (120, False, [(0, 0), (0, 30), (0, 60)]),
    ],
)
def test_a_row_breaks_where_there_is_no_room(
    qtbot: QtBot, width: int, at_end: bool, places: list[tuple[int, int]]
) -> None:
    holder = QWidget()
    qtbot.addWidget(holder)
    row = FlowRow(10, at_end, holder)
    labels = [sized(100), sized(90), sized(100)]
    row.add(labels[0])
    row.add(labels[1])
    row.spring()
    row.add(labels[2])
    holder.resize(width, 200)
    holder.show()
    assert [(each.x(), each.y()) for each in labels] == places
    assert row.heightForWidth(width) == places[-1][1] + 20 and row.minimumSize().width() == 100


def test_what_can_do_with_less_gets_less_before_the_row_breaks(qtbot: QtBot) -> None:
    holder, text, hidden = QWidget(), QLabel("a text that may be cut"), sized(400)
    qtbot.addWidget(holder)
    row = FlowRow(10, parent=holder)
    row.add(text, 40)
    row.add(hidden)
    hidden.hide()
    row.add(sized(100))
    holder.resize(200, 60)
    holder.show()
    assert text.width() == min(90, text.sizeHint().width()) and row.heightForWidth(200) < 60
    assert row.heightForWidth(149) > row.heightForWidth(150)


@pytest.mark.parametrize(
    ("width", "count", "most", "widest", "columns"),
    [
        (1000, 3, 3, 560, 2),
        (1300, 3, 3, 560, 3),
        (5800, 3, 3, 560, 3),
        (5800, 40, 3, 560, 10),  # a large screen has more columns, not wider ones
        (2840, 16, 4, 560, 4),
        (5800, 16, 8, 0, 8),
    ],
)
def test_columns(width: int, count: int, most: int, widest: int, columns: int) -> None:
    assert columns_for(width, 390, 12, count, most, widest) == columns


def test_a_button_is_as_wide_as_for_its_longest_word(qtbot: QtBot) -> None:
    button = SteadyButton("Go", ("Go", "Go on with it"))
    qtbot.addWidget(button)
    before = button.sizeHint().width()
    button.setText("Go on with it")
    assert button.sizeHint().width() == before > button.fontMetrics().horizontalAdvance("Go on with it")


def test_a_boundary_between_panes_is_moved_by_keys(qtbot: QtBot) -> None:
    splitter = PaneSplitter(Qt.Orientation.Horizontal, "Boundary")
    qtbot.addWidget(splitter)
    for _ in range(2):
        pane = QWidget()
        pane.setMinimumWidth(100)
        splitter.addWidget(pane)
    splitter.resize(606, 100)
    splitter.show()
    splitter.setSizes([300, 300])
    handle = splitter.handle(1)
    assert handle.focusPolicy() == Qt.FocusPolicy.StrongFocus and handle.accessibleName() == "Boundary"
    Key = Qt.Key
    for keys, left in (
        ((Key.Key_Right,), 316),
        ((Key.Key_PageUp, Key.Key_Left), 204),
        ((Key.Key_Home,), 100),
        ((Key.Key_Left,), 100),
        ((Key.Key_End,), 500),
        ((Key.Key_Up, Key.Key_PageUp), 404),
    ):
        for key in keys:
            qtbot.keyClick(handle, key)
        assert splitter.sizes()[0] == left


def test_a_field_to_search_in_is_emptied_by_our_own_cross(qtbot: QtBot, qapp: QApplication) -> None:
    theme, field = Theme(qapp, "dark"), SearchField()
    qtbot.addWidget(field)
    field.show()
    field.setText("words")
    clears = field.findChild(QAction, CLEARS)
    assert isinstance(clears, QAction)
    dark = clears.icon().pixmap(16).toImage()
    theme.set_mode("light")
    qtbot.waitUntil(lambda: clears.icon().pixmap(16).toImage() != dark)
    cross = field.findChild(QToolButton)
    assert isinstance(cross, QToolButton) and cross.defaultAction() is clears
    cross.click()
    assert field.text() == ""


def test_the_lower_pane_gets_what_the_upper_one_leaves_until_a_hand_moves_it(qtbot: QtBot) -> None:
    splitter, content, below = FittedSplitter("Boundary"), QWidget(), QWidget()
    qtbot.addWidget(splitter)
    lines = QVBoxLayout(content)
    line = QWidget()
    line.setFixedHeight(200)
    lines.addWidget(line)
    lines.setContentsMargins(0, 0, 0, 0)
    below.setMinimumSize(10, 100)
    splitter.addWidget(page_scroll(content))
    splitter.addWidget(below)
    splitter.fit_to(content)
    splitter.resize(300, 606)
    splitter.show()
    qtbot.waitUntil(lambda: splitter.sizes() == [200, 400])
    for height, above in ((300, 300), (900, 500), (450, 500), (300, 300)):  # a little less leaves it where it is
        with qtbot.waitSignal(splitter.fitted):
            line.setFixedHeight(height)
        assert splitter.sizes()[0] == above
    splitter.calm.setInterval(20)
    line.setFixedHeight(260)
    qtbot.waitUntil(lambda: splitter.sizes()[0] == 260)  # after a while
    line.setFixedHeight(300)
    qtbot.waitUntil(lambda: splitter.sizes()[0] == 300)
    qtbot.keyClick(splitter.handle(1), Qt.Key.Key_Up)
    assert splitter.by_hand and splitter.sizes()[0] == 284
    splitter.resize(300, 706)
    line.setFixedHeight(500)
    kept = splitter.sizes()
    again = FittedSplitter("Boundary")
    qtbot.addWidget(again)
    for _ in range(2):
        again.addWidget(QWidget())
    assert not again.by_hand and again.restoreState(splitter.saveState()) and again.by_hand
    assert sum(kept) == 700 and kept[0] < 500


@pytest.fixture
def window(qtbot: QtBot, qapp: QApplication, tmp_path: Path) -> Iterator[MainWindow]:
    """The smallest window with the largest text; no controller behind it."""
    theme = Theme(qapp, "light", 2.0)
    paths = controller_paths(tmp_path)
    made = MainWindow(CoreBridge(partial(Controller, paths)), theme, paths, "Shardboard", lambda: "ab" * 32)
    made.resize(1024, 700)
    made.show()
    yield made
    made.close()
    shiboken6.delete(made)
    theme.set_scale(1.0)


def test_no_page_scrolls_sideways_with_the_largest_text(qtbot: QtBot, window: MainWindow) -> None:
    shown = cluster(THREE, 64)
    window.bridge.snapshot = shown
    window.bridge.snapshot_changed.emit(shown)
    for place in PLACES:
        window.go(place)
        for view in ("Activity", "Links", "Shards") if place == "Cluster" else ("",):
            if view:
                window.cluster.views.show_view(view)
            qtbot.wait(20)
            wide = [
                area.horizontalScrollBar().maximum()
                for area in window.findChildren(QScrollArea)
                if area.isVisible() and not isinstance(area.widget(), LinkCanvas)
            ]
            assert not any(wide), (place, view, wide)
            assert window.width() == 1024

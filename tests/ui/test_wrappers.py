"""What PySide's wrappers must never be told: a widget taken for another's child is deleted with it."""

from __future__ import annotations

import ast
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QPushButton, QScrollArea, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot
from shiboken6 import Shiboken

from app.ui.widgets import explain, push_button

UI = Path(__file__).parents[2] / "app" / "ui"
TAKES = ("previousInFocusChain", "nextInFocusChain")


class Page(QWidget):
    """A button, and one in a scroll area, as in every place of the window."""

    def __init__(self) -> None:
        super().__init__()
        self.area, content = QScrollArea(self), QWidget()
        self.before, self.button = push_button("Before"), push_button("Button")
        QVBoxLayout(content).addWidget(self.button)
        self.area.setWidget(content)
        self.area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        column = QVBoxLayout(self)
        column.addWidget(self.before)
        column.addWidget(self.area)


def test_a_button_that_turns_grey_gives_its_focus_away_and_takes_nothing(qtbot: QtBot) -> None:
    page = Page()
    qtbot.addWidget(page)
    with qtbot.waitExposed(page):
        page.show()
    page.button.setFocus()
    qtbot.waitUntil(page.button.hasFocus)
    explain(page.button, "Not now.")
    assert page.before.hasFocus() and not page.button.isEnabled()
    parent = next(line for line in Shiboken.dump(page.area).splitlines() if line.startswith("parent"))
    assert "Page" in parent, parent
    explain(page.before, "Not now.")  # with nowhere to go to
    assert isinstance(page.before, QPushButton) and not page.before.hasFocus()


def test_nobody_asks_the_focus_chain() -> None:
    """PySide makes what these answer a child of the widget that was asked."""
    for path in sorted(UI.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            assert not (isinstance(node, ast.Attribute) and node.attr in TAKES), f"{path.name}:{node.lineno}"

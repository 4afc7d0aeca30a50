"""A card of settings: a heading, rows of a name, a control and what it does."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QAbstractSpinBox, QComboBox, QGridLayout, QHBoxLayout, QLabel, QWidget

from app.ui.text import shown
from app.ui.theme import SPACE
from app.ui.widgets import Card, FlowRow, WrappedLabel, label

NAME_WIDTH = 168


class Section(Card):
    """row() adds a named control, text() a sentence."""

    def __init__(self, heading: str, note: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(shown(heading))
        self.body.addWidget(label(heading, "heading"))
        if note:
            self.body.addWidget(WrappedLabel(note, "muted"))
        self._grid = QGridLayout()
        self._grid.setHorizontalSpacing(SPACE.m)
        self._grid.setVerticalSpacing(SPACE.s)
        self._grid.setColumnMinimumWidth(0, NAME_WIDTH)
        self._grid.setColumnStretch(1, 1)
        self.body.addLayout(self._grid)
        self._rows = 0

    def row(self, name: str, *controls: QWidget, note: str = "") -> QLabel:
        """Controls of their own width beside their name; the note under them. The first control has the name."""
        title = label(name)
        line = FlowRow()
        for control in controls:
            line.add(control)
            if isinstance(control, QComboBox | QAbstractSpinBox):
                calm(control)
        line.spring()
        self._grid.addWidget(title, self._rows, 0, Qt.AlignmentFlag.AlignVCenter)
        if not controls[0].accessibleName():
            controls[0].setAccessibleName(shown(name))
        title.setBuddy(controls[0])
        self._grid.addLayout(line, self._rows, 1)
        self._rows += 1
        if note:
            self._note(note)
        return title

    def wide(self, name: str, control: QWidget, *more: QWidget) -> None:
        """A control that takes the width there is."""
        line = QHBoxLayout()
        line.setSpacing(SPACE.s)
        line.addWidget(control, 1)
        for each in more:
            line.addWidget(each, 0, Qt.AlignmentFlag.AlignTop)
        if name:
            title = label(name)
            title.setBuddy(control)
            self._grid.addWidget(title, self._rows, 0)
        self._grid.addLayout(line, self._rows, 1)
        self._rows += 1

    def _note(self, text: str) -> None:
        self._grid.addWidget(WrappedLabel(text, "small"), self._rows, 1)
        self._rows += 1


class _Calm(QObject):
    """The wheel scrolls the page and does not turn a control that nobody is in."""

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Wheel and isinstance(watched, QWidget) and not watched.hasFocus():
            event.ignore()
            return True
        return False


def calm(control: QWidget) -> None:
    """Leaves the wheel to the page, and gives numbers the margin that a style sheet cannot give them."""
    control.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    control.installEventFilter(_Calm(control))
    if isinstance(control, QAbstractSpinBox):
        control.lineEdit().setTextMargins(SPACE.s - 2, 0, 0, 0)


def choice(name: str, words: Sequence[tuple[str, object]]) -> QComboBox:
    """A list to choose from. words: what is shown and what it means."""
    box = QComboBox()
    box.setAccessibleName(shown(name))
    for text, value in words:
        box.addItem(shown(text), value)
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
    return box


def show_choice(box: QComboBox, value: object, other: str = "") -> None:
    """Selects a value; other: the words for it where it is not in the list yet."""
    index = box.findData(value)
    if index < 0 and other:
        box.addItem(shown(other), value)
        index = box.count() - 1
    if index != box.currentIndex():
        box.setCurrentIndex(index)


def copy_text(text: str) -> None:
    QGuiApplication.clipboard().setText(text)

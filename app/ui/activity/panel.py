"""The activity log."""

from __future__ import annotations

from PySide6.QtCore import QEvent
from PySide6.QtGui import QGuiApplication, QTextCharFormat, QTextCursor
from PySide6.QtWidgets import QButtonGroup, QFrame, QHBoxLayout, QPlainTextEdit, QWidget

from app.core.snapshot import ActivityEntry, Level
from app.ui.activity.lines import line, wanted
from app.ui.bridge import CoreBridge
from app.ui.theme import SPACE, colour, mono, tokens
from app.ui.widgets import Card, label, push_button

KEPT = 1000
HINT = "What happens on the machines is written here."


class ActivityPanel(Card):
    """The latest entries; the view follows the end unless the reader has scrolled up."""

    _filled = False  # Qt calls changeEvent before __init__ has ended

    def __init__(self, bridge: CoreBridge, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._bridge = bridge
        self._cleared = 0
        self.text = QPlainTextEdit()
        self.text.setReadOnly(True)
        self.text.setUndoRedoEnabled(False)
        self.text.setMaximumBlockCount(KEPT)
        self.text.setFrameShape(QFrame.Shape.NoFrame)
        self.text.setFont(mono())
        self.text.setPlaceholderText(HINT)
        self.text.setAccessibleName("Activity")
        self.text.setMinimumHeight(84)
        self.all = push_button("All", "quiet", self.rebuild)
        self.warnings = push_button("Warnings", "quiet", self.rebuild)
        self.group = QButtonGroup(self)
        for button in (self.all, self.warnings):
            button.setCheckable(True)
            self.group.addButton(button)
        self.all.setChecked(True)
        top = QHBoxLayout()
        top.setSpacing(SPACE.xs)
        top.addWidget(label("Activity", "heading"), 1)
        top.addWidget(self.all)
        top.addWidget(self.warnings)
        top.addWidget(push_button("Copy", "quiet", self.copy))
        top.addWidget(push_button("Clear", "quiet", self.clear))
        self.body.addLayout(top)
        self.body.addWidget(self.text, 1)
        bridge.activity_added.connect(self._add)
        self._filled = True
        self.rebuild()

    def clear(self) -> None:
        """Empties the view; the entries themselves stay."""
        self._cleared = max((entry.number for entry in self._bridge.activity), default=0)
        self.rebuild()

    def copy(self) -> None:
        QGuiApplication.clipboard().setText(self.text.toPlainText())

    def rebuild(self) -> None:
        self.text.clear()
        for entry in wanted(self._bridge.activity, self.warnings.isChecked(), self._cleared):
            self._append(entry)
        self.text.verticalScrollBar().setValue(self.text.verticalScrollBar().maximum())

    def _add(self, entry: ActivityEntry) -> None:
        if not wanted([entry], self.warnings.isChecked(), self._cleared):
            return
        bar = self.text.verticalScrollBar()
        at_end = bar.value() >= bar.maximum() - 2
        self._append(entry)
        if at_end:
            bar.setValue(bar.maximum())

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and self._filled:
            self.rebuild()  # the lines carry the colours of the theme that they were written in

    def _append(self, entry: ActivityEntry) -> None:
        values = tokens()
        ink = {Level.INFO: values.text, Level.WARNING: values.warning, Level.ERROR: values.danger}[entry.level]
        form = QTextCharFormat()
        form.setForeground(colour(ink))
        cursor = QTextCursor(self.text.document())
        cursor.movePosition(QTextCursor.MoveOperation.End)
        if not self.text.document().isEmpty():
            cursor.insertBlock()
        cursor.insertText(line(entry), form)

"""A field to search in, which can be emptied by a click."""

from __future__ import annotations

from PySide6.QtCore import QEvent
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QLineEdit, QWidget

from app.ui.theme.resources import icon
from app.ui.theme.tokens import tokens

CLEARS = "_q_qlineeditclearaction"  # Qt's own name of it


class SearchField(QLineEdit):
    """With the window's own cross in place of Qt's, in the colours of the theme."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setClearButtonEnabled(True)
        self._dress()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() is QEvent.Type.PaletteChange:
            self._dress()

    def _dress(self) -> None:
        clears = self.findChild(QAction, CLEARS)
        if isinstance(clears, QAction):
            clears.setIcon(icon("close", tokens().text_muted, size=16))

"""Buttons that say why they are grey."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QSize, Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QAbstractButton, QPushButton, QToolButton, QWidget

from app.ui.theme.resources import icon
from app.ui.theme.tokens import tokens
from app.ui.widgets.labels import plain_tooltip


def push_button(
    text: str, kind: str = "", on_click: Callable[[], object] | None = None, parent: QWidget | None = None
) -> QPushButton:
    """kind: "", "primary", "quiet", "danger" or "nav"."""
    button = QPushButton(text, parent)
    if kind:
        button.setProperty("kind", kind)
    if on_click is not None:
        button.clicked.connect(lambda _checked=False: on_click())
    return button


def explain(thing: QAbstractButton | QAction, why_not: str, tip: str = "") -> None:
    """Enables the button where why_not is empty; else disables it and says why, to the eye and to a screen reader."""
    thing.setEnabled(not why_not)
    text = why_not or tip
    if isinstance(thing, QAction):
        thing.setToolTip(plain_tooltip(text))
        thing.setStatusTip(text)
        return
    thing.setToolTip(plain_tooltip(text))
    thing.setAccessibleDescription(text)


class IconButton(QToolButton):
    """An icon from resources/icons with a name for screen readers; follows the theme."""

    def __init__(
        self,
        icon_name: str,
        name: str,
        on_click: Callable[[], object] | None = None,
        parent: QWidget | None = None,
        size: int = 18,
    ) -> None:
        super().__init__(parent)
        self._icon_name = icon_name
        self._drawn_for = ""
        self.setAccessibleName(name)
        self.setToolTip(name)
        self.setIconSize(QSize(size, size))
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        if on_click is not None:
            self.clicked.connect(lambda _checked=False: on_click())
        self._redraw()

    def set_icon(self, icon_name: str) -> None:
        if icon_name != self._icon_name:
            self._icon_name, self._drawn_for = icon_name, ""
            self._redraw()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.PaletteChange, QEvent.Type.StyleChange):
            self._redraw()

    def _redraw(self) -> None:
        values = tokens()
        if self._drawn_for != values.name:
            self._drawn_for = values.name
            faint = values.text_disabled if values.dark else values.border_strong
            self.setIcon(icon(self._icon_name, values.text_muted, faint, self.iconSize().width()))

"""Applies the tokens to a QApplication and switches between system, dark and light."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QColor, QPalette
from PySide6.QtWidgets import QApplication, QStyleFactory

from app.ui.theme.resources import load_fonts, resources_dir, sans
from app.ui.theme.stylesheet import stylesheet
from app.ui.theme.tokens import DARK, LEAST_SCALE, LIGHT, MOST_SCALE, SCALE_PROPERTY, Tokens, text_scale

MODES: Final = ("system", "dark", "light")


class Theme(QObject):
    """The look of the whole application.

    dressed: False leaves the stylesheet for dress(): while one is in force, Qt styles all that a widget holds again
    each time that it is put into another, which took two thirds of making the window.
    Attributes: mode, one of MODES; tokens, the scheme in force; scale, how large text is (1 is the usual size).
    Signals: changed(), after the palette, the font and the stylesheet were replaced. Widgets that only paint with
    tokens() need not listen: Qt repaints them.
    """

    changed = Signal()

    def __init__(self, app: QApplication, mode: str = "system", scale: float = 1.0, dressed: bool = True) -> None:
        super().__init__(app)
        self._app = app
        self._dressed = dressed
        self._mode = mode if mode in MODES else "system"
        load_fonts()
        app.setStyle(QStyleFactory.create("Fusion"))
        app.setProperty(SCALE_PROPERTY, _fitting(scale))
        app.styleHints().colorSchemeChanged.connect(self._on_system_scheme)
        self._apply()

    def dress(self) -> None:
        """Puts the stylesheet in force, also on all widgets that there are by now."""
        if not self._dressed:
            self._dressed = True
            self._app.setStyleSheet(stylesheet(self.tokens, resources_dir() / "icons"))

    @property
    def mode(self) -> str:
        return self._mode

    @property
    def tokens(self) -> Tokens:
        if self._mode == "system":
            return LIGHT if self._app.styleHints().colorScheme() == Qt.ColorScheme.Light else DARK
        return DARK if self._mode == "dark" else LIGHT

    def set_mode(self, mode: str) -> None:
        if mode not in MODES:
            raise ValueError(f"{mode!r} is not one of {MODES}")
        if mode != self._mode:
            self._mode = mode
            self._apply()

    @property
    def scale(self) -> float:
        return text_scale()

    def set_scale(self, scale: float) -> None:
        """Text of this size, within 0.8 and 2, everywhere and at once."""
        chosen = _fitting(scale)
        if chosen != self.scale:
            self._app.setProperty(SCALE_PROPERTY, chosen)
            self._apply()

    def toggle(self) -> None:
        """Dark becomes light and light dark, whatever the system says."""
        self.set_mode("light" if self.tokens.dark else "dark")

    def _on_system_scheme(self) -> None:
        if self._mode == "system":
            self._apply()

    def _apply(self) -> None:
        values = self.tokens
        if self._mode != "system":  # so that native menus and title bars follow
            self._app.styleHints().setColorScheme(Qt.ColorScheme.Dark if values.dark else Qt.ColorScheme.Light)
        else:
            self._app.styleHints().unsetColorScheme()
            values = self.tokens
        self._app.setFont(sans())
        self._app.setPalette(palette(values))
        if self._dressed:
            self._app.setStyleSheet(stylesheet(values, resources_dir() / "icons"))
        self.changed.emit()


def _fitting(scale: float) -> float:
    return round(min(max(float(scale), LEAST_SCALE), MOST_SCALE), 2)


def palette(values: Tokens) -> QPalette:
    role = QPalette.ColorRole
    result = QPalette()
    for which, value in (
        (role.Window, values.window),
        (role.WindowText, values.text),
        (role.Base, values.surface),
        (role.AlternateBase, values.raised),
        (role.Text, values.text),
        (role.PlaceholderText, values.text_muted),
        (role.Button, values.raised),
        (role.ButtonText, values.text),
        (role.BrightText, values.danger),
        (role.Highlight, values.selection),
        (role.HighlightedText, values.text),
        (role.ToolTipBase, values.raised),
        (role.ToolTipText, values.text),
        (role.Link, values.accent_text),
        (role.LinkVisited, values.accent_text),
        (role.Light, values.hover),
        (role.Midlight, values.hover),
        (role.Mid, values.border),
        (role.Dark, values.border_strong),
        (role.Shadow, values.shadow),
        (role.Accent, values.accent),
    ):
        result.setColor(which, QColor(value))
    for which in (role.WindowText, role.Text, role.ButtonText, role.HighlightedText):
        result.setColor(QPalette.ColorGroup.Disabled, which, QColor(values.text_disabled))
    return result

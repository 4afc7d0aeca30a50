"""Buttons that say why they are grey."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QEvent, QSize, Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QAbstractButton, QPushButton, QStyle, QStyleOptionButton, QToolButton, QWidget

from app.ui.text import as_shown, shown, tr
from app.ui.theme.resources import icon
from app.ui.theme.tokens import look, scaled, tokens
from app.ui.widgets.labels import plain_tooltip

KIND = QStyle.ContentsType.CT_PushButton


def push_button(
    text: str, kind: str = "", on_click: Callable[[], object] | None = None, parent: QWidget | None = None
) -> QPushButton:
    """kind: "", "primary", "quiet", "danger" or "nav"."""
    button = QPushButton(tr(text), parent)
    if kind:
        button.setProperty("kind", kind)
    if on_click is not None:
        button.clicked.connect(lambda _checked=False: on_click())
    return button


def explain(thing: QAbstractButton | QAction, why_not: str, tip: str = "") -> None:
    """Enables the button where why_not is empty; else disables it and says why, to the eye and to a screen reader."""
    if why_not and isinstance(thing, QWidget) and thing.hasFocus():
        # To the part before it: Qt would give it to the next one, which after the last is the window's first. Never by
        # previousInFocusChain(): PySide takes what that answers for a child of this one, and may delete it with it.
        thing.window().focusPreviousChild()
    thing.setEnabled(not why_not)
    text = shown(why_not or tip)
    if isinstance(thing, QAction):
        thing.setToolTip(plain_tooltip(text))
        thing.setStatusTip(text)
        return
    thing.setToolTip(plain_tooltip(text))
    thing.setAccessibleDescription(text)


class SteadyButton(QPushButton):
    """A button whose words change: as wide as for the widest of them, so that nothing beside it moves.

    widest: all the words it may have, in the reader's language, or the longest.
    """

    def __init__(
        self,
        text: str,
        widest: Sequence[str],
        kind: str = "",
        on_click: Callable[[], object] | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(tr(text), parent)
        self._widest = tuple(as_shown(each) for each in widest)
        if kind:
            self.setProperty("kind", kind)
        if on_click is not None:
            self.clicked.connect(lambda _checked=False: on_click())

    def sizeHint(self) -> QSize:
        return self._reserved(super().sizeHint())

    def minimumSizeHint(self) -> QSize:
        return self._reserved(super().minimumSizeHint())

    def _reserved(self, hint: QSize) -> QSize:
        option = QStyleOptionButton()
        self.initStyleOption(option)
        for option.text in self._widest:
            size = option.fontMetrics.size(Qt.TextFlag.TextShowMnemonic, option.text)
            hint = hint.expandedTo(self.style().sizeFromContents(KIND, option, size, self))
        return hint


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
        self.setAccessibleName(tr(name))
        self.setToolTip(tr(name))
        self._size = size
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
        if self._drawn_for != look():
            self._drawn_for = look()
            self.setIconSize(QSize(scaled(self._size), scaled(self._size)))
            faint = values.text_disabled if values.dark else values.border_strong
            self.setIcon(icon(self._icon_name, values.text_muted, faint, self.iconSize().width()))

"""The places on the left, and what the cluster does in two lines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QFrame, QPushButton, QVBoxLayout, QWidget

from app.ui.text import tr
from app.ui.theme import SPACE, text_scale
from app.ui.widgets import WrappedLabel, label

WIDTH: Final = 168


class PlaceButton(QPushButton):
    """Leaves the arrow keys to the bar: a button would move the focus by where things stand on the screen."""

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Up, Qt.Key.Key_Down):
            event.ignore()
        else:
            super().keyPressEvent(event)


class SideBar(QFrame):
    """Each place is a stop of the Tab key; up and down go from one to the next. The last place stands at the foot."""

    _filled = False  # Qt calls changeEvent before __init__ has ended

    def __init__(self, places: Sequence[str], on_place: Callable[[str], None], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("kind", "sidebar")
        self.setAccessibleName(tr("Places"))
        self.buttons: dict[str, QPushButton] = {}
        column = QVBoxLayout(self)
        column.setContentsMargins(SPACE.s, SPACE.l, SPACE.s, SPACE.l)
        column.setSpacing(SPACE.xs)
        self._name = label("Shardboard", "title")
        self._name.setContentsMargins(SPACE.s, 0, 0, SPACE.s)
        column.addWidget(self._name)
        for place in places:
            # No button group: that would keep the Tab key from all but one of them.
            button = PlaceButton(tr(place))
            button.setProperty("kind", "nav")
            button.clicked.connect(lambda _checked=False, place=place: on_place(place))
            button.setCheckable(True)
            button.setAccessibleName(tr(place))
            button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
            self.buttons[place] = button
            if place == places[-1]:
                column.addStretch(1)
            column.addWidget(button)
        self.status = WrappedLabel("", "small")
        self.status.setContentsMargins(SPACE.s, SPACE.s, 0, 0)
        column.insertWidget(column.count() - 1, self.status)
        self._filled = True
        self._fit()

    def show_place(self, place: str) -> None:
        for name, button in self.buttons.items():
            button.setChecked(name == place)
            button.setAccessibleDescription(tr("This place is shown.") if name == place else "")

    def focus_place(self) -> None:
        """The keyboard goes to the place that is shown."""
        shown = next((button for button in self.buttons.values() if button.isChecked()), None)
        if shown is not None:
            shown.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        step = {Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1}.get(Qt.Key(event.key()), 0)
        every = list(self.buttons.values())
        now = next((number for number, button in enumerate(every) if button is self.focusWidget()), None)
        if step and now is not None:
            every[(now + step) % len(every)].setFocus(Qt.FocusReason.TabFocusReason)
        else:
            super().keyPressEvent(event)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if self._filled and event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            self._fit()

    def _fit(self) -> None:
        """Large text takes no more room than its longest word needs: the page beside it needs it too."""
        longest = max(self._name.sizeHint().width(), *(each.sizeHint().width() for each in self.buttons.values()))
        width = max(WIDTH, longest + 2 * SPACE.s + SPACE.xs) if text_scale() > 1 else WIDTH
        if self.maximumWidth() != width:
            self.setFixedWidth(width)

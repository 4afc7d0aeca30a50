"""The conversation's scroll area: it follows the tail unless the reader scrolled up."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QPushButton, QScrollArea, QSizePolicy, QVBoxLayout, QWidget

from app.ui.theme import SPACE
from app.ui.widgets import WrappedLabel, label, push_button

AT_THE_END_PX = 24
READING_WIDTH = 760  # wider lines are hard to read


def side_room(width: int) -> int:
    """What stays free on each side of a column that is not wider than can be read."""
    return max(0, width - READING_WIDTH - 2 * SPACE.m) // 2


class EmptyState(QWidget):
    """What stands there before the first message. Signals: example_chosen(text)."""

    example_chosen = Signal(str)

    def __init__(self, examples: Sequence[str], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, SPACE.xl, 0, SPACE.xl)
        layout.setSpacing(SPACE.s)
        self.title = label("Ask the cluster", "title")
        self.hint = WrappedLabel("", "muted")
        layout.addStretch(1)
        layout.addWidget(self.title)
        layout.addWidget(self.hint)
        layout.addSpacing(SPACE.s)
        self.buttons: list[QPushButton] = []
        for text in examples:
            button = push_button(text, "example")
            button.setAccessibleName(f"Example: {text}")
            button.setToolTip(text)
            button.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)  # never widens the chat
            button.clicked.connect(lambda _checked=False, text=text: self.example_chosen.emit(text))
            layout.addWidget(button)
            self.buttons.append(button)
        layout.addStretch(2)

    def show_obstacle(self, obstacle: str) -> None:
        self.hint.setText(
            obstacle or "Your message goes through every stage in turn, and the answer comes back token by token."
        )


class Transcript(QScrollArea):
    """Messages from top to bottom.

    Attributes: following, whether new text scrolls into view.
    """

    def __init__(self, empty: EmptyState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.following = True
        self._messages: list[QWidget] = []
        self._empty = empty
        self.setProperty("role", "transcript")
        self.setAccessibleName("Conversation")
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._page = QWidget()
        self._page.setProperty("role", "page")
        self._column = QVBoxLayout(self._page)
        self._column.setContentsMargins(SPACE.xs, SPACE.s, SPACE.m, SPACE.l)
        self._column.setSpacing(SPACE.l)
        self._column.addWidget(empty, 1)
        self._column.addStretch(0)
        self.setWidget(self._page)
        self.viewport().setAutoFillBackground(False)
        self._page.setAutoFillBackground(False)
        bar = self.verticalScrollBar()
        bar.rangeChanged.connect(self._range_changed)
        bar.valueChanged.connect(self._value_changed)
        self.latest = push_button("Newest text", parent=self)
        self.latest.setAccessibleName("Go to the newest text")
        self.latest.clicked.connect(lambda _checked=False: self.follow())
        self.latest.hide()

    @property
    def messages(self) -> tuple[QWidget, ...]:
        return tuple(self._messages)

    def add(self, message: QWidget) -> None:
        self._empty.hide()
        self._messages.append(message)
        self._column.insertWidget(self._column.count() - 1, message)

    def remove_last(self, count: int) -> None:
        for _ in range(min(count, len(self._messages))):
            message = self._messages.pop()
            self._column.removeWidget(message)
            message.hide()
            message.deleteLater()
        self._empty.setVisible(not self._messages)

    def clear(self) -> None:
        self.remove_last(len(self._messages))
        self.follow()

    def follow(self) -> None:
        self.following = True
        self.latest.hide()
        bar = self.verticalScrollBar()
        bar.setValue(bar.maximum())

    def _range_changed(self, _low: int, high: int) -> None:
        if self.following:
            self.verticalScrollBar().setValue(high)
        self._show_latest()

    def _value_changed(self, value: int) -> None:
        self.following = value >= self.verticalScrollBar().maximum() - AT_THE_END_PX
        self._show_latest()

    def _show_latest(self) -> None:
        self.latest.setVisible(not self.following)
        if not self.following:
            self._place_latest()

    def _place_latest(self) -> None:
        self.latest.adjustSize()
        self.latest.move((self.width() - self.latest.width()) // 2, self.height() - self.latest.height() - SPACE.s)
        self.latest.raise_()

    def resizeEvent(self, event: QResizeEvent) -> None:
        spare = side_room(self.width())
        margins = (SPACE.xs + spare, SPACE.s, SPACE.m + spare, SPACE.l)
        if self._column.contentsMargins().left() != margins[0]:
            self._column.setContentsMargins(*margins)
        super().resizeEvent(event)
        self._place_latest()

    def minimumSizeHint(self) -> QSize:
        return QSize(240, 120)

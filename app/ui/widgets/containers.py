"""Frames and scrolling places."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import QFrame, QLayout, QScrollArea, QVBoxLayout, QWidget

from app.ui.theme.tokens import SPACE


class Card(QFrame):
    """A rounded surface with a vertical layout, `body`."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("kind", "card")
        self.body = QVBoxLayout(self)
        self.body.setContentsMargins(SPACE.l - 2, SPACE.m, SPACE.l - 2, SPACE.m)
        self.body.setSpacing(SPACE.s)


class Line(QFrame):
    """A hairline between things."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("kind", "line")
        self.setFixedHeight(1)


class Sheet(QWidget):
    """What a page scrolls. Wrapped lines claim the height of a narrow column; the scroll area asks for its own."""

    def minimumSizeHint(self) -> QSize:
        return QSize(super().minimumSizeHint().width(), 0)


class RowSheet(Sheet):
    """One with rows below each other, from the top. Attributes: rows, their layout; its last item is a stretch."""

    def __init__(self, spacing: int = SPACE.s, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.rows = QVBoxLayout(self)
        self.rows.setContentsMargins(0, 0, SPACE.s, 0)
        self.rows.setSpacing(spacing)
        self.rows.addStretch(1)


def fit_height(window: QWidget) -> None:
    """Makes a window as high as what it holds at its width: without a hole where something was hidden."""
    layout = window.layout()
    if layout is None:
        return
    # Qt's own least height takes wrapped labels at their narrowest, and so leaves a hole.
    layout.setSizeConstraint(QLayout.SizeConstraint.SetNoConstraint)
    layout.activate()
    width = window.width()
    wanted = layout.totalHeightForWidth(width) if layout.hasHeightForWidth() else layout.sizeHint().height()
    window.setMinimumHeight(wanted)
    window.resize(width, wanted)


def page_scroll(content: QWidget) -> QScrollArea:
    """Scrolls `content` up and down, and sideways only where large text needs it; the ground shows through."""
    content.setProperty("kind", "page")
    area = QScrollArea()
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    area.setWidget(content)
    area.viewport().setAutoFillBackground(False)
    content.setAutoFillBackground(False)
    return area


def keep_right_edge(area: QScrollArea, layout: QLayout) -> None:
    """What is scrolled, which this layout holds, ends where the rest of the page does, also beside a scroll bar."""
    whole, bar = layout.contentsMargins(), area.verticalScrollBar()

    def fit(_least: int, most: int) -> None:
        taken = bar.sizeHint().width() if most else 0
        layout.setContentsMargins(whole.left(), whole.top(), max(0, whole.right() - taken), whole.bottom())

    bar.rangeChanged.connect(fit)

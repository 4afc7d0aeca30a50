"""A grid with as many columns as fit, all of one width."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QRect, QSize
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.ui.theme.tokens import SPACE, scaled


def columns_for(width: int, minimum: int, gap: int, count: int, most: int = 4, widest: int = 0) -> int:
    """How many columns of at least `minimum` fit; no more than there are things, none left alone where it can be
    helped (4 in 3 columns become 2 and 2). More than `most` only where columns would be wider than `widest`."""
    if widest:
        most = max(most, -(-(width + gap) // (widest + gap)))
    fit = max(1, min(most, (width + gap) // (minimum + gap), max(1, count)))
    rows = -(-max(1, count) // fit)
    return -(-max(1, count) // rows)


class ResponsiveGrid(QWidget):
    """Lays its widgets out in equal columns, each row as high as its highest widget.

    minimum and widest: of a column, at the usual text size; on a large screen there are more columns, not wider ones,
    unless widest is 0.
    """

    def __init__(
        self, minimum: int, parent: QWidget | None = None, gap: int = SPACE.m, most: int = 4, widest: int = 560
    ) -> None:
        super().__init__(parent)
        self._most = most
        self._widest = widest
        self._minimum = minimum
        self._gap = gap
        self._widgets: list[QWidget] = []
        self._height = 0  # as it was laid out last
        policy = QSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)

    def set_widgets(self, widgets: list[QWidget]) -> None:
        """In this order. Widgets that are no longer in the list are hidden, not deleted."""
        for old in self._widgets:
            if old not in widgets:
                old.hide()
        self._widgets = list(widgets)
        for widget in widgets:
            if widget.parent() is not self:
                widget.setParent(self)
            widget.show()
        self.relayout()

    def relayout(self) -> None:
        self._place(self.width(), apply=True)
        self.updateGeometry()

    def hasHeightForWidth(self) -> bool:
        return True

    def heightForWidth(self, width: int) -> int:
        return self._place(width, apply=False)

    def sizeHint(self) -> QSize:
        least = scaled(self._minimum)
        return QSize(least * 2 + self._gap, self._place(max(self.width(), least), apply=False))

    def minimumSizeHint(self) -> QSize:
        return QSize(min(self._minimum, 240), 0 if not self._widgets else self._place(self.width(), apply=False))

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.LayoutRequest and self._place(self.width(), apply=False) != self._height:
            self.relayout()  # something in it wants to be higher or lower than before
        return super().event(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place(self.width(), apply=True)
        if event.size().width() != event.oldSize().width():
            self.updateGeometry()  # the height follows the width

    def _place(self, width: int, apply: bool) -> int:
        count = len(self._widgets)
        if not count:
            return 0
        widest = scaled(self._widest)
        columns = columns_for(width, scaled(self._minimum), self._gap, count, self._most, widest)
        each = min(widest or width, (width - self._gap * (columns - 1)) / columns)
        top = 0
        for start in range(0, count, columns):
            row = self._widgets[start : start + columns]
            height = max(_height(widget, round(each)) for widget in row)
            if apply:
                for column, widget in enumerate(row):
                    left = round(column * (each + self._gap))
                    right = round(column * (each + self._gap) + each)
                    widget.setGeometry(QRect(left, top, right - left, height))
            top += height + self._gap
        if apply:
            self._height = top - self._gap
        return top - self._gap


def _height(widget: QWidget, width: int) -> int:
    hint = widget.heightForWidth(width) if widget.hasHeightForWidth() else widget.sizeHint().height()
    return max(hint, widget.minimumSizeHint().height())

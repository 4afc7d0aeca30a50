"""A row that breaks into several lines where there is no room: large text never needs a window to scroll sideways."""

from __future__ import annotations

from PySide6.QtCore import QRect, QSize, Qt
from PySide6.QtWidgets import QLayout, QLayoutItem, QSizePolicy, QSpacerItem, QStyle, QWidget

from app.ui.theme.tokens import SPACE


class FlowRow(QLayout):
    """Widgets one after another, each as wide as it wants to be.

    add(widget, least): a widget that can do with less than it wants, such as text that is elided, names how little;
    spring(): the room that is left on its line goes there. Lines are as high as their highest widget. at_end: what room
    is left beside the widgets of a line without a spring stands before them.
    """

    def __init__(self, gap: int = SPACE.s, at_end: bool = False, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._gap = gap
        self._at_end = at_end
        self._height = 0  # as it was laid out last
        self._items: list[QLayoutItem] = []
        self._least: dict[QWidget, int] = {}
        self.setContentsMargins(0, 0, 0, 0)

    def add(self, widget: QWidget, least: int | None = None) -> None:
        if least is not None:
            self._least[widget] = least
        self.addWidget(widget)

    def spring(self) -> None:
        self.addItem(QSpacerItem(0, 0, QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Minimum))

    # -- what Qt asks of a layout -------------------------------------------------------------------------------------

    def addItem(self, item: QLayoutItem) -> None:
        self._items.append(item)
        self.invalidate()

    def count(self) -> int:
        return len(self._items)

    def itemAt(self, index: int) -> QLayoutItem | None:  # type: ignore[override] # Qt's own contract: None at the end
        return self._items[index] if 0 <= index < len(self._items) else None

    def takeAt(self, index: int) -> QLayoutItem | None:  # type: ignore[override]
        return self._items.pop(index) if 0 <= index < len(self._items) else None

    def expandingDirections(self) -> Qt.Orientation:
        return Qt.Orientation.Horizontal

    def hasHeightForWidth(self) -> bool:
        return True

    def heightForWidth(self, width: int) -> int:
        return self._place(QRect(0, 0, width, 0), apply=False)

    def sizeHint(self) -> QSize:
        """All in one line."""
        items = self._shown()
        width = sum(item.sizeHint().width() for item in items) + self._gaps(items)
        return QSize(width, max((item.sizeHint().height() for item in items), default=0))

    def minimumSize(self) -> QSize:
        """One widget a line; as high as it is at the width that it has."""
        items = self._shown()
        width = max((self._wanted(item) for item in items), default=0)
        return QSize(width, max((self._height, *(item.sizeHint().height() for item in items))))

    def setGeometry(self, rect: QRect) -> None:
        super().setGeometry(rect)
        height = self._place(rect, apply=True)
        if height != self._height:
            self._height = height
            self.invalidate()
            if (parent := self.parentWidget()) is not None:
                parent.updateGeometry()  # a layout that knows no height for width asks for the least one

    # -- lines --------------------------------------------------------------------------------------------------------

    def _shown(self) -> list[QLayoutItem]:
        return [item for item in self._items if item.spacerItem() is not None or not item.isEmpty()]

    def _gaps(self, items: list[QLayoutItem]) -> int:
        return self._gap * max(0, sum(item.spacerItem() is None for item in items) - 1)

    def _wanted(self, item: QLayoutItem) -> int:
        """What a line has to have for it."""
        widget = item.widget()
        least = self._least.get(widget) if widget is not None else None
        return item.sizeHint().width() if least is None else least

    def _lines(self, width: int) -> list[list[QLayoutItem]]:
        lines: list[list[QLayoutItem]] = [[]]
        used = 0
        for item in self._shown():
            if item.spacerItem() is not None:
                lines[-1].append(item)
                continue
            wanted = self._wanted(item)
            begun = any(each.spacerItem() is None for each in lines[-1])
            if begun and used + self._gap + wanted > width:
                lines.append([])
                begun, used = False, 0
            used += wanted + (self._gap if begun else 0)
            lines[-1].append(item)
        return lines

    def _place(self, rect: QRect, apply: bool) -> int:
        """Its height; apply: also puts the widgets there."""
        top = rect.top()
        lines = self._lines(rect.width())
        for number, line in enumerate(lines):
            height = max((item.sizeHint().height() for item in line), default=0)
            if apply:
                self._place_line(line, QRect(rect.left(), top, rect.width(), height))
            top += height + (self._gap if number + 1 < len(lines) else 0)
        return top - rect.top()

    def _place_line(self, line: list[QLayoutItem], rect: QRect) -> None:
        room = rect.width() - self._gaps(line) - sum(self._wanted(item) for item in line if item.spacerItem() is None)
        springs = sum(item.spacerItem() is not None for item in line)
        widths: dict[int, int] = {}
        for number, item in enumerate(line):  # first those that did with less than they want
            if item.spacerItem() is None:
                more = max(0, min(room, item.sizeHint().width() - self._wanted(item)))
                widths[number] = min(self._wanted(item) + more, rect.width())
                room -= more
        for number, item in enumerate(line):  # then those that take whatever there is
            grows = item.spacerItem() is None and item.expandingDirections() & Qt.Orientation.Horizontal
            if grows and room > 0:
                more = min(room, item.maximumSize().width() - widths[number])
                widths[number] += max(0, more)
                room -= max(0, more)
        left, parent, begun = rect.left(), self.parentWidget(), False
        left += max(0, room) if self._at_end and not springs else 0
        for number, item in enumerate(line):
            if item.spacerItem() is not None:
                left += max(0, room) // springs
                continue
            left += self._gap if begun else 0
            begun = True
            height = min(item.sizeHint().height(), rect.height())
            place = QRect(left, rect.top() + (rect.height() - height) // 2, widths[number], height)
            left += widths[number]
            if parent is not None:
                place = QStyle.visualRect(parent.layoutDirection(), rect, place)
            item.setGeometry(place)

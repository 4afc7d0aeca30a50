"""Panes side by side, or one above the other, whose boundary is moved by the mouse and by the keyboard."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QEvent, QRectF, Qt
from PySide6.QtGui import QKeyEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QSplitter, QSplitterHandle, QWidget

from app.core.text import phrase
from app.ui.text import tr
from app.ui.theme.tokens import colour, tokens

STEP: Final = 16
LEAP: Final = 96
HOW: Final = phrase("Drag it, or use the arrow keys.")


class PaneHandle(QSplitterHandle):
    """The arrow keys move it by a step, Page up and Page down by a leap, Home and End as far as it goes."""

    def __init__(self, orientation: Qt.Orientation, parent: QSplitter) -> None:
        super().__init__(orientation, parent)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        upright = self.orientation() == Qt.Orientation.Vertical
        back, on = (Qt.Key.Key_Up, Qt.Key.Key_Down) if upright else (Qt.Key.Key_Left, Qt.Key.Key_Right)
        here, room = (self.y(), self.splitter().height()) if upright else (self.x(), self.splitter().width())
        places = {
            back: here - STEP,
            on: here + STEP,
            Qt.Key.Key_PageUp: here - LEAP,
            Qt.Key.Key_PageDown: here + LEAP,
            Qt.Key.Key_Home: 0,
            Qt.Key.Key_End: room,
        }
        wanted = places.get(Qt.Key(event.key()))
        if wanted is None:
            super().keyPressEvent(event)
        else:
            self.moveSplitter(self.closestLegalPosition(wanted))

    def event(self, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.HoverEnter, QEvent.Type.HoverLeave, QEvent.Type.FocusIn, QEvent.Type.FocusOut):
            self.update()
        return super().event(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Nothing until it is pointed at or has the focus: the gap between the panes is enough."""
        if not self.hasFocus() and not self.underMouse():
            return
        values = tokens()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colour(values.accent_text if self.hasFocus() else values.border_strong))
        middle, room = QRectF(self.rect()).center(), QRectF(self.rect())
        upright = self.orientation() == Qt.Orientation.Vertical
        width, height = (min(48.0, room.width()), 3.0) if upright else (3.0, min(48.0, room.height()))
        painter.drawRoundedRect(QRectF(middle.x() - width / 2, middle.y() - height / 2, width, height), 1.5, 1.5)


class PaneSplitter(QSplitter):
    """name: of the boundary between its panes, for screen readers, in their language. No pane can be squeezed away."""

    def __init__(self, orientation: Qt.Orientation, name: str, parent: QWidget | None = None) -> None:
        super().__init__(orientation, parent)
        self._name = name
        self.setChildrenCollapsible(False)
        self.setHandleWidth(6)

    def createHandle(self) -> QSplitterHandle:
        handle = PaneHandle(self.orientation(), self)
        handle.setAccessibleName(self._name)
        handle.setAccessibleDescription(tr(HOW))
        handle.setToolTip(tr(HOW))
        return handle

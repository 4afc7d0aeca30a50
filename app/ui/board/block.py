"""One stage on the strip, painted by hand: name, range, room, and a cell for each layer."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QContextMenuEvent,
    QFocusEvent,
    QFont,
    QFontMetricsF,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
)
from PySide6.QtWidgets import QLabel, QWidget

from app.ui.board import geometry, words
from app.ui.board.gesture import Run
from app.ui.board.segments import Segment
from app.ui.board.state import NodeOutlook
from app.ui.text import shown, told, tr
from app.ui.theme.resources import sans
from app.ui.theme.tokens import TEXT, Tokens, blend, colour, scaled, tokens
from app.ui.widgets.labels import plain_tooltip


def block_height() -> int:
    """Three lines of text above the cells."""
    return 30 + scaled(66)


CELLS_HEIGHT = 20  # the hit area of the cells, at the bottom


MARK_WIDTH = 15  # beside the name, for each mark


def paint_spare(painter: QPainter, corner: QPointF, coming: bool, values: Tokens) -> None:
    """Two sheets, the one behind the other; the second dotted while it is on its way."""
    behind = QPen(colour(values.text), 1.2)
    if coming:
        behind.setStyle(Qt.PenStyle.DotLine)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(behind)
    painter.drawRoundedRect(QRectF(corner.x() + 3, corner.y(), 7, 8), 1.5, 1.5)
    painter.setPen(QPen(colour(values.text), 1.2))
    painter.setBrush(colour(values.text))
    painter.drawRoundedRect(QRectF(corner.x(), corner.y() + 3, 7, 8), 1.5, 1.5)


def paint_pin(painter: QPainter, top: QPointF, values: Tokens) -> None:
    """A small drawing pin, its head's middle below this point."""
    x, y = top.x(), top.y()
    painter.setPen(QPen(colour(values.text), 1.4))
    painter.setBrush(colour(values.text))
    painter.drawRoundedRect(QRectF(x - 3.5, y, 7, 3), 1, 1)
    painter.drawPolygon([QPointF(x - 2, y + 3), QPointF(x + 2, y + 3), QPointF(x + 4, y + 8), QPointF(x - 4, y + 8)])
    painter.drawLine(QPointF(x, y + 8), QPointF(x, y + 13))


class StageBlock(QLabel):  # to a screen reader a plain widget would have no role
    """Signals carry what the strip needs; the block decides nothing.

    Signals: pressed(layer, on_cells, shift, global point), moved(...), released(...): the mouse;
    stepped(delta, extend): arrow keys; edge(to_end, extend): Home and End; all_chosen(); escaped();
    menu_wanted(global point); pin_wanted(): P.
    """

    pressed = Signal(int, bool, bool, QPointF)
    moved = Signal(QPointF)
    released = Signal(QPointF)
    stepped = Signal(int, bool)
    all_chosen = Signal()
    escaped = Signal()
    menu_wanted = Signal(QPointF)
    pin_wanted = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.segment = Segment("", 0, 0)
        self.outlook: NodeOutlook | None = None
        self._weights = 0
        self._selection: Run | None = None
        self._target = False
        self._pinned = False
        self._spare = ""
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.setCursor(Qt.CursorShape.OpenHandCursor)

    def show_segment(
        self,
        segment: Segment,
        outlook: NodeOutlook | None,
        weights: int,
        selection: Run | None,
        pinned: bool = False,
        spare: str = "",
    ) -> None:
        """spare: where the second copy of this range lies, in words."""
        now = (segment, outlook, weights, selection, pinned, spare)
        if now == (self.segment, self.outlook, self._weights, self._selection, self._pinned, self._spare):
            return
        self.segment, self.outlook, self._weights, self._selection, self._pinned, self._spare = now
        name = shown(words.block_name(segment, outlook, pinned, spare))
        if self.accessibleName() != name:
            self.setAccessibleName(name)
            self.setToolTip(plain_tooltip(name))
        self.update()

    def set_target(self, target: bool) -> None:
        if target != self._target:
            self._target = target
            self.update()

    @property
    def is_target(self) -> bool:
        return self._target

    @property
    def run(self) -> Run:
        return Run(self.segment.first, self.segment.last)

    def layer_at(self, x: float) -> int:
        return geometry.layer_at(x, self.width(), self.segment)

    def on_cells(self, y: float) -> bool:
        return y >= self.height() - CELLS_HEIGHT - 4

    def sizeHint(self) -> QSize:
        return QSize(geometry.BLOCK_MINIMUM, block_height())

    def shown_lines(self) -> tuple[str, str, str]:
        """Name, range and room as they are written at this width."""
        width = self.width() - 2 * geometry.CELLS_INSET
        named = width - MARK_WIDTH * (self._pinned + bool(self._spare))
        small = QFontMetricsF(sans(TEXT.small))
        bold = QFontMetricsF(sans(TEXT.body, QFont.Weight.DemiBold))
        name = self.segment.node or tr("not placed")
        return (
            bold.elidedText(name, Qt.TextElideMode.ElideMiddle, named),
            words.fitting(told(words.range_line(self.segment, self._weights)), width, small.horizontalAdvance),
            small.elidedText(
                words.fitting(told(words.room_line(self.outlook)), width, small.horizontalAdvance),
                Qt.TextElideMode.ElideRight,
                width,
            ),
        )

    # -- painting -----------------------------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        values = tokens()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._paint_ground(painter, values)
        self._paint_text(painter, values)
        self._paint_cells(painter, values)
        if self._pinned:
            paint_pin(painter, QPointF(self.width() - geometry.CELLS_INSET - 5, 11), values)
        if self._spare:
            left = self.width() - geometry.CELLS_INSET - 9 - MARK_WIDTH * self._pinned
            paint_spare(painter, QPointF(left, 12), self._spare.endswith("on its way"), values)

    @property
    def pinned(self) -> bool:
        return self._pinned

    @property
    def spare(self) -> str:
        return self._spare

    def _ink(self, values: Tokens) -> str:
        return values.border_strong if self.outlook is None else values.node(self.outlook.colour)

    def _paint_ground(self, painter: QPainter, values: Tokens) -> None:
        ink = self._ink(values)
        fill = values.window if self.outlook is None else values.node_surface(self.outlook.colour)
        if self._target or self.underMouse():
            fill = blend(ink, fill, 0.16 if self._target else 0.05)
        strong = self._target or self.hasFocus()
        edge = values.danger if words.over(self.outlook) else values.text if self.hasFocus() else ink
        pen = QPen(colour(edge), 2 if strong else 1)
        if self.segment.gap:
            pen.setStyle(Qt.PenStyle.DashLine)
        painter.setPen(pen)
        painter.setBrush(colour(fill))
        inset = 1.0 if strong else 0.5
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(inset, inset, -inset, -inset), 8, 8)

    def _paint_text(self, painter: QPainter, values: Tokens) -> None:
        name, where, room = self.shown_lines()
        width = self.width() - 2 * geometry.CELLS_INSET
        left = geometry.CELLS_INSET
        flags = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        painter.setPen(colour(values.text if not self.segment.gap else values.text_muted))
        painter.setFont(sans(TEXT.body, QFont.Weight.DemiBold))
        painter.drawText(QRectF(left, 9, width, scaled(18)), flags, name)
        painter.setFont(sans(TEXT.small))
        painter.setPen(colour(values.text_muted))
        painter.drawText(QRectF(left, 9 + scaled(19), width, scaled(17)), flags, where)
        painter.setPen(colour(values.danger if words.over(self.outlook) else values.text_muted))
        painter.drawText(QRectF(left, 9 + scaled(37), width, scaled(17)), flags, room)

    def _paint_cells(self, painter: QPainter, values: Tokens) -> None:
        ink = colour(self._ink(values))
        chosen = colour(values.text)
        top, height = self.height() - 22.0, 12.0
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(ink)
        for number, (left, width) in enumerate(geometry.cell_spans(self.width(), self.segment.layers)):
            radius = min(2.5, width / 3)
            cell = QRectF(left, top, width, height)
            if self._selection is not None and self.segment.first + number in self._selection:
                painter.setBrush(chosen)
                painter.drawRoundedRect(cell.adjusted(0, -3, 0, 3), radius, radius)
                painter.setBrush(ink)
            else:
                painter.drawRoundedRect(cell, radius, radius)

    # -- events -------------------------------------------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() is not Qt.MouseButton.LeftButton:
            return
        self.setFocus(Qt.FocusReason.MouseFocusReason)
        at = event.position()
        shift = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        self.pressed.emit(self.layer_at(at.x()), self.on_cells(at.y()), shift, event.globalPosition())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if event.buttons() & Qt.MouseButton.LeftButton:
            self.moved.emit(event.globalPosition())

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() is Qt.MouseButton.LeftButton:
            self.released.emit(event.globalPosition())

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        self.menu_wanted.emit(QPointF(event.globalPos()))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        extend = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        far = self.segment.layers
        steps = {
            Qt.Key.Key_Left: -1,
            Qt.Key.Key_Right: 1,
            Qt.Key.Key_PageUp: 4,
            Qt.Key.Key_PageDown: -4,
            Qt.Key.Key_Home: -far,
            Qt.Key.Key_End: far,
        }
        if event.key() in steps:
            self.stepped.emit(steps[Qt.Key(event.key())], extend)
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space, Qt.Key.Key_Menu):
            self.menu_wanted.emit(QPointF(self.mapToGlobal(self.rect().bottomLeft())))
        elif event.key() == Qt.Key.Key_P and not self.segment.gap:
            self.pin_wanted.emit()
        elif event.key() == Qt.Key.Key_A and event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.all_chosen.emit()
        elif event.key() == Qt.Key.Key_Escape:
            self.escaped.emit()
        else:
            super().keyPressEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.update()

    def event(self, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.HoverEnter, QEvent.Type.HoverLeave):
            self.update()
        return super().event(event)

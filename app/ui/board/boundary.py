"""The handle between two blocks: a slider whose value is the first layer of the right one."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QEvent, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QAbstractSlider, QWidget

from app.ui.board import geometry, words
from app.ui.board.segments import Segment
from app.ui.text import as_shown, tr
from app.ui.theme.tokens import colour, tokens
from app.ui.widgets.labels import plain_tooltip


class BoundaryHandle(QAbstractSlider):
    """Moves by one with the arrows, by four with PageUp and PageDown, to the ends with Home and End, and by mouse.

    It never rests on a forbidden cut. Signals: wanted(value, final): where it should stand, not final while dragged;
    dropped(): the drag was given up; refused(reason): a forbidden cut was passed over or asked for.
    """

    wanted = Signal(int, bool)
    dragged_to = Signal(QPointF)
    dropped = Signal()
    refused = Signal(str)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._forbidden: Mapping[int, str] = {}
        self._dragging = False
        self.setOrientation(Qt.Orientation.Horizontal)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.setCursor(Qt.CursorShape.SplitHCursor)
        self.setSingleStep(1)
        self.setPageStep(4)
        self.actionTriggered.connect(self._on_action)

    @property
    def dragging(self) -> bool:
        return self._dragging

    def show_boundary(self, left: Segment, right: Segment, low: int, high: int, forbidden: Mapping[int, str]) -> None:
        self._forbidden = forbidden
        self.blockSignals(True)
        self.setRange(low, high)
        self.setValue(right.first)
        self.blockSignals(False)
        name = words.boundary_name(left, right)
        description = words.boundary_value(right.first)
        if (name, description) != (self.accessibleName(), self.accessibleDescription()):
            self.setAccessibleName(as_shown(name))
            self.setAccessibleDescription(as_shown(description))
            self.setToolTip(
                plain_tooltip(
                    tr("{name}: {description}. Drag it, or use the arrow keys.", name=name, description=description)
                )
            )
        self.update()

    def propose(self, value: int, final: bool, previous: int | None = None) -> None:
        """Snaps to an allowed cut and asks for it."""
        if value in self._forbidden:
            self.refused.emit(
                tr(
                    "The model cannot be cut before layer {value}: {forbidden}",
                    value=value,
                    forbidden=self._forbidden[value],
                )
            )
        else:
            self.refused.emit("")
        allowed = geometry.snap(value, self.minimum(), self.maximum(), self._forbidden, previous)
        if allowed is not None:
            self.wanted.emit(allowed, final)

    # -- keys ---------------------------------------------------------------------------------------------------------

    def _on_action(self, _action: int) -> None:
        asked, now = self.sliderPosition(), self.value()
        self.setSliderPosition(now)  # the owner sets it, when it agrees
        if asked != now:
            self.propose(asked, True, now)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape and self._dragging:
            self._dragging = False
            self.setSliderDown(False)
            self.dropped.emit()
            self.update()
            return
        super().keyPressEvent(event)

    # -- mouse --------------------------------------------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() is Qt.MouseButton.LeftButton:
            self.setFocus(Qt.FocusReason.MouseFocusReason)
            self._dragging = True
            self.update()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._dragging:
            self.dragged_to.emit(event.globalPosition())

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if self._dragging and event.button() is Qt.MouseButton.LeftButton:
            self._dragging = False
            self.wanted.emit(self.value(), True)
            self.update()

    def event(self, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.HoverEnter, QEvent.Type.HoverLeave, QEvent.Type.FocusIn, QEvent.Type.FocusOut):
            self.update()
        return super().event(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        values = tokens()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        lively = self._dragging or self.hasFocus() or self.underMouse()
        ink = values.accent_text if self._dragging or self.hasFocus() else values.text if lively else values.others
        width, height = (5.0, 40.0) if lively else (4.0, 28.0)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colour(ink))
        middle = QRectF(self.rect()).center()
        painter.drawRoundedRect(QRectF(middle.x() - width / 2, middle.y() - height / 2, width, height), 2.5, 2.5)

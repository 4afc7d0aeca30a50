"""Panes side by side, or one above the other, whose boundary is moved by the mouse and by the keyboard."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QByteArray, QEvent, QObject, QRectF, Qt, QTimer, Signal
from PySide6.QtGui import QGuiApplication, QKeyEvent, QPainter, QPaintEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QSplitter, QSplitterHandle, QWidget

from app.core.text import phrase
from app.ui.text import tr
from app.ui.theme.tokens import colour, tokens

STEP: Final = 16
LEAP: Final = 96
AGAIN_MS: Final = 100
CALM_MS: Final = 1500
HOLE: Final = 120  # so much room with nothing in it is one
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


class FittedSplitter(PaneSplitter):
    """Two panes, one above the other: the upper one gets what its content asks for, the lower one the rest, as long as
    no hand has moved their boundary.

    The boundary goes down at once, and up where it would leave a hole; else a while later, and not under the pointer:
    lines that come and go do not move it each time.

    Attributes: by_hand, whether one has; calm, that while. Signals: fitted(), after the content had changed.
    """

    fitted = Signal()

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(Qt.Orientation.Vertical, name, parent)
        self.by_hand = False
        self._content: QWidget | None = None
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.timeout.connect(self._fit_at_rest)
        self.calm = QTimer(self)
        self.calm.setSingleShot(True)
        self.calm.setInterval(CALM_MS)
        self.calm.timeout.connect(self._close_up)
        self.splitterMoved.connect(self._take_hand)

    def fit_to(self, content: QWidget) -> None:
        """content: what the upper pane scrolls."""
        self._content = content
        content.installEventFilter(self)

    def restoreState(self, state: QByteArray | bytes | bytearray | memoryview) -> bool:
        self.by_hand = super().restoreState(state)
        return self.by_hand

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() is QEvent.Type.LayoutRequest and not self.by_hand and not self._later.isActive():
            self._later.start(0)
        return super().eventFilter(watched, event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if event.size().height() != event.oldSize().height():
            self._fit(anew=True)

    def _take_hand(self) -> None:
        self.by_hand = True

    def _fit_at_rest(self) -> None:
        if QGuiApplication.mouseButtons() != Qt.MouseButton.NoButton:
            self._later.start(AGAIN_MS)  # nothing moves under a hand that carries something
            return
        self._fit()
        self.fitted.emit()

    def _close_up(self) -> None:
        lower = self.widget(1)
        if lower is not None and (lower.underMouse() or QGuiApplication.mouseButtons() != Qt.MouseButton.NoButton):
            self.calm.start()
        else:
            self._fit(anew=True)

    def _fit(self, anew: bool = False) -> None:
        if self.by_hand or self._content is None or not self.isVisible():
            return
        room, layout = self.height() - self.handleWidth(), self._content.layout()
        lower = self.widget(1)
        if layout is None or lower is None:
            return
        width = self._content.width()
        wanted = layout.totalHeightForWidth(width) if layout.hasHeightForWidth() else layout.sizeHint().height()
        above = min(wanted, room - lower.minimumSizeHint().height())
        now = self.sizes()[0]
        if anew or above > now or above < now - HOLE:
            self.setSizes([above, room - above])
        elif above < now and not self.calm.isActive():
            self.calm.start()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._fit(anew=True)

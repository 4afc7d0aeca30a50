"""The nodes that hold nothing yet: places to drop layers on."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFont, QFontMetricsF, QKeyEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from app.core.text import joined
from app.ui.board import words
from app.ui.board.state import BoardState, NodeOutlook, Outlooks
from app.ui.text import as_shown, tr
from app.ui.theme.resources import sans
from app.ui.theme.tokens import SPACE, TEXT, blend, colour, scaled, tokens
from app.ui.widgets import ResponsiveGrid
from app.ui.widgets.labels import plain_tooltip


class EmptyTarget(QWidget):
    """One unplaced node. Signals: chosen(node), Enter was pressed on it."""

    chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.outlook = NodeOutlook("", 0)
        self._target = False
        self._carrying = False
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    def show_outlook(self, outlook: NodeOutlook, target: bool, carrying: bool) -> None:
        if (outlook, target, carrying) != (self.outlook, self._target, self._carrying):
            self.outlook, self._target, self._carrying = outlook, target, carrying
            self.setAccessibleName(tr("{node}, holds no layers. {line}", node=outlook.node, line=self._line()))
            self.setAccessibleDescription(tr("Enter gives it the selected layers."))
            self.setToolTip(plain_tooltip(joined((outlook.node, self._line()), ": ")))
            self.update()

    def sizeHint(self) -> QSize:
        return QSize(200, 9 + scaled(35))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            self.chosen.emit(self.outlook.node)
        else:
            super().keyPressEvent(event)

    def event(self, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.FocusIn, QEvent.Type.FocusOut):
            self.update()
        return super().event(event)

    def _line(self) -> str:
        if self._target:
            return words.planned_line(self.outlook)
        return words.empty_target_line(self.outlook, self._carrying)

    def paintEvent(self, event: QPaintEvent) -> None:
        values = tokens()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ink = values.node(self.outlook.colour)
        strong = self._target or self.hasFocus()
        over = self._target and words.over(self.outlook)
        edge = (
            values.danger if over else values.text if self.hasFocus() else ink if self._target else values.border_strong
        )
        pen = QPen(colour(edge), 2 if strong else 1)
        if not strong:
            pen.setStyle(Qt.PenStyle.DashLine)
        painter.setPen(pen)
        painter.setBrush(colour(blend(ink, values.surface, 0.2) if self._target else values.surface))
        inset = 1.0 if strong else 0.5
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(inset, inset, -inset, -inset), 8, 8)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colour(ink))
        painter.drawEllipse(QRectF(SPACE.m, self.height() / 2 - 4, 8, 8))
        left, width = SPACE.m + 16, self.width() - SPACE.m - 26
        bold, small = sans(TEXT.body, QFont.Weight.DemiBold), sans(TEXT.small)
        painter.setFont(bold)
        painter.setPen(colour(values.text))
        name = QFontMetricsF(bold).elidedText(self.outlook.node, Qt.TextElideMode.ElideMiddle, width)
        painter.drawText(QRectF(left, 4, width, scaled(18)), Qt.AlignmentFlag.AlignVCenter, name)
        painter.setFont(small)
        painter.setPen(colour(values.danger if over else values.text_muted))
        line = QFontMetricsF(small).elidedText(as_shown(self._line()), Qt.TextElideMode.ElideRight, width)
        painter.drawText(QRectF(left, 4 + scaled(18), width, scaled(17)), Qt.AlignmentFlag.AlignVCenter, line)


class TargetTray(ResponsiveGrid):
    """All unplaced nodes in a grid. Signals: chosen(node)."""

    chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(176, parent, SPACE.s, most=8, widest=0)
        self._targets: dict[str, EmptyTarget] = {}
        self._target = ""
        self._carrying = False

    @property
    def nodes(self) -> tuple[str, ...]:
        return tuple(self._targets)

    def target(self, node: str) -> EmptyTarget:
        return self._targets[node]

    def show_state(self, state: BoardState) -> None:
        placed = {stage.node for stage in state.placement.stages}
        empty = [node for node in state.outlooks if node not in placed]
        if tuple(empty) != self.nodes:
            for node in self.nodes:
                if node not in empty:
                    self._targets.pop(node).deleteLater()
            for node in empty:
                if node not in self._targets:
                    self._targets[node] = EmptyTarget(self)
                    self._targets[node].chosen.connect(self.chosen)
            self._targets = {node: self._targets[node] for node in empty}
            self.set_widgets(list(self._targets.values()))
        self.setVisible(bool(empty))
        self.show_outlooks(state.outlooks, self._target, self._carrying)

    def show_outlooks(self, outlooks: Outlooks, target: str, carrying: bool) -> None:
        self._target, self._carrying = target, carrying
        for node, widget in self._targets.items():
            if node in outlooks:
                widget.show_outlook(outlooks[node], node == target, carrying)

    def node_at(self, at: QPointF) -> str:
        for node, widget in self._targets.items():
            if widget.isVisible() and widget.visibleRegion().contains(widget.mapFromGlobal(at).toPoint()):
                return node
        return ""

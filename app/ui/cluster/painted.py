"""What a node card paints by hand: the memory bar and the history line."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Final

from PySide6.QtCore import QPointF, QRectF, QSize
from PySide6.QtGui import QColor, QLinearGradient, QPainter, QPainterPath, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.core.snapshot import MemoryView
from app.ui.theme import colour, tokens

BAR_HEIGHT: Final = 9
SPARK_HEIGHT: Final = 34
KEPT: Final = 120


class MemoryBar(QWidget):
    """others | weights | KV | free, as shares of the machine's memory."""

    def __init__(self, node_colour: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._colour = node_colour
        self._memory: MemoryView | None = None
        self.setFixedHeight(BAR_HEIGHT)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def show_memory(self, memory: MemoryView | None) -> None:
        self._memory = memory
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        values = tokens()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        whole = QRectF(self.rect())
        outline = QPainterPath()
        outline.addRoundedRect(whole, BAR_HEIGHT / 2, BAR_HEIGHT / 2)
        painter.setClipPath(outline)
        painter.fillRect(whole, colour(values.track))
        memory = self._memory
        if memory is None or memory.total <= 0:
            return
        own = colour(values.node(self._colour))
        left = 0.0
        for size, ink in (
            (memory.others, colour(values.others)),
            (memory.weights, own),
            (memory.kv, QColor(own).darker(160) if values.dark else QColor(own).lighter(150)),
        ):
            width = whole.width() * size / memory.total
            if size > 0 and width < 2 and ink != colour(values.others):
                width = 2  # a small model on a large machine is still there
            painter.fillRect(QRectF(left, 0, width, whole.height()), ink)
            left += width


class Sparkline(QWidget):
    """The latest values of one measurement; the scale grows with the largest. Nothing is drawn until there are two."""

    def __init__(self, node_colour: int, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._colour = node_colour
        self._values: deque[float] = deque(maxlen=KEPT)
        self.setAccessibleName(name)
        self.setFixedHeight(SPARK_HEIGHT)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        return QSize(120, SPARK_HEIGHT)

    @property
    def values(self) -> Sequence[float]:
        return tuple(self._values)

    def add(self, value: float) -> None:
        self._values.append(value)
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        if len(self._values) < 2:
            return
        values = list(self._values)
        top = max(max(values) * 1.15, 1e-9)
        step = self.width() / (KEPT - 1)
        start = self.width() - step * (len(values) - 1)
        points = [
            QPointF(start + step * index, self.height() - 2 - (self.height() - 4) * value / top)
            for index, value in enumerate(values)
        ]
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        line = QPainterPath(points[0])
        for point in points[1:]:
            line.lineTo(point)
        ground = QPainterPath(line)
        ground.lineTo(points[-1].x(), self.height())
        ground.lineTo(points[0].x(), self.height())
        ink = tokens().node(self._colour)
        shade = QLinearGradient(0, 0, 0, self.height())
        shade.setColorAt(0, colour(ink, 0.28))
        shade.setColorAt(1, colour(ink, 0.0))
        painter.fillPath(ground, shade)
        painter.setPen(QPen(colour(ink), 1.5))
        painter.drawPath(line)


class Dot(QWidget):
    """The node's colour."""

    def __init__(self, node_colour: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._colour = node_colour
        self.setFixedSize(11, 11)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QColor(0, 0, 0, 0))
        painter.setBrush(colour(tokens().node(self._colour)))
        painter.drawEllipse(self.rect().adjusted(1, 1, -1, -1))

"""What a node card paints by hand: the memory bar and the history line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QLinearGradient, QPainter, QPainterPath, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QLabel, QSizePolicy, QWidget

from app.core.snapshot import MemoryView
from app.ui import words
from app.ui.cluster import history
from app.ui.text import as_shown, tr
from app.ui.theme import colour, tokens

BAR_HEIGHT: Final = 9
SPARK_HEIGHT: Final = 30
POINT_PX: Final = 2  # between two points of a line


class MemoryBar(QLabel):  # to a screen reader a plain widget would have no role
    """others | weights | KV | free, as shares of the machine's memory."""

    def __init__(self, node_colour: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._colour = node_colour
        self._memory: MemoryView | None = None
        self.setFixedHeight(BAR_HEIGHT)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def set_colour(self, node_colour: int) -> None:
        if node_colour != self._colour:
            self._colour = node_colour
            self.update()

    def show_memory(self, memory: MemoryView | None) -> None:
        if memory != self._memory or not self.accessibleName():
            self._memory = memory
            self.setAccessibleName(_spoken(memory))
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


def _spoken(memory: MemoryView | None) -> str:
    if memory is None:
        return tr("Memory, not measured yet")
    parts = (
        (tr("weights"), memory.weights),
        (tr("KV"), memory.kv),
        (tr("other programs"), memory.others),
        (tr("free"), memory.free),
    )
    held = ", ".join(f"{words.size(size)} {name}" for name, size in parts)
    return tr("Memory of {total}: {parts}", total=words.size(memory.total), parts=held)


class Sparkline(QLabel):  # to a screen reader a plain widget would have no role
    """A measurement over the last minutes. Painted once a second at most, and not where nothing changed."""

    def __init__(self, node_colour: int, name: str, unit: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._colour = node_colour
        self._name = name
        self._unit = unit
        self._runs: list[list[tuple[float, float]]] = []
        self.setAccessibleName(as_shown(history.spoken(name, (), unit)))
        self.setFixedHeight(SPARK_HEIGHT)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        return QSize(60, SPARK_HEIGHT)

    def minimumSizeHint(self) -> QSize:
        return QSize(30, SPARK_HEIGHT)

    def set_colour(self, node_colour: int) -> None:
        if node_colour != self._colour:
            self._colour = node_colour
            self.update()

    @property
    def runs(self) -> Sequence[Sequence[tuple[float, float]]]:
        """What is drawn: x and y from 0 to 1."""
        return self._runs

    def show_values(self, values: Sequence[float | None], top: float | None = None) -> None:
        """top: what the full height means; None for a bit more than the largest value."""
        runs = history.lines(values, top)
        if runs != self._runs:
            self._runs = runs
            self.setAccessibleName(as_shown(history.spoken(self._name, values, self._unit)))
            self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        values = tokens()
        base = self.height() - 1.0
        painter.fillRect(QRectF(0, base, self.width(), 1), colour(values.track))
        if not self._runs:
            return
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ink = values.node(self._colour)
        shade = QLinearGradient(0, 0, 0, self.height())
        shade.setColorAt(0, colour(ink, 0.28))
        shade.setColorAt(1, colour(ink, 0.0))
        pen = QPen(colour(ink), 1.4)
        for measured in self._runs:
            run = history.thinned(measured, max(1, self.width() // POINT_PX))
            points = [QPointF(x * (self.width() - 1), base - 1 - (self.height() - 5) * y) for x, y in run]
            if len(points) == 1:
                points.append(points[0] + QPointF(1.5, 0))
            ground = QPolygonF([*points, QPointF(points[-1].x(), base), QPointF(points[0].x(), base)])
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(shade)
            painter.drawPolygon(ground)
            painter.setPen(pen)
            painter.drawPolyline(points)


class Dot(QWidget):
    """The node's colour."""

    def __init__(self, node_colour: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._colour = node_colour
        self.setFixedSize(11, 11)

    def set_colour(self, node_colour: int) -> None:
        if node_colour != self._colour:
            self._colour = node_colour
            self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QColor(0, 0, 0, 0))
        painter.setBrush(colour(tokens().node(self._colour)))
        painter.drawEllipse(self.rect().adjusted(1, 1, -1, -1))

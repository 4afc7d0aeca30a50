"""The picture that follows the pointer while a range is carried."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QPointF, QRect, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPixmap
from PySide6.QtWidgets import QWidget

from app.ui import words
from app.ui.board.block import StageBlock, block_height
from app.ui.board.geometry import BLOCK_MINIMUM
from app.ui.board.gesture import Run
from app.ui.board.segments import Segment
from app.ui.text import as_shown

OPACITY = 0.96


class Ghost(QWidget):
    """A grabbed block (or one made for the carried part of it), above the window's content, which hardly shines
    through: its words are read."""

    def __init__(self, window: QWidget, run: Run | None, block: StageBlock, weights: int) -> None:
        super().__init__(window)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._pixmap = _picture(run, block, weights)
        ratio = self._pixmap.devicePixelRatio()
        self.resize(round(self._pixmap.width() / ratio), round(self._pixmap.height() / ratio))
        self.setAccessibleName(as_shown(words.layers(run.first, run.last) if run is not None else ""))
        self.show()
        self.raise_()

    def follow(self, at: QPointF) -> None:
        self.move(self.parentWidget().mapFromGlobal(at).toPoint() + QPoint(10, 8))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setOpacity(OPACITY)
        painter.drawPixmap(0, 0, self._pixmap)


def _picture(run: Run | None, block: StageBlock, weights: int) -> QPixmap:
    widest = 190
    if run is None or (run == block.run and block.width() <= widest):
        return block.grab()
    model = StageBlock(block.parentWidget())
    model.show_segment(Segment(block.segment.node, run.first, run.last), block.outlook, weights, None)
    width = max(BLOCK_MINIMUM + 40, min(widest, block.width() * run.layers // block.segment.layers))
    model.resize(width, block_height())
    picture = model.grab(QRect(0, 0, width, block_height()))
    model.deleteLater()
    return picture

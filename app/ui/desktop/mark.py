"""The program's mark: layers on machines. For the window, the tray and the notices."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QIcon, QPainter, QPixmap

from app.ui.theme.resources import icon_pixmap

SIZES = (16, 24, 32, 48, 64, 128, 256)
TRAY_SIZES = (16, 22, 32, 44)


def mark_pixmap(size: int, ratio: float = 1.0) -> QPixmap:
    return icon_pixmap("shardboard", "#000000", size, ratio)


def mark_icon() -> QIcon:
    icon = QIcon()
    for size in SIZES:
        icon.addPixmap(mark_pixmap(size))
    return icon


def tray_icon(ink: str, dot: str) -> QIcon:
    """The mark in one colour, and a dot that tells the state; dot: "" for none, and then a Mac may colour it."""
    icon = QIcon()
    for size in TRAY_SIZES:
        pixmap = icon_pixmap("tray", ink, size)
        if dot:
            painter = QPainter(pixmap)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(dot))
            painter.drawEllipse(QRectF(size * 0.62, size * 0.04, size * 0.36, size * 0.36))
            painter.end()
        icon.addPixmap(pixmap)
    icon.setIsMask(not dot)
    return icon

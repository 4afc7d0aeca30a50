"""Where fonts and icons lie, and how they become Qt values."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from PySide6.QtCore import QByteArray, QRectF, QSize, Qt
from PySide6.QtGui import QFont, QFontDatabase, QIcon, QPainter, QPixmap, QPixmapCache
from PySide6.QtSvg import QSvgRenderer

from app.ui.theme.tokens import TEXT

SANS: Final = "Inter"
MONO: Final = "JetBrains Mono"


def resources_dir() -> Path:
    return Path(__file__).resolve().parents[3] / "resources"


def load_fonts() -> tuple[str, ...]:
    """Makes the bundled fonts known to Qt; returns the families that came of it."""
    families: list[str] = []
    for path in sorted((resources_dir() / "fonts").glob("*.[ot]tf")):
        number = QFontDatabase.addApplicationFont(str(path))
        if number >= 0:
            families += QFontDatabase.applicationFontFamilies(number)
    return tuple(dict.fromkeys(families))


def sans(size: int | None = None, weight: QFont.Weight = QFont.Weight.Normal) -> QFont:
    """Inter with figures of one width, so that a number that changes does not move its neighbours. size: of TEXT."""
    font = QFont(SANS)
    font.setPixelSize(TEXT.body if size is None else size)
    font.setWeight(weight)
    font.setFeature(QFont.Tag("tnum"), 1)
    font.setStyleHint(QFont.StyleHint.SansSerif)
    return font


def mono(size: int | None = None, weight: QFont.Weight = QFont.Weight.Normal) -> QFont:
    font = QFont(MONO)
    font.setPixelSize(TEXT.small if size is None else size)
    font.setWeight(weight)
    font.setStyleHint(QFont.StyleHint.Monospace)
    font.setFixedPitch(True)
    return font


def icon(name: str, colour: str, disabled: str | None = None, size: int = 18) -> QIcon:
    """resources/icons/NAME.svg drawn in this colour (and another one while disabled)."""
    result = QIcon()
    for ratio in (1, 2):
        result.addPixmap(icon_pixmap(name, colour, size, ratio))
        if disabled is not None:
            result.addPixmap(icon_pixmap(name, disabled, size, ratio), QIcon.Mode.Disabled)
    return result


def icon_pixmap(name: str, colour: str, size: int = 18, ratio: float = 1.0) -> QPixmap:
    """Drawn once and then taken from Qt's own store: a chat has hundreds of them."""
    key = f"shardboard/{name}/{colour}/{size}/{ratio}"
    kept = QPixmap()
    if QPixmapCache.find(key, kept):
        return kept
    svg = (resources_dir() / "icons" / f"{name}.svg").read_text(encoding="utf-8").replace("currentColor", colour)
    pixmap = QPixmap(QSize(size, size) * ratio)
    pixmap.setDevicePixelRatio(ratio)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    QSvgRenderer(QByteArray(svg.encode())).render(painter, QRectF(0, 0, size, size))
    painter.end()
    QPixmapCache.insert(key, pixmap)
    return pixmap

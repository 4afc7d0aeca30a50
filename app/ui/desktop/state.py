"""Where the window was, how large, and what it showed; kept in settings.ini, checked against the screens of today."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QByteArray, QPoint, QRect, QSettings, QSize

if TYPE_CHECKING:
    from app.ui.window import MainWindow

GRIP: Final = QSize(120, 24)  # so much of the title's strip must lie on a screen for a hand to take it
USUAL: Final = QSize(1440, 900)


def fitted(wanted: QRect, screens: Sequence[QRect], least: QSize) -> QRect:
    """The window's rectangle on these screens' free places: where it was if it can be taken hold of there, else in the
    middle of the first; never larger than its screen, never smaller than `least` unless the screen is.
    """
    if not screens:
        return wanted
    strip = QRect(wanted.topLeft(), QSize(wanted.width(), max(GRIP.height(), 1)))
    shared = [(_area(screen.intersected(wanted)), screen) for screen in screens if _grip(screen.intersected(strip))]
    screen = max(shared, key=lambda each: each[0])[1] if shared else screens[0]
    size = wanted.size().expandedTo(least).boundedTo(screen.size())
    if not shared:
        room = screen.size() - size
        return QRect(screen.topLeft() + QPoint(room.width() // 2, room.height() // 2), size)
    if size == wanted.size():
        return wanted
    corner = QPoint(
        max(screen.left(), min(wanted.left(), screen.right() + 1 - size.width())),
        max(screen.top(), min(wanted.top(), screen.bottom() + 1 - size.height())),
    )
    return QRect(corner, size)


def _grip(part: QRect) -> bool:
    return part.width() >= GRIP.width() and part.height() >= GRIP.height() // 2


def _area(part: QRect) -> int:
    return max(0, part.width()) * max(0, part.height())


class WindowState:
    """Reads and writes it. Nothing here fails: a file that holds something else is as good as none."""

    def __init__(self, file: QSettings) -> None:
        self._file = file
        self._split: QByteArray | None = None  # as the hand left it: a hidden chat has no width to remember

    def restore(self, window: MainWindow) -> None:
        place = self._file.value("geometry")
        if not (isinstance(place, QByteArray) and window.restoreGeometry(place)):
            window.resize(USUAL)
        for key, splitter, usual in (
            ("splitter", window.splitter, [860, 400]),
            ("activity", window.cluster.splitter, [620, 190]),
        ):
            value = self._file.value(key)
            if not isinstance(value, QByteArray) or not splitter.restoreState(value):
                splitter.setSizes(usual)
        window.splitter.splitterMoved.connect(lambda *_: self._keep_split(window))

    def place(self, places: Sequence[str]) -> str:
        """The place that was shown last, else the first."""
        found = str(self._file.value("place", ""))
        return found if found in places else places[0]

    def save(self, window: MainWindow) -> None:
        self._file.setValue("geometry", window.saveGeometry())
        if self._split is not None:
            self._file.setValue("splitter", self._split)
        if window.cluster.splitter.by_hand:
            self._file.setValue("activity", window.cluster.splitter.saveState())
        self._file.setValue("place", window.place)
        self._file.sync()

    def _keep_split(self, window: MainWindow) -> None:
        self._split = window.splitter.saveState()


def keep_on_screen(window: MainWindow) -> None:
    """Moves the window to where it can be seen, such as after a screen was taken away."""
    if window.isMaximized() or window.isFullScreen():
        return
    application = window.screen().virtualSiblings()
    frame = window.frameGeometry()
    least = window.minimumSize() + (frame.size() - window.size())
    found = fitted(frame, [window.screen().availableGeometry(), *(s.availableGeometry() for s in application)], least)
    if found != frame:
        window.resize(found.size() - (frame.size() - window.size()))
        window.move(found.topLeft())

"""A person at the real window: a thread that looks at it, moves the real pointer and presses real keys by xdotool.

The window runs in the main thread as it always does, small loops of menus and file dialogs included; what the person
looks at is read there too.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import TypeVar

from PySide6.QtCore import QEvent, QObject, QPoint, QRect, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication, QScrollArea, QWidget

from app.ui.window import MainWindow

T = TypeVar("T")

PATIENCE_S = 90.0
LOOK_EVERY_S = 0.03
STILL_S = 0.12
STIRRING_S = 3.0
WHEEL_DOWN, WHEEL_UP = "5", "4"


class Eyes(QObject):
    """Runs functions in the window's thread. Stands in for a window manager too: a new window gets the keyboard."""

    _asked = Signal(object)

    def __init__(self, app: QApplication) -> None:
        super().__init__()
        self._app = app
        self._asked.connect(self._answer, Qt.ConnectionType.QueuedConnection)
        app.installEventFilter(self)

    def see(self, function: Callable[[], T]) -> T:
        """What function() returns there. Called in the person's thread."""
        future: Future[T] = Future()
        self._asked.emit((function, future))
        return future.result(PATIENCE_S)

    @Slot(object)
    def _answer(self, asked: tuple[Callable[[], object], Future[object]]) -> None:
        function, future = asked
        try:
            future.set_result(function())
        except Exception as error:
            future.set_exception(error)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.Show, QEvent.Type.Hide) and isinstance(watched, QWidget) and watched.isWindow():
            QTimer.singleShot(0, self, self._give_keyboard)
        return False

    def _give_keyboard(self) -> None:
        wanted = self._app.activeModalWidget() or main_window(self._app)
        if wanted is not None and wanted.isVisible() and self._app.activePopupWidget() is None:
            wanted.activateWindow()


class Hands:
    """Used in the person's thread. Whatever is clicked has to be seen first: on the screen, in front, at rest."""

    def __init__(self, app: QApplication, out: Path, scale: float) -> None:
        self._app = app
        self._eyes = Eyes(app)
        self._out = out
        self._scale = scale

    # -- looking ------------------------------------------------------------------------------------------------------

    def see(self, function: Callable[[], T]) -> T:
        return self._eyes.see(function)

    def until(self, condition: Callable[[], object], what: str, seconds: float = PATIENCE_S) -> None:
        deadline = time.monotonic() + seconds
        while not self.see(condition):
            if time.monotonic() > deadline:
                raise AssertionError(f"waited in vain for {what}")
            time.sleep(LOOK_EVERY_S)

    def find(self, kind: type[T], what: str = "") -> T:
        """The visible window of this kind, once it is there."""

        def found() -> T | None:
            return next(
                (each for each in self._app.topLevelWidgets() if isinstance(each, kind) and each.isVisible()), None
            )

        self.until(lambda: found() is not None, what or kind.__name__)
        window = self.see(found)
        assert window is not None
        return window

    def photograph(self, name: str, at_once: bool = False) -> None:
        """The whole screen, when it has come to rest or has stirred for a while; at_once: as it is."""
        number = 1 + len(list(self._out.glob("[0-9][0-9]-*.png")))
        path = self._out / f"{number:02}-{name}.png"
        deadline = time.monotonic() + (0.0 if at_once else STIRRING_S)
        time.sleep(STILL_S)  # what was read a moment ago is painted by now
        before = self.see(self._screen)
        while time.monotonic() < deadline:
            time.sleep(STILL_S)
            now = self.see(self._screen)
            if now == before:
                break
            before = now
        before.save(str(path), quality=0)  # the smallest file

    def _screen(self) -> QImage:
        """What is seen of the program's window and of all that is in front of it."""
        main = main_window(self._app)
        place = main.geometry() if main is not None else self._app.primaryScreen().geometry()
        picture = self._app.primaryScreen().grabWindow(0, place.x(), place.y(), place.width(), place.height())
        return picture.toImage().convertToFormat(QImage.Format.Format_RGB888)

    # -- the pointer and the keys -------------------------------------------------------------------------------------

    def click(self, widget: Callable[[], QWidget], what: str = "", share: tuple[float, float] = (0.5, 0.5)) -> None:
        """In the widget's middle, or at this share of its width and height."""
        self._do("mousemove", *self._place(widget, what, share), "click", "1")

    def drag(self, begin: QPoint, end: QPoint, before_the_end: Callable[[], object] | None = None) -> None:
        """Between points of the screen, in Qt's units. before_the_end: called before the button is let go."""
        words = ["mousemove", *self._at(begin), "mousedown", "1"]
        for step in range(1, 13):
            words += ["mousemove", *self._at(begin + (end - begin) * step / 12), "sleep", "0.01"]
        self._do(*words)
        if before_the_end is not None:
            before_the_end()
        self._do("mouseup", "1")

    def write(self, text: str) -> None:
        self._do("type", "--delay", "4", text)

    def press(self, *keys: str) -> None:
        self._do("key", *keys)

    def away(self) -> None:
        """The pointer where it touches nothing."""
        self._do("mousemove", "0", "0")

    def _place(self, widget: Callable[[], QWidget], what: str, share: tuple[float, float]) -> tuple[str, str]:
        """Where it can be clicked: waits until it stands still, is enabled and nothing is in front of it."""
        deadline = time.monotonic() + PATIENCE_S
        last: QPoint | None = None
        reason = "it was never looked at"
        while time.monotonic() < deadline:
            at, reason = self.see(lambda: self._look(widget(), share))
            if at is not None and at == last:
                return self._at(at)
            last = at
            if reason in ("below", "above"):
                self._scroll(widget, reason)
            time.sleep(LOOK_EVERY_S)
        raise AssertionError(f"could not click {what or self.see(lambda: repr(widget()))}: {reason}")

    def _look(self, widget: QWidget, share: tuple[float, float]) -> tuple[QPoint | None, str]:
        if not widget.isVisible():
            return None, "it is hidden"
        if not widget.isEnabled():
            return None, f"it is disabled: {widget.toolTip()}"
        inside = QPoint(round(widget.width() * share[0]), round(widget.height() * share[1]))
        at = widget.mapToGlobal(inside)
        area = _scroll_area(widget)
        if area is not None:
            shown = QRect(area.viewport().mapToGlobal(QPoint(0, 0)), area.viewport().size())
            room = widget.rect().translated(widget.mapToGlobal(QPoint(0, 0)))
            if room.height() < shown.height() and room.bottom() > shown.bottom():
                return None, "below"
            if room.height() < shown.height() and room.top() < shown.top():
                return None, "above"
        top = self._app.widgetAt(at)
        if top is None or not (top is widget or widget.isAncestorOf(top)):
            return None, f"{top!r} is in front of it"
        return at, ""

    def _scroll(self, widget: Callable[[], QWidget], where: str) -> None:
        def middle() -> QPoint:
            area = _scroll_area(widget())
            assert area is not None
            return area.viewport().mapToGlobal(area.viewport().rect().center())

        self._do("mousemove", *self._at(self.see(middle)), "click", WHEEL_DOWN if where == "below" else WHEEL_UP)

    def _at(self, point: QPoint) -> tuple[str, str]:
        """In the screen's own pixels."""
        return str(round(point.x() * self._scale)), str(round(point.y() * self._scale))

    def _do(self, *words: str) -> None:
        subprocess.run(["xdotool", *words], check=True, timeout=60)


def main_window(app: QApplication) -> MainWindow | None:
    return next((each for each in app.topLevelWidgets() if isinstance(each, MainWindow)), None)


def _scroll_area(widget: QWidget) -> QScrollArea | None:
    parent = widget.parentWidget()
    while parent is not None and not isinstance(parent, QScrollArea):
        if parent.isWindow():
            return None
        parent = parent.parentWidget()
    return parent


def act(app: QApplication, hands: Hands, play: Callable[[], None]) -> Callable[[], bool]:
    """Begins the person's thread, which does play(); call what is returned at the end: whether all went well. What
    fails is shown, with a picture, and ends the program."""
    outcome: list[bool] = []

    def person() -> None:
        try:
            play()
            outcome.append(True)
        except BaseException as error:
            outcome.append(False)
            _tell(app, hands, error)

    thread = threading.Thread(target=person, name="person", daemon=True)
    QTimer.singleShot(0, thread.start)

    def ended() -> bool:
        thread.join(PATIENCE_S)
        return outcome == [True]

    return ended


def _tell(app: QApplication, hands: Hands, error: BaseException) -> None:
    traceback.print_exception(error)

    def last_words() -> None:
        window = main_window(app)
        for entry in window.bridge.activity if window is not None else ():
            print(f"{entry.level.value:8} {entry.node:8} {entry.message}", file=sys.stderr)

    try:
        hands.photograph("failed")
        hands.see(last_words)
        hands.see(lambda: app.exit(1))
    except BaseException as further:
        print(f"and the window does not answer: {further!r}", file=sys.stderr, flush=True)
        os._exit(3)

"""The window's life: application, bridge, window, and an end without traces."""

from __future__ import annotations

import contextlib
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QEvent, QObject, QSocketNotifier, QTimer, Signal
from PySide6.QtWidgets import QApplication

from app.core.errors import SentenceError
from app.core.paths import ControllerPaths
from app.core.settings.store import read_settings
from app.ui.bridge import CoreBridge
from app.ui.desktop.instance import SingleInstance
from app.ui.text import install_system_language
from app.ui.theme import Theme
from app.ui.window import MainWindow

if TYPE_CHECKING:
    from app.core.controller import Controller

FIRST_PAINT_S = 3.0

Then = Callable[["Controller"], Any]


def run_window(
    factory: Callable[[], Controller], paths: ControllerPaths, title: str, then: Then | None = None, first: bool = False
) -> int:
    """Shows the window until it is closed. then: run on the core once it has started, such as the demo's deployment.
    first: whether the first start is shown over it."""
    app = QApplication.instance() or QApplication(sys.argv[:1])
    assert isinstance(app, QApplication)
    app.setApplicationName("Shardboard")
    instance = SingleInstance(paths.data)
    if not instance.first:
        return 0 if instance.ask_to_raise() else _not_raised()
    damaged = install_system_language(app)
    shown = threading.Event()

    def behind() -> Controller:
        shown.wait(FIRST_PAINT_S)  # the core's imports would take half the processor from the window's first picture
        return factory()

    try:
        with opened(app, behind, paths, title, then) as window:
            instance.raise_wanted.connect(window.come_forward)
            window.desktop.keep_on_screen()
            if damaged is not None:
                window.banner.show_error(damaged)
            window.show()
            _FirstPaint(window).painted.connect(lambda: (shown.set(), window.first_start() if first else None))
            with _ends_on_signals(app):
                return app.exec()
    finally:
        shown.set()
        instance.close()


class _FirstPaint(QObject):
    """Signals: painted(), after the window's first picture; what is not part of it begins then."""

    painted = Signal()

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        window.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Paint:
            watched.removeEventFilter(self)
            QTimer.singleShot(0, self, self.painted.emit)
        return False


def _not_raised() -> int:
    """Another window holds the data and does not answer: said as every command says its errors."""
    print(
        "Shardboard is open already, and its window does not answer. Close it, or end its process, and start again.",
        file=sys.stderr,
    )
    return 1


def _fingerprint(paths: ControllerPaths) -> str:
    """This controller's; "" where its key cannot be read, which the core says as it starts."""
    from shardd.identity import load_or_create_identity  # cryptography: not part of the first picture

    try:
        return load_or_create_identity(paths.identity, "controller").fingerprint
    except SentenceError:
        return ""


@contextlib.contextmanager
def opened(
    app: QApplication,
    factory: Callable[[], Controller],
    paths: ControllerPaths,
    title: str,
    then: Then | None = None,
    mode: str = "",
) -> Iterator[MainWindow]:
    """A window with its core running; both are gone afterwards. mode: "dark", "light" or "" for what was chosen."""
    chosen = read_settings(paths.preferences).settings
    theme = Theme(app, mode or chosen.appearance, chosen.text_scale, dressed=False)
    bridge = CoreBridge(factory)
    window = MainWindow(bridge, theme, paths, title, lambda: _fingerprint(paths))
    window.desktop.set_motion(chosen)
    bridge.start()
    if then is not None:
        bridge.run(then, None, window.banner.show_error)
    try:
        yield window
    finally:
        window.close()
        bridge.close()
        window.release()
        window.deleteLater()
        app.processEvents()


@contextlib.contextmanager
def _ends_on_signals(app: QApplication) -> Iterator[None]:
    """Ctrl-C and SIGTERM close the window as its owner would: Python runs signal handlers only between bytecodes, so
    a socket wakes Qt's loop."""
    reader, writer = socket.socketpair()
    reader.setblocking(False)
    writer.setblocking(False)
    former = signal.set_wakeup_fd(writer.fileno())
    handlers = {
        number: signal.signal(number, lambda *_: app.closeAllWindows()) for number in (signal.SIGINT, signal.SIGTERM)
    }
    notifier = QSocketNotifier(reader.fileno(), QSocketNotifier.Type.Read)
    notifier.activated.connect(lambda *_: _drain(reader))
    try:
        yield
    finally:
        notifier.setEnabled(False)
        signal.set_wakeup_fd(former)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        reader.close()
        writer.close()


def _drain(reader: socket.socket) -> None:
    with contextlib.suppress(BlockingIOError):
        reader.recv(64)

"""The window's life: application, bridge, window, and an end without traces."""

from __future__ import annotations

import contextlib
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from typing import Any

from PySide6.QtCore import QSettings, QSocketNotifier
from PySide6.QtWidgets import QApplication

from app.core.controller import Controller
from app.core.paths import ControllerPaths
from app.ui.bridge import CoreBridge
from app.ui.theme import Theme
from app.ui.window import MainWindow
from shardd.identity import load_or_create_identity

Then = Callable[[Controller], Any]


def run_window(factory: Callable[[], Controller], paths: ControllerPaths, title: str, then: Then | None = None) -> int:
    """Shows the window until it is closed. then: run on the core once it has started, such as the demo's deployment."""
    app = QApplication.instance() or QApplication(sys.argv[:1])
    assert isinstance(app, QApplication)
    app.setApplicationName("Shardboard")
    with opened(app, factory, paths, title, then) as window:
        window.show()
        with _ends_on_signals(app):
            return app.exec()


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
    chosen = mode or str(QSettings(str(paths.settings), QSettings.Format.IniFormat).value("appearance", "system"))
    theme = Theme(app, chosen)
    bridge = CoreBridge(factory)
    fingerprint = load_or_create_identity(paths.identity, "controller").fingerprint
    window = MainWindow(bridge, theme, paths, title, fingerprint)
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

"""Puts the window on its desktop: menus, tray, notices, what is said to a screen reader, where it was last time."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QSettings, Qt
from PySide6.QtWidgets import QApplication

from app.core.settings.settings import Settings
from app.ui.desktop.announcer import Announcer
from app.ui.desktop.deeds import deeds
from app.ui.desktop.menus import Menus
from app.ui.desktop.motion import apply_motion, reduced_motion, system_reduces
from app.ui.desktop.notices import Notice
from app.ui.desktop.notifier import Notifier
from app.ui.desktop.state import WindowState, keep_on_screen
from app.ui.desktop.tray import Tray, tray_exists

if TYPE_CHECKING:
    from app.ui.window import MainWindow


class Desktop(QObject):
    """Made by the window when its pages stand. Attributes: tray, None where the desktop has none."""

    def __init__(self, window: MainWindow, file: QSettings) -> None:
        super().__init__(window)
        self._window = window
        self.state = WindowState(file)
        self.menus = Menus(window.menuBar(), deeds(window))
        self.announcer = Announcer(window)
        self.notifier = Notifier(window, self.looked_at)
        self.tray = Tray(window) if tray_exists() else None
        self.notifier.wanted.connect(self._show_notice)
        window.bridge.activity_added.connect(self.announcer.say_entry)
        window.chosen.changed.connect(self.set_motion)
        app = QApplication.instance()
        if isinstance(app, QApplication):
            app.screenRemoved.connect(self.keep_on_screen)

    def looked_at(self) -> bool:
        """Whether the window, or a dialog of it, is in front."""
        return QApplication.activeWindow() is not None and not self._window.isMinimized()

    def set_motion(self, settings: Settings) -> None:
        app = QApplication.instance()
        if isinstance(app, QApplication):
            apply_motion(app, reduced_motion(settings.motion, os.environ, system_reduces(sys.platform)))

    def close(self) -> None:
        """Before the window is gone."""
        self.state.save(self._window)
        if self.tray is not None:
            self.tray.hide()

    def keep_on_screen(self) -> None:
        """Where a hand can reach the window, on the screens that exist now."""
        keep_on_screen(self._window)

    def _show_notice(self, notice: Notice) -> None:
        if self.tray is not None:
            self.tray.show_notice(notice)
        QApplication.alert(self._window)


def come_forward(window: MainWindow) -> None:
    """Shows the window in front of the others, however it was put away."""
    window.setWindowState(window.windowState() & ~Qt.WindowState.WindowMinimized)
    window.show()
    window.raise_()
    window.activateWindow()

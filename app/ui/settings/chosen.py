"""The settings as the window sees them: read from the file at once, then followed on the core."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal

from app.core.paths import ControllerPaths
from app.core.settings.store import SettingsView, read_settings
from app.ui.bridge import CoreBridge


class Chosen(QObject):
    """Attributes: now, the settings in force; problem, what was wrong with their file.

    Signals: changed(Settings), after each change by anybody; failed(exception), a change could not be made.
    """

    changed = Signal(object)
    failed = Signal(object)

    def __init__(self, bridge: CoreBridge, paths: ControllerPaths, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._bridge = bridge
        found = read_settings(paths.preferences)
        self.now = found.settings
        self.problem = found.problem
        bridge.when_ready(self._follow)

    def change(self, **changes: object) -> None:
        """Asks the core to put these values in force; nothing is shown as changed before it did."""
        if any(getattr(self.now, name) != value for name, value in changes.items()):
            self._bridge.run(lambda controller: controller.settings.change(**changes), None, self._refused)

    def reserve(self, machine: str, size: int) -> None:
        """Keeps so many bytes free on a machine."""
        if self.now.reserve_of(machine) != size:
            self._bridge.run(lambda controller: controller.settings.reserve(machine, size), None, self._refused)

    def _follow(self) -> None:
        stream = self._bridge.stream(lambda controller: controller.settings.watch())
        stream.updates.connect(lambda batch: self._show(batch[-1]))

    def _show(self, view: SettingsView) -> None:
        self.now, self.problem = view.settings, view.problem
        self.changed.emit(self.now)

    def _refused(self, error: BaseException) -> None:
        self.changed.emit(self.now)  # controls go back to what is in force
        self.failed.emit(error)

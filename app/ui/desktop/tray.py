"""The icon in the system's tray: the cluster's state, a menu, the system's notices. Without a tray, nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QObject
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu, QSystemTrayIcon

from app.ui.chat.text import stop_obstacle
from app.ui.desktop.mark import tray_icon
from app.ui.desktop.notices import Notice, cluster_line, cluster_tone, deployment_line
from app.ui.text import as_shown, shown, tr
from app.ui.theme import tokens
from app.ui.widgets import explain
from app.ui.widgets.labels import plain_tooltip

if TYPE_CHECKING:
    from app.core.snapshot import Snapshot
    from app.ui.window import MainWindow

SHOWN_MS: Final = 10_000
KINDS: Final = {
    "info": QSystemTrayIcon.MessageIcon.Information,
    "warning": QSystemTrayIcon.MessageIcon.Warning,
    "error": QSystemTrayIcon.MessageIcon.Critical,
}


def tray_exists() -> bool:
    return QSystemTrayIcon.isSystemTrayAvailable()


class Tray(QObject):
    """Attributes: state and model, the menu's first two lines, which only tell."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self._last: Notice | None = None
        self._drawn = ""
        self.icon = QSystemTrayIcon(self)
        self.menu = QMenu(window)
        self.state, self.model = QAction("", self.menu), QAction("", self.menu)
        for line in (self.state, self.model):
            line.setEnabled(False)
            self.menu.addAction(line)
        self.menu.addSeparator()
        self.show_action = self._line(tr("Show Shardboard"), window.come_forward)
        self._line(tr("New chat"), lambda: (window.come_forward(), window.go("Chat"), window.chat.new_chat()))
        self.stop_action = self._line(tr("Stop the answer"), window.chat.stop)
        self.menu.addSeparator()
        self._line(tr("Quit Shardboard"), window.quit)
        self.icon.setContextMenu(self.menu)
        self.icon.activated.connect(self._on_activated)
        self.icon.messageClicked.connect(self._on_message_clicked)
        window.bridge.snapshot_changed.connect(self.show_snapshot)
        window.theme.changed.connect(lambda: self.show_snapshot(window.bridge.snapshot))
        self.menu.aboutToShow.connect(lambda: explain(self.stop_action, stop_obstacle(window.chat.writing)))
        self.show_snapshot(window.bridge.snapshot)
        self.icon.setVisible(tray_exists())

    def show_snapshot(self, snapshot: Snapshot) -> None:
        machines, model = shown(cluster_line(snapshot)), shown(deployment_line(snapshot))
        self.state.setText(as_shown(machines))
        self.model.setText(as_shown(model))
        self.icon.setToolTip(plain_tooltip(f"Shardboard\n{machines}\n{model}"))
        tone, values = cluster_tone(snapshot), tokens()
        dot = {"success": values.success, "warning": values.warning, "danger": values.danger}.get(tone, "")
        if f"{dot} {values.name}" != self._drawn:
            self._drawn = f"{dot} {values.name}"
            self.icon.setIcon(tray_icon(values.text, dot))

    def show_notice(self, notice: Notice) -> None:
        if self.icon.supportsMessages():
            self._last = notice
            self.icon.showMessage(shown(notice.title), shown(notice.text), KINDS[notice.kind], SHOWN_MS)

    def hide(self) -> None:
        self.icon.hide()

    def _line(self, text: str, act) -> QAction:  # type: ignore[no-untyped-def]
        action = QAction(tr(text), self.menu)
        action.triggered.connect(lambda _checked=False: act())
        self.menu.addAction(action)
        return action

    def _on_activated(self, reason: QSystemTrayIcon.ActivationReason) -> None:
        if reason in (QSystemTrayIcon.ActivationReason.Trigger, QSystemTrayIcon.ActivationReason.DoubleClick):
            self._window.come_forward()

    def _on_message_clicked(self) -> None:
        self._window.come_forward()
        if self._last is not None:
            self._window.go(self._last.place)

"""The window: places on the left, a page in the middle, the chat beside it."""

from __future__ import annotations

from PySide6.QtCore import QSettings, Qt
from PySide6.QtGui import QCloseEvent
from PySide6.QtWidgets import QHBoxLayout, QMainWindow, QSplitter, QStackedWidget, QVBoxLayout, QWidget

from app.core.chat.shelf import StoreShelf
from app.core.chat.store import ConversationStore
from app.core.errors import ShardboardError
from app.core.paths import ControllerPaths
from app.core.snapshot import Snapshot
from app.ui.bridge import CoreBridge
from app.ui.chat import ChatPane
from app.ui.cluster.page import ClusterPage
from app.ui.desktop.desktop import Desktop, come_forward
from app.ui.desktop.mark import mark_icon
from app.ui.desktop.notices import cluster_line, deployment_line
from app.ui.desktop.side_bar import SideBar
from app.ui.models import ModelsPage
from app.ui.settings import SettingsPage
from app.ui.text import shown
from app.ui.theme import Theme, scaled
from app.ui.widgets import Banner

PLACES = ("Cluster", "Models", "Chat", "Settings")
CHAT_BESIDE_WIDTH = 1180  # narrower windows show the chat as a place of its own


class MainWindow(QMainWindow):
    def __init__(self, bridge: CoreBridge, theme: Theme, paths: ControllerPaths, title: str, fingerprint: str) -> None:
        super().__init__()
        self.bridge = bridge
        self.theme = theme
        self.banner = Banner()
        self._store = self._open_store(paths)
        self._place = "Cluster"
        self.setWindowTitle(title)
        self.setWindowIcon(mark_icon())
        self.setMinimumSize(960, 600)
        self.cluster = ClusterPage(bridge)
        self.models = ModelsPage(bridge)
        self.settings = SettingsPage(bridge, theme, paths, fingerprint)
        self.chat = ChatPane(bridge, StoreShelf(self._store) if self._store else None)
        self.models.placed.connect(lambda: self.go("Cluster"))
        self.cluster.set_up_wanted.connect(self.first_start)
        self.settings.token_changed.connect(self.models.hub.show_token)

        self._pages = QStackedWidget()
        for page in (self.cluster, self.models, self.settings):
            self._pages.addWidget(page)
        self.splitter = QSplitter(Qt.Orientation.Horizontal)
        self.splitter.addWidget(self._pages)
        self.splitter.addWidget(self.chat)
        self.splitter.setStretchFactor(0, 3)
        self.splitter.setStretchFactor(1, 1)
        self.splitter.setChildrenCollapsible(False)
        body = QWidget()
        column = QVBoxLayout(body)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.banner)
        column.addWidget(self.splitter, 1)
        whole = QWidget()
        row = QHBoxLayout(whole)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        self.side_bar = SideBar(PLACES, self.go)
        row.addWidget(self.side_bar)
        row.addWidget(body, 1)
        self.setCentralWidget(whole)
        self.desktop = Desktop(self, QSettings(str(paths.settings), QSettings.Format.IniFormat))
        bridge.snapshot_changed.connect(self._show_snapshot)
        bridge.start_failed.connect(lambda error: self.banner.show_error(error))
        self._show_snapshot(bridge.snapshot)
        theme.changed.connect(self._arrange)
        self.desktop.state.restore(self)
        self.go(self.desktop.state.place(PLACES))

    def _open_store(self, paths: ControllerPaths) -> ConversationStore | None:
        """The conversations on disk; None, with the reason shown, where they cannot be used."""
        try:
            store = ConversationStore(paths.conversations)
        except ShardboardError as error:
            self.banner.show_error(error)
            return None
        if store.damaged is not None:
            cause = "The file of conversations was damaged and set aside; a new one was begun."
            self.banner.show_message(cause, f"It is kept as {store.damaged}.", tone="warning")
        return store

    def go(self, place: str) -> None:
        """Shows one of PLACES."""
        self._place = place
        self.side_bar.show_place(place)
        self._arrange()
        if place == "Chat":
            self.chat.focus_composer()

    @property
    def place(self) -> str:
        return self._place

    def come_forward(self) -> None:
        """Shows the window in front of the others, however it was put away."""
        come_forward(self)

    def quit(self) -> None:
        """Ends the program, as closing the window does."""
        self.close()

    def first_start(self) -> None:
        """The three steps of the first start, again."""
        from app.ui.first_start import open_first_start  # not needed by a window that opens

        open_first_start(self, self.bridge, self.settings.chosen, self.go)

    def explain_reach(self) -> None:
        """Why can't I see my Mac?"""
        from app.ui.first_start import open_reach

        open_reach(self, self.bridge)

    def _show_snapshot(self, snapshot: Snapshot) -> None:
        self.side_bar.status.setText(f"{shown(cluster_line(snapshot))}\n{shown(deployment_line(snapshot))}")

    # -- arrangement --------------------------------------------------------------------------------------------------

    def _arrange(self) -> None:
        """The chat stands beside the board where there is room, and alone as the place Chat."""
        wide = self.width() >= scaled(CHAT_BESIDE_WIDTH)
        alone = self._place == "Chat"
        self._pages.setVisible(not alone)
        self.chat.setVisible(alone or (wide and self._place == "Cluster"))
        page = {"Cluster": self.cluster, "Models": self.models, "Settings": self.settings}.get(self._place)
        if page is not None:
            self._pages.setCurrentWidget(page)

    def resizeEvent(self, event: object) -> None:
        super().resizeEvent(event)  # type: ignore[arg-type]
        self._arrange()

    def closeEvent(self, event: QCloseEvent) -> None:
        self.desktop.close()
        self.chat.desk.stop_all()
        super().closeEvent(event)

    def release(self) -> None:
        """Closes what the window keeps open; after the bridge was closed."""
        if self._store is not None:
            self._store.close()

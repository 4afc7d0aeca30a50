"""The window: places on the left, a page in the middle, the chat beside it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import QSettings, Qt
from PySide6.QtGui import QCloseEvent
from PySide6.QtWidgets import QHBoxLayout, QLayout, QMainWindow, QStackedWidget, QVBoxLayout, QWidget

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
from app.ui.settings.chosen import Chosen
from app.ui.text import as_shown, shown, tr
from app.ui.theme import Theme, scaled
from app.ui.widgets import Banner, PaneSplitter

if TYPE_CHECKING:
    from app.ui.models.page import ModelsPage
    from app.ui.settings.page import SettingsPage

PLACES = ("Cluster", "Models", "Chat", "Settings")
CHAT_BESIDE_WIDTH = 1180  # narrower windows show the chat as a place of its own


class MainWindow(QMainWindow):
    """fingerprint: gives this controller's own; it is asked when Settings are shown.

    Models and Settings are made when somebody asks for them: the window is there a third of a second earlier.
    """

    def __init__(
        self, bridge: CoreBridge, theme: Theme, paths: ControllerPaths, title: str, fingerprint: Callable[[], str]
    ) -> None:
        super().__init__()
        self.bridge = bridge
        self.theme = theme
        self.banner = Banner()
        self.chosen = Chosen(bridge, paths, self)
        self.chosen.failed.connect(self._show_not_kept)
        self._paths = paths
        self._fingerprint = fingerprint
        self._models: ModelsPage | None = None
        self._settings: SettingsPage | None = None
        self._store = self._open_store(paths)
        self._place = "Cluster"
        self.setWindowTitle(as_shown(title))
        self.setWindowIcon(mark_icon())
        self.setMinimumSize(960, 600)
        self.cluster = ClusterPage(bridge)
        self.chat = ChatPane(bridge, StoreShelf(self._store) if self._store else None)
        self.cluster.set_up_wanted.connect(self.first_start)

        self._pages = QStackedWidget()
        self._pages.addWidget(self.cluster)
        self.splitter = PaneSplitter(Qt.Orientation.Horizontal, tr("Boundary between the place and the chat"))
        self.splitter.addWidget(self._pages)
        self.splitter.addWidget(self.chat)
        self.splitter.setStretchFactor(0, 3)
        self.splitter.setStretchFactor(1, 1)
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
        theme.dress()  # before sizes are given: they follow from what the widgets look like
        _measure_anew(self)
        theme.changed.connect(self._arrange)
        theme.changed.connect(lambda: self.chosen.change(appearance=theme.mode, text_scale=theme.scale))
        bridge.when_ready(self._take_up_downloads)
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
            cause = tr("The file of conversations was damaged and set aside; a new one was begun.")
            self.banner.show_message(cause, tr("It is kept as {damaged}.", damaged=store.damaged), tone="warning")
        return store

    # -- pages that come later ----------------------------------------------------------------------------------------

    @property
    def models(self) -> ModelsPage:
        if self._models is None:
            from app.ui.models.page import ModelsPage

            self._models = ModelsPage(self.bridge, self._pages)
            self._models.placed.connect(lambda: self.go("Cluster"))
            self._models.show_snapshot(self.bridge.snapshot)
            self._pages.addWidget(self._models)
        return self._models

    @property
    def settings(self) -> SettingsPage:
        if self._settings is None:
            from app.ui.settings.page import SettingsPage

            self._settings = SettingsPage(
                self.bridge, self.theme, self.chosen, self._paths, self._fingerprint(), self._pages
            )
            self._settings.token_changed.connect(self._show_token)
            self._pages.addWidget(self._settings)
        return self._settings

    def _page(self, place: str) -> QWidget:
        return self.models if place == "Models" else self.settings if place == "Settings" else self.cluster

    def _show_token(self, known: bool) -> None:
        if self._models is not None:
            self._models.hub.show_token(known)

    def _show_not_kept(self, error: Exception) -> None:
        if self._settings is None:  # that page says so itself
            self.banner.show_error(error)

    def _take_up_downloads(self) -> None:
        """What was on its way when the window was closed, whether or not Models are looked at."""
        self.bridge.run(lambda controller: controller.library.start(), None, self.banner.show_error)

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

        open_first_start(self, self.bridge, self.chosen, self.go)

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
        if not alone:
            self._pages.setCurrentWidget(self._page(self._place))

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


def _measure_anew(window: QMainWindow) -> None:
    """What was measured without the stylesheet is forgotten."""
    for widget in window.findChildren(QWidget):
        widget.updateGeometry()
    for layout in window.findChildren(QLayout):
        layout.invalidate()

"""The window: places on the left, a page in the middle, the chat beside it."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QSettings, Qt
from PySide6.QtGui import QAction, QCloseEvent, QKeySequence
from PySide6.QtWidgets import (
    QButtonGroup,
    QFrame,
    QHBoxLayout,
    QMainWindow,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from app.core.chat.shelf import StoreShelf
from app.core.chat.store import ConversationStore
from app.core.errors import ShardboardError
from app.core.paths import ControllerPaths
from app.core.snapshot import DeploymentState, NodeState, Snapshot
from app.ui import words
from app.ui.bridge import CoreBridge
from app.ui.chat import ChatPane
from app.ui.cluster.page import ClusterPage
from app.ui.models import ModelsPage
from app.ui.pages.settings_page import SettingsPage
from app.ui.theme import SPACE, Theme
from app.ui.widgets import Banner, WrappedLabel, label, push_button

PLACES = ("Cluster", "Models", "Chat", "Settings")
SIDE_WIDTH = 168
CHAT_BESIDE_WIDTH = 1180  # narrower windows show the chat as a place of its own


class MainWindow(QMainWindow):
    def __init__(self, bridge: CoreBridge, theme: Theme, paths: ControllerPaths, title: str, fingerprint: str) -> None:
        super().__init__()
        self.bridge = bridge
        self.theme = theme
        self._settings = QSettings(str(paths.settings), QSettings.Format.IniFormat)
        self.banner = Banner()
        self._store = self._open_store(paths)
        self._place = "Cluster"
        self.setWindowTitle(title)
        self.setMinimumSize(960, 600)
        self.cluster = ClusterPage(bridge)
        self.models = ModelsPage(bridge)
        self.settings = SettingsPage(theme, paths, fingerprint)
        self.chat = ChatPane(bridge, StoreShelf(self._store) if self._store else None)
        self.models.placed.connect(lambda: self.go("Cluster"))

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
        row.addWidget(self._side_bar())
        row.addWidget(body, 1)
        self.setCentralWidget(whole)
        self._make_menus()
        bridge.snapshot_changed.connect(self._show_snapshot)
        bridge.start_failed.connect(lambda error: self.banner.show_error(error))
        self._show_snapshot(bridge.snapshot)
        self.resize(1440, 900)
        self._restore()
        self.go("Cluster")

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
        self._buttons[place].setChecked(True)
        self._arrange()
        if place == "Chat":
            self.chat.focus_composer()

    @property
    def place(self) -> str:
        return self._place

    # -- parts --------------------------------------------------------------------------------------------------------

    def _side_bar(self) -> QFrame:
        side = QFrame()
        side.setProperty("kind", "sidebar")
        side.setFixedWidth(SIDE_WIDTH)
        column = QVBoxLayout(side)
        column.setContentsMargins(SPACE.s, SPACE.l, SPACE.s, SPACE.l)
        column.setSpacing(SPACE.xs)
        name = label("Shardboard", "title")
        name.setContentsMargins(SPACE.s, 0, 0, SPACE.s)
        column.addWidget(name)
        self._buttons = {}
        group = QButtonGroup(self)
        for place in PLACES:
            button = push_button(place, "nav", lambda place=place: self.go(place))
            button.setCheckable(True)
            button.setAccessibleName(place)
            group.addButton(button)
            self._buttons[place] = button
            if place == "Settings":
                column.addStretch(1)
            column.addWidget(button)
        self.status = WrappedLabel("", "small")
        self.status.setContentsMargins(SPACE.s, SPACE.s, 0, 0)
        column.insertWidget(column.count() - 1, self.status)
        return side

    def _make_menus(self) -> None:
        bar = self.menuBar()
        entries: dict[str, list[tuple[str, str, Callable[[], object]]]] = {
            "&File": [
                ("New chat", "Ctrl+N", self.chat.new_chat),
                ("Add machine…", "Ctrl+Shift+A", self.cluster.add_machine),
                ("Quit", "Ctrl+Q", self.close),
            ],
            "&Edit": [
                ("Undo edit of the placement", "Ctrl+Z", self.cluster.undo),
                ("Redo edit of the placement", "Ctrl+Shift+Z", self.cluster.redo),
            ],
            "&Cluster": [
                ("Balance", "Ctrl+B", self.cluster.balance),
                ("Deploy", "Ctrl+Return", self.cluster.deploy),
                ("Stop the answer", "Ctrl+.", self.chat.stop),
            ],
            "&View": [
                *(
                    (place, f"Ctrl+{number}", lambda place=place: self.go(place))
                    for number, place in enumerate(PLACES, 1)
                ),
                ("Switch light and dark", "Ctrl+Shift+L", self.theme.toggle),
            ],
        }
        for menu_name, actions in entries.items():
            menu = bar.addMenu(menu_name)
            for text, shortcut, on_trigger in actions:
                action = QAction(text, self)
                action.setShortcut(QKeySequence(shortcut))
                action.triggered.connect(lambda _checked=False, act=on_trigger: act())
                menu.addAction(action)

    def _show_snapshot(self, snapshot: Snapshot) -> None:
        ready = sum(node.state is NodeState.READY for node in snapshot.nodes)
        machines = f"{ready} of {words.count(len(snapshot.nodes), 'machine')} ready"
        deployment = snapshot.deployment
        text = deployment.text if deployment.state is not DeploymentState.FAILED else "The deployment failed."
        self.status.setText(f"{machines}\n{text}")

    # -- arrangement --------------------------------------------------------------------------------------------------

    def _arrange(self) -> None:
        """The chat stands beside the board where there is room, and alone as the place Chat."""
        wide = self.width() >= CHAT_BESIDE_WIDTH
        alone = self._place == "Chat"
        self._pages.setVisible(not alone)
        self.chat.setVisible(alone or (wide and self._place == "Cluster"))
        page = {"Cluster": self.cluster, "Models": self.models, "Settings": self.settings}.get(self._place)
        if page is not None:
            self._pages.setCurrentWidget(page)

    def resizeEvent(self, event: object) -> None:
        super().resizeEvent(event)  # type: ignore[arg-type]
        self._arrange()

    def _restore(self) -> None:
        for key, restore in (
            ("geometry", self.restoreGeometry),
            ("splitter", self.splitter.restoreState),
            ("activity", self.cluster.splitter.restoreState),
        ):
            value = self._settings.value(key)
            if value is not None:
                restore(value)
        if self._settings.value("splitter") is None:
            self.splitter.setSizes([860, 400])
        if self._settings.value("activity") is None:
            self.cluster.splitter.setSizes([620, 190])

    def closeEvent(self, event: QCloseEvent) -> None:
        self._settings.setValue("geometry", self.saveGeometry())
        self._settings.setValue("splitter", self.splitter.saveState())
        self._settings.setValue("activity", self.cluster.splitter.saveState())
        self._settings.setValue("appearance", self.theme.mode)
        self._settings.sync()
        self.chat.stop()
        super().closeEvent(event)

    def release(self) -> None:
        """Closes what the window keeps open; after the bridge was closed."""
        if self._store is not None:
            self._store.close()

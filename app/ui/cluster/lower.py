"""Below the machines: activity, links or shards."""

from __future__ import annotations

from PySide6.QtWidgets import QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from app.core.snapshot import Snapshot
from app.core.text import phrase
from app.ui.activity import ActivityPanel
from app.ui.bridge import CoreBridge
from app.ui.cluster.links_panel import LinksPanel
from app.ui.cluster.shards_panel import ShardsPanel
from app.ui.text import shown
from app.ui.theme import SPACE
from app.ui.widgets import push_button

VIEWS = ("Activity", "Links", "Shards")
SHOWS = (phrase("Show the activity"), phrase("Show the links"), phrase("Show the shards"))
NAMES = (phrase("Activity"), phrase("Links"), phrase("Shards"))


class LowerPane(QWidget):
    """Three views in one place. Only the one that is seen is kept up to date."""

    def __init__(self, bridge: CoreBridge, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._snapshot = bridge.snapshot
        self.activity = ActivityPanel(bridge)
        self.links = LinksPanel()
        self.shards = ShardsPanel()
        self._stack = QStackedWidget()
        self.buttons = {name: push_button(name, "quiet", lambda name=name: self.show_view(name)) for name in VIEWS}
        row = QHBoxLayout()
        row.setSpacing(SPACE.xs)
        panels = (self.activity, self.links, self.shards)
        for button, panel, says in zip(self.buttons.values(), panels, SHOWS, strict=True):
            button.setCheckable(True)
            button.setAccessibleName(shown(says))
            row.addWidget(button)
            self._stack.addWidget(panel)
        row.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE.xs)
        column.addLayout(row)
        column.addWidget(self._stack, 1)
        self.show_view(VIEWS[0])

    @property
    def view(self) -> str:
        return VIEWS[self._stack.currentIndex()]

    def show_view(self, name: str) -> None:
        self._stack.setCurrentIndex(VIEWS.index(name))
        for each, button in self.buttons.items():
            button.setChecked(each == name)
        self.show_snapshot(self._snapshot)

    def show_snapshot(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        if self.view == "Links":
            self.links.show_snapshot(snapshot)
        elif self.view == "Shards":
            self.shards.show_snapshot(snapshot)
        self.activity.show_machines(tuple(node.name for node in snapshot.nodes))

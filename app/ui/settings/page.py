"""The Settings place: one page of sections, each of which puts what is chosen in force at once or says when."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from app.core.paths import ControllerPaths
from app.ui.bridge import CoreBridge
from app.ui.settings.about import AboutSection, PrivacySection
from app.ui.settings.api import ApiSection
from app.ui.settings.chosen import Chosen
from app.ui.settings.general import AppearanceSection, MemorySection
from app.ui.settings.places import FoldersSection, HubSection
from app.ui.theme import SPACE, Theme
from app.ui.widgets import Banner, Sheet, keep_right_edge, label, page_scroll

WIDEST = 860


class SettingsPage(QWidget):
    """Signals: token_changed(bool)."""

    token_changed = Signal(bool)

    def __init__(
        self,
        bridge: CoreBridge,
        theme: Theme,
        chosen: Chosen,
        paths: ControllerPaths,
        fingerprint: str,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.chosen = chosen
        self.banner = Banner()
        self.appearance = AppearanceSection(theme, self.chosen, self)
        self.memory = MemorySection(bridge, self.chosen, self.appearance.motion, self)
        self.folders = FoldersSection(bridge, self.chosen, paths, self)
        self.hub = HubSection(bridge, self)
        self.api = ApiSection(bridge, self.chosen, self)
        self.privacy = PrivacySection(bridge, self)
        self.about = AboutSection(bridge, fingerprint, self)
        content = Sheet()
        column = QVBoxLayout()
        column.setSpacing(SPACE.m)
        column.addWidget(label("Settings", "title"))
        column.addWidget(self.banner)
        for section in (
            self.appearance,
            self.memory,
            self.folders,
            self.hub,
            self.api,
            self.privacy,
            self.about,
        ):
            column.addWidget(section)
        column.addStretch(1)
        inner = Sheet()
        inner.setMaximumWidth(WIDEST)
        inner.setLayout(column)
        column.setContentsMargins(0, 0, 0, 0)
        row = QHBoxLayout(content)
        row.setContentsMargins(SPACE.xl, SPACE.l, SPACE.xl, SPACE.l)
        row.setSpacing(0)
        row.addWidget(inner, 1000)  # the stretch takes only what is beyond its widest
        row.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        area = page_scroll(content)
        keep_right_edge(area, row)
        layout.addWidget(area)
        self.chosen.failed.connect(self.banner.show_error)
        self.folders.failed.connect(self.banner.show_error)
        self.hub.token_changed.connect(self.token_changed)
        if self.chosen.problem:
            self.banner.show_message(self.chosen.problem, "Change something here to write them anew.", tone="warning")

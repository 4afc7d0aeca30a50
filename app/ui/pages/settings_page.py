"""Settings: how it looks, where its data lies, what leaves this machine (nothing)."""

from __future__ import annotations

from PySide6.QtWidgets import QComboBox, QFormLayout, QVBoxLayout, QWidget

import shardd
from app.core.paths import ControllerPaths
from app.ui.theme import MODES, SPACE, Theme
from app.ui.widgets import Card, WrappedLabel, label, page_scroll

PRIVACY = (
    "Nothing leaves your network: no telemetry, no accounts, no update checks. Prompts and answers travel only between "
    "this window and the machines that you paired, encrypted."
)


class SettingsPage(QWidget):
    def __init__(self, theme: Theme, paths: ControllerPaths, fingerprint: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self.mode = QComboBox()
        self.mode.addItems([mode.capitalize() for mode in MODES])
        self.mode.setCurrentIndex(MODES.index(theme.mode))
        self.mode.setAccessibleName("Appearance")
        self.mode.activated.connect(lambda index: theme.set_mode(MODES[index]))
        theme.changed.connect(lambda: self.mode.setCurrentIndex(MODES.index(theme.mode)))
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(SPACE.xl, SPACE.l, SPACE.xl, SPACE.l)
        column.setSpacing(SPACE.m)
        column.addWidget(label("Settings", "title"))
        appearance = Card()
        form = QFormLayout()
        form.addRow("Appearance", self.mode)
        appearance.body.addLayout(form)
        column.addWidget(appearance)
        facts = Card()
        for heading, text in (
            ("Data", str(paths.data)),
            ("This controller's fingerprint", fingerprint),
            ("Privacy", PRIVACY),
            ("Version", f"Shardboard {shardd.__version__}"),
        ):
            facts.body.addWidget(label(heading, "heading"))
            facts.body.addWidget(WrappedLabel(text, "muted"))
        column.addWidget(facts)
        column.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(page_scroll(content))

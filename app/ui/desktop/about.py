"""What this program is."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication, QShowEvent
from PySide6.QtWidgets import QDialog, QHBoxLayout, QVBoxLayout, QWidget

import shardd
from app.core.text import phrase
from app.ui.desktop.mark import mark_pixmap
from app.ui.text import tr
from app.ui.theme import SPACE, scaled
from app.ui.widgets import WrappedLabel, fit_height, label, push_button
from shardd.host import describe_host

WHAT = phrase(
    "Runs a language model that is too big for one machine on the machines that you already own. "
    "Prompts and answers stay among them."
)


def version_lines() -> str:
    """For a report of a fault: no name, no address."""
    host = describe_host()
    return tr("Shardboard {version}\n{chip}\n{os}", version=shardd.__version__, chip=host.chip, os=host.os)


class AboutDialog(QDialog):
    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(tr("About Shardboard"))
        self.setMinimumWidth(scaled(420))
        self.versions = WrappedLabel(version_lines(), "mono")
        picture = label()
        picture.setPixmap(mark_pixmap(scaled(56), self.devicePixelRatioF()))
        head = QHBoxLayout()
        head.setSpacing(SPACE.l)
        head.addWidget(picture)
        head.addWidget(label("Shardboard", "title"), 1)
        buttons = QHBoxLayout()
        buttons.addWidget(push_button("Copy versions", "quiet", self._copy))
        buttons.addStretch(1)
        buttons.addWidget(push_button("Close", "primary", self.accept))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE.xl, SPACE.l, SPACE.xl, SPACE.l)
        layout.setSpacing(SPACE.m)
        layout.addLayout(head)
        layout.addWidget(WrappedLabel(WHAT))
        layout.addWidget(self.versions)
        layout.addLayout(buttons)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        fit_height(self)

    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(self.versions.text())

"""The chat's first line: list, title, context meter, new chat."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QWidget

from app.ui.chat.session import NEW_CHAT
from app.ui.chat.text import context_line, context_nearly_full
from app.ui.theme import SPACE
from app.ui.widgets import ElidedLabel, IconButton, PillLabel, explain


class ChatHeader(QWidget):
    """Signals: list_wanted(), new_wanted()."""

    list_wanted = Signal()
    new_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.list_button = IconButton("chat", "Conversations", self.list_wanted.emit)
        self.title = ElidedLabel(NEW_CHAT, "heading")
        self.title.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.meter = PillLabel()
        self.meter.setAccessibleName("Context in use")
        self.new_button = IconButton("plus", "New chat", self.new_wanted.emit)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACE.s)
        layout.addWidget(self.list_button)
        layout.addWidget(self.title, 1)
        layout.addWidget(self.meter)
        layout.addWidget(self.new_button)

    def show_title(self, title: str) -> None:
        self.title.setText(title or NEW_CHAT)

    def show_context(self, used: int | None, limit: int) -> None:
        nearly = context_nearly_full(used, limit)
        text = context_line(used, limit)
        self.meter.set(text, "warning" if nearly else "")
        self.meter.setToolTip(
            "The context is nearly full: start a new chat, or deploy with a longer one."
            if nearly
            else "Tokens of this conversation, of the context the deployment has room for."
        )
        self.meter.setAccessibleDescription(text)

    def show_new_obstacle(self, obstacle: str) -> None:
        explain(self.new_button, obstacle, "New chat")

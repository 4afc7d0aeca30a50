"""The page that says what is protected against whom, and what is not: resources/help/security.md."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import QDialog, QHBoxLayout, QVBoxLayout, QWidget

from app.ui.chat.blocks import split
from app.ui.chat.markdown_view import MarkdownView
from app.ui.chat.style import chat_style
from app.ui.text import tr
from app.ui.theme import SPACE, resources_dir, scaled, tokens
from app.ui.widgets import page_scroll, push_button


class SecurityDialog(QDialog):
    """Shown by the same view as what a model writes."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(tr("Security"))
        room = parent.size() if parent else QSize(720, 760)
        self.resize(min(scaled(680), room.width() - 40), min(scaled(720), room.height() - 40))
        self.view = MarkdownView(tr("What is protected, and what is not"))
        self.view.setStyleSheet(chat_style(tokens()))
        self.view.show_blocks(0, split((resources_dir() / "help" / "security.md").read_text(encoding="utf-8")))
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, SPACE.s, 0)
        column.addWidget(self.view)
        column.addStretch(1)
        area = page_scroll(content)
        area.setFocusPolicy(Qt.FocusPolicy.StrongFocus)  # the arrow keys scroll it
        area.setAccessibleName(tr("What is protected, and what is not"))
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        buttons.addWidget(push_button("Close", "", self.accept))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE.xl, SPACE.l, SPACE.l, SPACE.l)
        layout.setSpacing(SPACE.m)
        layout.addWidget(area, 1)
        layout.addLayout(buttons)

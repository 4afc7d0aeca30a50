"""What the reader asked, in a bubble on the trailing side."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QVBoxLayout, QWidget

from app.core.chat.conversation import Attachment
from app.ui.chat.parts import BranchNav, CopyButton, InlineEditor, slim
from app.ui.chat.rich import PlainView
from app.ui.chat.text import cap, size
from app.ui.theme import SPACE
from app.ui.widgets import WrappedLabel, explain

BUBBLE_SHARE = 0.84  # of the conversation's width


class UserMessage(QWidget):
    """Signals: edited(text), the reader wrote it anew; walked(steps), another version is to be shown."""

    edited = Signal(str)
    walked = Signal(int)

    def __init__(self, text: str, attachments: tuple[Attachment, ...] = (), parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._text = text
        self.bubble = QFrame()
        self.bubble.setProperty("kind", "bubble")
        self._view = PlainView("Your message")
        self.files = WrappedLabel("", "small")
        lengths = [f"{each.name} ({size(len(each.text.encode('utf-8', 'replace')))})" for each in attachments]
        self.files.setText("With " + ", ".join(lengths))
        self.files.setVisible(bool(attachments))
        self.copy = CopyButton("Copy your message", lambda: self._text)
        self.edit = slim("Edit", "Edit your message and ask again", self.begin_edit)
        self.nav = BranchNav("message")
        self.nav.walked.connect(self.walked.emit)
        self.editor: InlineEditor | None = None
        inside = QVBoxLayout(self.bubble)
        inside.setContentsMargins(SPACE.m, SPACE.s, SPACE.m, SPACE.s)
        inside.setSpacing(SPACE.xs)
        inside.addWidget(self._view)
        inside.addWidget(self.files)
        self._view.setVisible(bool(text))
        self._bubble_row = QHBoxLayout()
        self._bubble_row.addStretch(1)
        self._bubble_row.addWidget(self.bubble)
        self._buttons = QWidget()
        row = QHBoxLayout(self._buttons)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(SPACE.xs)
        row.addStretch(1)
        for part in (self.nav, self.copy, self.edit):
            row.addWidget(part)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(2)
        self._column.addLayout(self._bubble_row)
        self._column.addWidget(self._buttons)
        self._view.show_text(cap(text)[0])

    @property
    def text(self) -> str:
        return self._text

    def show_branch(self, at: int, count: int, obstacle: str) -> None:
        self.nav.show_place(at, count, obstacle)
        explain(self.edit, obstacle, "Edit and ask again; this version is kept")

    def begin_edit(self) -> None:
        if self.editor is not None:
            return
        editor = InlineEditor("Your message", self._text, "Ask again", "The version before is kept beside it.")
        self.editor = editor
        editor.done.connect(self.edited.emit)
        editor.cancelled.connect(self.end_edit)
        self._column.insertWidget(0, editor)
        self.bubble.hide()
        self._buttons.hide()
        editor.edit.setFocus()

    def end_edit(self) -> None:
        if self.editor is not None:
            self.editor.hide()
            self.editor.deleteLater()
            self.editor = None
            self.bubble.show()
            self._buttons.show()
            self.edit.setFocus()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """The bubble is as wide as its longest line, up to its share of the conversation."""
        super().resizeEvent(event)
        margins = self.bubble.layout().contentsMargins()
        around = margins.left() + margins.right() + 2
        most = max(80, int(self.width() * BUBBLE_SHARE) - around)
        document = self._view.document().clone()
        document.setTextWidth(most)
        files = self.files.fontMetrics().horizontalAdvance(self.files.text()) + 4 if not self.files.isHidden() else 0
        width = min(most, max(int(document.idealWidth()) + 2, files))
        document.deleteLater()
        self.bubble.setFixedWidth(width + around)

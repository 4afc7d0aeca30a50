"""What the reader asked, in a bubble on the trailing side."""

from __future__ import annotations

from PySide6.QtCore import QEvent
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QVBoxLayout, QWidget

from app.core.chat.conversation import Attachment
from app.core.text import phrase
from app.ui.chat.blocks import plain_blocks
from app.ui.chat.editing import EditableMessage
from app.ui.chat.markdown_view import MarkdownView
from app.ui.chat.parts import BranchNav, CopyButton, InlineEditor, slim
from app.ui.chat.text import cap
from app.ui.text import tr
from app.ui.theme import SPACE
from app.ui.widgets import WrappedLabel, explain
from app.ui.words import size

BUBBLE_SHARE = 0.84  # of the conversation's width
MEASURED = 4000  # characters; longer messages take all of it
WIDEST = 100_000


class UserMessage(EditableMessage):
    """What the reader asked, with what was attached."""

    _ready = False  # while Qt calls changeEvent before the end of __init__

    def __init__(self, text: str, attachments: tuple[Attachment, ...] = (), parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._text = text
        self.bubble = QFrame(self)
        self.bubble.setProperty("kind", "bubble")
        self._view = MarkdownView(tr("Your message"), parent=self.bubble)
        self.files = WrappedLabel("", "small")
        lengths = [f"{each.name} ({size(len(each.text.encode('utf-8', 'replace')))})" for each in attachments]
        self.files.setText(tr("With {files}", files=", ".join(lengths)))
        self.files.setVisible(bool(attachments))
        self.copy = CopyButton(tr("Copy your message"), lambda: self._text)
        self.edit = slim("Edit", tr("Edit your message and ask again"), self.begin_edit)
        self.nav = BranchNav(phrase("message"))
        self.nav.walked.connect(self.walked.emit)
        inside = QVBoxLayout(self.bubble)
        inside.setContentsMargins(SPACE.m, SPACE.s, SPACE.m, SPACE.s)
        inside.setSpacing(SPACE.xs)
        inside.addWidget(self._view)
        inside.addWidget(self.files)
        self._view.setVisible(bool(text))
        self._bubble_row = QHBoxLayout()
        self._bubble_row.addStretch(1)
        self._bubble_row.addWidget(self.bubble)
        self._buttons = QWidget(self)
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
        self._ideal = self._longest_line()
        self._view.show_blocks(0, plain_blocks(cap(text)[0]))
        self._ready = True

    @property
    def text(self) -> str:
        return self._text

    @property
    def settled(self) -> bool:
        return not self._view.behind

    def tab_stops(self) -> tuple[QWidget, ...]:
        return (self.nav.previous, self.nav.next, self.copy, self.edit)

    def show_branch(self, at: int, count: int, obstacle: str) -> None:
        self.nav.show_place(at, count, obstacle)
        explain(self.edit, obstacle, "Edit and ask again; this version is kept")

    def _new_editor(self) -> InlineEditor:
        return InlineEditor(
            tr("Your message"), self._text, tr("Ask again"), tr("The version before is kept beside it.")
        )

    def _show_text(self, shown: bool) -> None:
        self.bubble.setVisible(shown)
        self._buttons.setVisible(shown)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        """The bubble is as wide as its longest line, up to its share of the conversation."""
        margins = self.bubble.layout().contentsMargins()
        around = margins.left() + margins.right() + 2
        most = max(80, int(self.width() * BUBBLE_SHARE) - around)
        files = self.files.fontMetrics().horizontalAdvance(self.files.text()) + 4 if not self.files.isHidden() else 0
        width = min(most, max(self._ideal, files))
        self.bubble.setFixedWidth(width + around)

    def _longest_line(self) -> int:
        """In pixels; of long text as much as there is."""
        if len(self._text) > MEASURED:
            return WIDEST
        measure = self.fontMetrics()
        return max((measure.horizontalAdvance(line) for line in self._text.split("\n")), default=0) + 4

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if self._ready and event.type() == QEvent.Type.FontChange:
            self._ideal = self._longest_line()
            self._fit()

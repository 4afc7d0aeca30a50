"""Where the reader writes: a field that grows, the conversation's settings, Stop and Send."""

from __future__ import annotations

import math
from pathlib import Path

from PySide6.QtCore import QEvent, QMimeData, QObject, QSize, Qt, Signal
from PySide6.QtGui import QDragEnterEvent, QDragMoveEvent, QDropEvent, QKeyEvent, QResizeEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPlainTextEdit, QSizePolicy, QVBoxLayout, QWidget

from app.core.chat.attachments import MOST, read_attachment
from app.core.chat.conversation import Attachment
from app.core.errors import ShardboardError
from app.ui.text import as_shown, tr
from app.ui.theme import SPACE
from app.ui.widgets import ElidedLabel, IconButton, WrappedLabel, explain, push_button, set_tone
from app.ui.words import size

NARROW_PX = 372  # under this, "System prompt" becomes "System"
LEAST_LINES = 2
MOST_LINES = 9
PASTE_LIMIT = 400_000  # characters; more than any context holds


class DraftEdit(QPlainTextEdit):
    """Plain text that grows to a limit. Enter sends, Shift+Enter starts a new line. Signals: send_wanted()."""

    send_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(tr("Message"))
        self.setPlaceholderText(tr("Message the cluster…"))
        self.setTabChangesFocus(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.viewport().setAutoFillBackground(False)
        self.document().setDocumentMargin(2)
        self.document().documentLayout().documentSizeChanged.connect(self._fit)
        self._fit()

    def _fit(self) -> None:
        lines = self.document().size().height()  # a plain text document counts lines, not pixels
        shown = max(LEAST_LINES, min(MOST_LINES, math.ceil(lines)))
        height = math.ceil(shown * self.fontMetrics().lineSpacing() + 2 * self.document().documentMargin()) + 2
        policy = Qt.ScrollBarPolicy.ScrollBarAsNeeded if lines > MOST_LINES else Qt.ScrollBarPolicy.ScrollBarAlwaysOff
        self.setVerticalScrollBarPolicy(policy)
        if height != self.maximumHeight():
            self.setFixedHeight(height)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange:
            self._fit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        enter = event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter)
        if enter and not event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier:
            self.send_wanted.emit()
            event.accept()
        else:
            super().keyPressEvent(event)

    def canInsertFromMimeData(self, source: QMimeData) -> bool:
        """Files are attached by whoever holds this field, not written as addresses."""
        return not source.hasUrls() and super().canInsertFromMimeData(source)

    def insertFromMimeData(self, source: QMimeData) -> None:
        """Pasted text is plain and bounded."""
        self.insertPlainText(source.text()[:PASTE_LIMIT])

    def minimumSizeHint(self) -> QSize:
        return QSize(80, self.maximumHeight())


class AttachmentChip(QFrame):
    """A file that goes with the next message. Signals: removed()."""

    removed = Signal()

    def __init__(self, attachment: Attachment, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("kind", "raised")
        length = size(len(attachment.text.encode("utf-8", "replace")))
        row = QHBoxLayout(self)
        row.setContentsMargins(SPACE.s, 0, 2, 0)
        row.setSpacing(SPACE.xs)
        row.addWidget(ElidedLabel(f"{attachment.name} · {length}", "small"), 1)
        self.remove = IconButton("close", tr("Do not attach {name}", name=attachment.name), self.removed.emit, size=12)
        row.addWidget(self.remove)


class Composer(QFrame):
    """Text files dropped on it are attached.

    Attributes: attachments, what goes with the next message.
    Signals: send_wanted(text), stop_wanted(), attach_wanted(), system_prompt_wanted(), sampling_wanted(),
    draft_changed(), refused(error), a file that cannot be attached.
    """

    send_wanted = Signal(str)
    attach_wanted = Signal()
    refused = Signal(object)
    stop_wanted = Signal()
    system_prompt_wanted = Signal()
    sampling_wanted = Signal()
    draft_changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("kind", "composer")
        self.attachments: tuple[Attachment, ...] = ()
        self.setAcceptDrops(True)
        self.edit = DraftEdit()
        self.chips = QWidget()
        self._chip_column = QVBoxLayout(self.chips)
        self._chip_column.setContentsMargins(0, 0, 0, 0)
        self._chip_column.setSpacing(SPACE.xs)
        self.chips.hide()
        self.attach = IconButton("plus", "Attach text files", self.attach_wanted.emit, size=14)
        self.reason = WrappedLabel(role="small")
        self.reason.hide()
        self.system_prompt = push_button("System prompt", "quiet", self.system_prompt_wanted.emit)
        self.system_prompt.setAccessibleName(tr("System prompt"))
        self.system_prompt.setToolTip(tr("System prompt: what the model is told before the first message"))
        self.sampling = push_button("Sampling", "quiet", self.sampling_wanted.emit)
        self.sampling.setToolTip(tr("Sampling: how the next token is chosen"))
        self.stop = push_button("Stop", "", self.stop_wanted.emit)
        self.stop.setAccessibleName(tr("Stop the answer"))
        self.send = push_button("Send", "primary", self._send)
        self.send.setAccessibleName(tr("Send the message"))
        self._obstacle = ""

        row = QHBoxLayout()
        row.setSpacing(0)
        row.addWidget(self.attach)
        row.addWidget(self.system_prompt)
        row.addWidget(self.sampling)
        row.addStretch(1)
        row.addWidget(self.stop)
        row.addSpacing(SPACE.xs)
        row.addWidget(self.send)
        inner = QVBoxLayout()
        inner.setContentsMargins(SPACE.xs, 0, SPACE.xs, 0)
        inner.setSpacing(SPACE.xs)
        inner.addWidget(self.chips)
        inner.addWidget(self.edit)
        inner.addWidget(self.reason)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE.s, SPACE.m, SPACE.s, SPACE.s)
        layout.setSpacing(SPACE.s)
        layout.addLayout(inner)
        layout.addLayout(row)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        self.edit.send_wanted.connect(self._send)
        self.edit.textChanged.connect(self.draft_changed.emit)
        self.edit.installEventFilter(self)

    @property
    def draft(self) -> str:
        return self.edit.toPlainText()

    def set_draft(self, text: str) -> None:
        self.edit.setPlainText(text)
        self.edit.moveCursor(self.edit.textCursor().MoveOperation.End)

    # -- attachments --------------------------------------------------------------------------------------------------

    def attach_files(self, paths: list[Path]) -> None:
        """Reads them; the first that cannot be attached is told by refused()."""
        taken = list(self.attachments)
        for path in paths:
            try:
                if len(taken) >= MOST:
                    raise ShardboardError(
                        tr("A message takes {most} files at most.", most=MOST), "Send some of them first."
                    )
                taken.append(read_attachment(path))
            except ShardboardError as error:
                self.refused.emit(error)
                break
        self.set_attachments(tuple(taken))

    def set_attachments(self, attachments: tuple[Attachment, ...]) -> None:
        self.attachments = attachments
        while (item := self._chip_column.takeAt(0)) is not None:
            if (chip := item.widget()) is not None:
                chip.hide()
                chip.deleteLater()
        for number, attachment in enumerate(attachments):
            chip = AttachmentChip(attachment)
            chip.removed.connect(lambda number=number: self._drop_attachment(number))
            self._chip_column.addWidget(chip)
        self.chips.setVisible(bool(attachments))
        self.draft_changed.emit()

    def _drop_attachment(self, number: int) -> None:
        self.set_attachments((*self.attachments[:number], *self.attachments[number + 1 :]))
        self.edit.setFocus()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if _local_files(event.mimeData()):
            event.acceptProposedAction()

    def dragMoveEvent(self, event: QDragMoveEvent) -> None:
        event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        self.attach_files(_local_files(event.mimeData()))
        event.acceptProposedAction()

    # -- sending ------------------------------------------------------------------------------------------------------

    def show_obstacles(self, send: str, stop: str, visible: str) -> None:
        """Why Send and Stop are disabled ("" when they are not), and the sentence that stands under the field."""
        self._obstacle = send
        explain(self.send, send, "Send (Enter)")
        explain(self.stop, stop, "Stop at the next token (Esc)")
        self.reason.setText(visible)
        self.reason.setVisible(bool(visible))
        self.edit.setAccessibleDescription(as_shown(send or tr("Enter sends, Shift+Enter starts a new line.")))

    def _send(self) -> None:
        if not self._obstacle and (self.draft.strip() or self.attachments):
            self.edit.setFocus()  # also where the button was clicked, which is disabled now
            self.send_wanted.emit(self.draft.strip())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.system_prompt.setText(tr("System") if self.width() < NARROW_PX else tr("System prompt"))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """The frame shows that the field in it has the focus."""
        if event.type() in (QEvent.Type.FocusIn, QEvent.Type.FocusOut):
            set_tone(self, "focused", "true" if event.type() == QEvent.Type.FocusIn else "false")
        return super().eventFilter(watched, event)


def _local_files(data: QMimeData) -> list[Path]:
    return [Path(url.toLocalFile()) for url in data.urls() if url.isLocalFile()]

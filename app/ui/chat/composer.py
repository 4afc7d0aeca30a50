"""Where the reader writes: a field that grows, the conversation's settings, Stop and Send."""

from __future__ import annotations

import math

from PySide6.QtCore import QEvent, QMimeData, QObject, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QResizeEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPlainTextEdit, QSizePolicy, QVBoxLayout, QWidget

from app.ui.theme import SPACE
from app.ui.widgets import WrappedLabel, explain, push_button, set_tone

NARROW_PX = 345  # under this, "System prompt" becomes "System"
LEAST_LINES = 2
MOST_LINES = 9
PASTE_LIMIT = 400_000  # characters; more than any context holds


class DraftEdit(QPlainTextEdit):
    """Plain text that grows to a limit. Enter sends, Shift+Enter starts a new line. Signals: send_wanted()."""

    send_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Message")
        self.setPlaceholderText("Message the cluster…")
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

    def insertFromMimeData(self, source: QMimeData) -> None:
        """Pasted text is plain and bounded."""
        self.insertPlainText(source.text()[:PASTE_LIMIT])

    def minimumSizeHint(self) -> QSize:
        return QSize(80, self.maximumHeight())


class Composer(QFrame):
    """Signals: send_wanted(text), stop_wanted(), system_prompt_wanted(), sampling_wanted(), draft_changed()."""

    send_wanted = Signal(str)
    stop_wanted = Signal()
    system_prompt_wanted = Signal()
    sampling_wanted = Signal()
    draft_changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("kind", "composer")
        self.edit = DraftEdit()
        self.reason = WrappedLabel(role="small")
        self.reason.hide()
        self.system_prompt = push_button("System prompt", "quiet", self.system_prompt_wanted.emit)
        self.system_prompt.setAccessibleName("System prompt")
        self.system_prompt.setToolTip("System prompt: what the model is told before the first message")
        self.sampling = push_button("Sampling", "quiet", self.sampling_wanted.emit)
        self.sampling.setToolTip("Sampling: how the next token is chosen")
        self.stop = push_button("Stop", "", self.stop_wanted.emit)
        self.stop.setAccessibleName("Stop the answer")
        self.send = push_button("Send", "primary", self._send)
        self.send.setAccessibleName("Send the message")
        self._obstacle = ""

        row = QHBoxLayout()
        row.setSpacing(SPACE.xs)
        row.addWidget(self.system_prompt)
        row.addWidget(self.sampling)
        row.addStretch(1)
        row.addWidget(self.stop)
        row.addSpacing(SPACE.xs)
        row.addWidget(self.send)
        inner = QVBoxLayout()
        inner.setContentsMargins(SPACE.xs, 0, SPACE.xs, 0)
        inner.setSpacing(SPACE.xs)
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

    def show_obstacles(self, send: str, stop: str, visible: str) -> None:
        """Why Send and Stop are disabled ("" when they are not), and the sentence that stands under the field."""
        self._obstacle = send
        explain(self.send, send, "Send (Enter)")
        explain(self.stop, stop, "Stop at the next token (Esc)")
        self.reason.setText(visible)
        self.reason.setVisible(bool(visible))
        self.edit.setAccessibleDescription(send or "Enter sends, Shift+Enter starts a new line.")

    def _send(self) -> None:
        if not self._obstacle and self.draft.strip():
            self.send_wanted.emit(self.draft.strip())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.system_prompt.setText("System" if self.width() < NARROW_PX else "System prompt")

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """The frame shows that the field in it has the focus."""
        if event.type() in (QEvent.Type.FocusIn, QEvent.Type.FocusOut):
            set_tone(self, "focused", "true" if event.type() == QEvent.Type.FocusIn else "false")
        return super().eventFilter(watched, event)

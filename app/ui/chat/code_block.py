"""A code block: its language, Copy, and the code, which scrolls sideways within itself."""

from __future__ import annotations

from PySide6.QtCore import QEvent, Qt, QTimer, Signal
from PySide6.QtGui import (
    QColor,
    QFocusEvent,
    QFontMetricsF,
    QGuiApplication,
    QSyntaxHighlighter,
    QTextCharFormat,
    QTextCursor,
    QTextDocument,
    QWheelEvent,
)
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from app.ui.chat.highlight import Ink, Span, spans
from app.ui.chat.text import break_lines
from app.ui.text import tr
from app.ui.theme import SPACE, Tokens, mono, tokens
from app.ui.widgets import set_tone

HIGHLIGHT_AFTER_MS = 150
COPIED_FOR_MS = 1500


def ink_colours(t: Tokens) -> dict[Ink, str]:
    return {
        Ink.KEYWORD: t.danger,
        Ink.STRING: t.success,
        Ink.NUMBER: t.warning,
        Ink.COMMENT: t.text_muted,
        Ink.NAME: t.accent_text,
    }


class SpanPainter(QSyntaxHighlighter):
    """Colours lines by spans that were computed elsewhere."""

    def __init__(self, document: QTextDocument) -> None:
        super().__init__(document)
        self._spans: tuple[tuple[Span, ...], ...] = ()

    def show_spans(self, lines: tuple[tuple[Span, ...], ...]) -> None:
        self._spans = lines
        self.rehighlight()

    def highlightBlock(self, text: str) -> None:
        number = self.currentBlock().blockNumber()
        if number >= len(self._spans):
            return
        colours = ink_colours(tokens())
        for span in self._spans[number]:
            ink = QTextCharFormat()
            ink.setForeground(QColor(colours[span.ink]))
            if span.ink is Ink.COMMENT:
                ink.setFontItalic(True)
            self.setFormat(span.start, span.length, ink)


class CodeView(QPlainTextEdit):
    """The code itself: as high as its lines, scrolled sideways only. Signals: focus_changed(bool)."""

    focus_changed = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setReadOnly(True)
        self.setUndoRedoEnabled(False)
        self.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        self.viewport().setAutoFillBackground(False)
        self.setProperty("role", "content")
        self.setFont(mono())
        self.document().setDocumentMargin(0)
        self.setTabStopDistance(QFontMetricsF(mono()).horizontalAdvance(" ") * 4)
        self.horizontalScrollBar().rangeChanged.connect(self.fit)

    def fit(self) -> None:
        bar = self.horizontalScrollBar()
        scroll = bar.sizeHint().height() + 2 if bar.maximum() > 0 else 0
        lines = max(1, self.blockCount())
        first = self.blockBoundingRect(self.document().firstBlock()).height()
        height = round(first * lines + scroll + 1)
        if height != self.minimumHeight() or height != self.maximumHeight():
            self.setFixedHeight(height)
        wanted = Qt.FocusPolicy.StrongFocus if bar.maximum() > 0 else Qt.FocusPolicy.ClickFocus
        if self.focusPolicy() != wanted:
            self.setFocusPolicy(wanted)

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.focus_changed.emit(True)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.focus_changed.emit(False)

    def wheelEvent(self, event: QWheelEvent) -> None:
        sideways = abs(event.angleDelta().x()) > abs(event.angleDelta().y())
        if sideways or event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            super().wheelEvent(event)
        else:
            event.ignore()


class CodeBlock(QFrame):
    """Language, Copy and code."""

    _painter: SpanPainter | None = None  # None while Qt calls changeEvent before the end of __init__

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("kind", "code")
        self._code = ""
        self._shown = ""
        self._language = ""
        self._label = QLabel()
        self._label.setTextFormat(Qt.TextFormat.PlainText)
        self._label.setProperty("role", "small")
        self._label.setAccessibleName(tr("Language of the code"))
        self._copy = QPushButton("Copy")
        self._copy.setProperty("kind", "quiet")
        self._copy.setProperty("slim", True)
        self._copy.setAccessibleName(tr("Copy the code"))
        self._copy.clicked.connect(self._copy_code)
        self._view = CodeView(self)
        self._view.focus_changed.connect(lambda here: set_tone(self, "focused", "true" if here else "false"))
        self._painter = SpanPainter(self._view.document())
        self._colouring = self._timer(HIGHLIGHT_AFTER_MS, self._colour)
        self._copied = self._timer(COPIED_FOR_MS, lambda: self._copy.setText(tr("Copy")))

        head = QHBoxLayout()
        head.setContentsMargins(SPACE.m, SPACE.xs, SPACE.xs, 0)
        head.addWidget(self._label, 1)
        head.addWidget(self._copy)
        body = QVBoxLayout()
        body.setContentsMargins(SPACE.m, 0, SPACE.m, 0)
        body.addWidget(self._view)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, SPACE.s)
        layout.setSpacing(2)
        layout.addLayout(head)
        layout.addLayout(body)

    def _timer(self, ms: int, slot: object) -> QTimer:
        timer = QTimer(self)
        timer.setSingleShot(True)
        timer.setInterval(ms)
        timer.timeout.connect(slot)
        return timer

    @property
    def code(self) -> str:
        """The code as the model wrote it."""
        return self._code

    @property
    def view(self) -> CodeView:
        return self._view

    @property
    def copy_button(self) -> QPushButton:
        return self._copy

    def show_code(self, code: str, language: str) -> None:
        self._code = code
        if language != self._language:
            self._language = language
            self._view.setAccessibleName(tr("{language} code", language=language) if language else tr("Code"))
        self._label.setText(language[:40] or "text")
        shown = break_lines(code)
        if shown == self._shown:
            return
        if self._shown and shown.startswith(self._shown):
            cursor = QTextCursor(self._view.document())
            cursor.movePosition(QTextCursor.MoveOperation.End)
            cursor.insertText(shown[len(self._shown) :])
        else:
            self._view.setPlainText(shown)
        self._shown = shown
        self._view.fit()
        if not self._colouring.isActive():
            self._colouring.start()

    def _colour(self) -> None:
        if self._painter is not None:
            self._painter.show_spans(spans(self._shown, self._language))

    def _copy_code(self) -> None:
        QGuiApplication.clipboard().setText(self._code)
        self._copy.setText(tr("Copied"))
        self._copied.start()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and self._painter is not None:
            self._painter.rehighlight()

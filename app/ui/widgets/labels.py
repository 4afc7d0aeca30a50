"""Labels. All of them are plain text: names and messages come from other machines. A Phrase is shown in the reader's
language; the words that a label is made with are looked up as well."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QFont, QFontMetrics, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QLabel, QSizePolicy, QStyle, QStyleOption, QWidget

from app.ui.text import as_shown, shown

BETWEEN = " · "


class _Label(QLabel):
    def setText(self, text: str) -> None:
        super().setText(as_shown(text))


def label(text: str = "", role: str = "", parent: QWidget | None = None) -> QLabel:
    result = _Label(parent)
    result.setTextFormat(Qt.TextFormat.PlainText)
    if role:
        result.setProperty("role", role)
    result.setText(shown(text))
    return result


def set_tone(widget: QWidget, name: str, value: str) -> None:
    """Sets a property that the stylesheet selects on, and restyles the widget if it changed."""
    if widget.property(name) != value:
        widget.setProperty(name, value)
        widget.style().unpolish(widget)
        widget.style().polish(widget)


class WrappedLabel(QLabel):
    """A sentence that may take several lines; never wider than its place."""

    def __init__(self, text: str = "", role: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setWordWrap(True)
        if role:
            self.setProperty("role", role)
        policy = QSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        self.setText(shown(text))

    def setText(self, text: str) -> None:
        super().setText(as_shown(text))


class ElidedLabel(QLabel):
    """One line that ends in "…" where there is no room; the whole text is then the tooltip.

    set_note() adds a tooltip of its own, shown with or without elision.
    """

    def __init__(
        self,
        text: str = "",
        role: str = "",
        parent: QWidget | None = None,
        mode: Qt.TextElideMode = Qt.TextElideMode.ElideRight,
    ) -> None:
        super().__init__(parent)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self._mode = mode
        self._note = ""
        if role:
            self.setProperty("role", role)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.setText(text)

    def setText(self, text: str) -> None:
        text = as_shown(text)
        if text != self.text():
            super().setText(text)
            self._update_tooltip()

    def set_note(self, note: str) -> None:
        self._note = as_shown(note)
        self._update_tooltip()

    def shown_text(self) -> str:
        """Of facts that stand in a row, as many whole ones as there is room for."""
        line, width = " ".join(self.text().split()), self.contentsRect().width()
        parts = line.split(BETWEEN)
        for count in range(len(parts), 1, -1):
            shown = BETWEEN.join(parts[:count]) + (f"{BETWEEN}…" if count < len(parts) else "")
            if self.fontMetrics().horizontalAdvance(shown) <= width:
                return shown
        return self.fontMetrics().elidedText(line, self._mode, width)

    def minimumSizeHint(self) -> QSize:
        return QSize(self.fontMetrics().horizontalAdvance("mm…"), super().minimumSizeHint().height())

    def sizeHint(self) -> QSize:
        hint = super().sizeHint()
        return QSize(self.fontMetrics().horizontalAdvance(" ".join(self.text().split())) + 2, hint.height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._update_tooltip()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        option = QStyleOption()
        option.initFrom(self)
        self.style().drawPrimitive(QStyle.PrimitiveElement.PE_Widget, option, painter, self)
        self.style().drawItemText(
            painter,
            self.contentsRect(),
            int(self.alignment() | Qt.AlignmentFlag.AlignVCenter) | int(Qt.TextFlag.TextSingleLine),
            self.palette(),
            self.isEnabled(),
            self.shown_text(),
            self.foregroundRole(),
        )

    def _update_tooltip(self) -> None:
        whole = self.text() if self.shown_text() != self.text() else ""
        parts = [part for part in (whole, self._note) if part]
        self.setToolTip(plain_tooltip("\n".join(parts)))


class ValueLabel(QLabel):
    """A number that changes while one looks at it: the width of `widest` is reserved."""

    def __init__(self, widest: str, role: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self._widest = widest
        if role:
            self.setProperty("role", role)
        self.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.setSizePolicy(QSizePolicy.Policy.Minimum, QSizePolicy.Policy.Fixed)

    def setText(self, text: str) -> None:
        super().setText(as_shown(text))

    def minimumSizeHint(self) -> QSize:
        return self._reserved(super().minimumSizeHint())

    def sizeHint(self) -> QSize:
        return self._reserved(super().sizeHint())

    def _reserved(self, hint: QSize) -> QSize:
        return QSize(max(hint.width(), self.fontMetrics().horizontalAdvance(self._widest) + 2), hint.height())


class PillLabel(QLabel):
    """A short fact on a rounded ground. tone: "", "info", "success", "warning" or "danger"."""

    def __init__(self, text: str = "", tone: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setProperty("role", "pill")
        self.setProperty("tone", tone)
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        self.setText(text)

    def setText(self, text: str) -> None:
        super().setText(as_shown(text))

    def set(self, text: str, tone: str = "") -> None:
        self.setText(text)
        self.setVisible(bool(text))
        set_tone(self, "tone", tone)


def plain_tooltip(text: str) -> str:
    """Qt renders a tooltip that looks like HTML as HTML: this text is shown as it is."""
    text = as_shown(text)
    if "<" not in text and "&" not in text:
        return text
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\n", "<br>")
    return f"<qt>{escaped}</qt>"


def text_width(font: QFont, text: str) -> int:
    return QFontMetrics(font).horizontalAdvance(text)

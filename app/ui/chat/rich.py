"""Views of foreign text: as high as what they hold, and closed to the outside.

Nothing is loaded (no file, no network), a link is opened only by a click or by Enter on it, and only http and https.
"""

from __future__ import annotations

import math
from typing import Any

from PySide6.QtCore import QEvent, QPoint, Qt, QUrl
from PySide6.QtGui import QDesktopServices, QHelpEvent, QTextOption, QWheelEvent
from PySide6.QtWidgets import QFrame, QSizePolicy, QTextBrowser, QToolTip, QWidget

from app.ui.chat.inline import safe_link
from app.ui.chat.text import break_runs
from app.ui.text import tr
from app.ui.theme import TEXT, Tokens, look, tokens
from app.ui.widgets.labels import plain_tooltip


def open_link(url: QUrl) -> bool:
    """Hands a web address to the system's browser; refuses everything else."""
    address = safe_link(url.toString())
    return bool(address) and QDesktopServices.openUrl(QUrl(address))


def document_style(t: Tokens, quote: bool = False) -> str:
    """The style sheet of rich text in the theme's colours."""
    ink = t.text_muted if quote else t.text
    return f"""
        body, p, li, h1, h2, h3, h4, h5, h6, td, th {{ color: {ink}; }}
        p {{ margin: 0 0 8px 0; line-height: 148%; }}
        li {{ margin: 2px 0 2px 0; line-height: 142%; }}
        ul, ol {{ margin: 0 0 4px 0; }}
        h1 {{ font-size: {TEXT.larger}px; font-weight: 600; margin: 4px 0 6px 0; }}
        h2 {{ font-size: {TEXT.subtitle}px; font-weight: 600; margin: 4px 0 6px 0; }}
        h3 {{ font-size: {TEXT.heading}px; font-weight: 600; margin: 2px 0 4px 0; }}
        h4, h5, h6 {{ font-size: {TEXT.body}px; font-weight: 600; margin: 2px 0 4px 0; }}
        b {{ font-weight: 600; }}
        a {{ color: {t.accent_text}; text-decoration: underline; }}
        .target {{ color: {t.text_muted}; font-size: {TEXT.small}px; }}
        code, pre {{ font-family: 'JetBrains Mono'; font-size: {TEXT.small}px; background-color: {t.raised}; }}
        pre {{ margin: 4px 0 4px 0; white-space: pre-wrap; }}
        table {{ border-collapse: collapse; border: 1px solid {t.border}; margin: 0; }}
        th {{ background-color: {t.raised}; font-weight: 600; border: 1px solid {t.border}; padding: 5px 10px; }}
        td {{ border: 1px solid {t.border}; padding: 5px 10px; }}
    """


class ContentView(QTextBrowser):
    """Read-only text, as high as its content, without a vertical scroll bar of its own."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(name)
        self.setOpenLinks(False)
        self.setOpenExternalLinks(False)
        self.setUndoRedoEnabled(False)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setProperty("role", "content")
        self.viewport().setAutoFillBackground(False)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setWordWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.document().setDocumentMargin(0)
        self.document().setIndentWidth(22)
        self.document().documentLayout().documentSizeChanged.connect(self._fit)
        self.anchorClicked.connect(open_link)

    def loadResource(self, type: int, name: QUrl) -> Any:
        """Nothing is ever loaded: no remote image, no file."""
        return None

    def content_height(self) -> int:
        return max(1, math.ceil(self.document().size().height()))

    def _fit(self) -> None:
        height = self.content_height() + self._extra_height()
        if height != self.minimumHeight() or height != self.maximumHeight():
            self.setFixedHeight(height)

    def _extra_height(self) -> int:
        return 0

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Up and down belongs to the conversation; sideways to a wide table."""
        if self.horizontalScrollBar().maximum() > 0 and abs(event.angleDelta().x()) > abs(event.angleDelta().y()):
            super().wheelEvent(event)
        else:
            event.ignore()

    def viewportEvent(self, event: QEvent) -> bool:
        """A link's whole address is its tool tip."""
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            position = QPoint(event.pos().x(), event.pos().y())
            QToolTip.showText(event.globalPos(), plain_tooltip(self.anchorAt(position)), self)
            return True
        return super().viewportEvent(event)


class RichView(ContentView):
    """HTML made by app.ui.chat.inline, in the theme's colours."""

    def __init__(self, name: str, quote: bool = False, parent: QWidget | None = None) -> None:
        super().__init__(name, parent)
        self._quote = quote
        self._html = ""
        self._style_name = ""

    def show_html(self, html: str) -> None:
        self._html = html
        self._restyle()
        self.setHtml(html)
        links = "<a " in html
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus if links else Qt.FocusPolicy.ClickFocus)
        self._fit()

    def html(self) -> str:
        return self._html

    def _restyle(self) -> bool:
        if look() == self._style_name:
            return False
        self._style_name = look()
        self.document().setDefaultStyleSheet(document_style(tokens(), self._quote))
        return True

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.PaletteChange, QEvent.Type.FontChange) and self._html and self._restyle():
            self.setHtml(self._html)


class TableView(RichView):
    """A table. One that is wider than the message scrolls sideways within itself."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(tr("Table in the answer"), parent=parent)
        self.setWordWrapMode(QTextOption.WrapMode.WordWrap)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)
        self.horizontalScrollBar().rangeChanged.connect(self._fit)

    def _extra_height(self) -> int:
        bar = self.horizontalScrollBar()
        return bar.sizeHint().height() + 2 if bar.maximum() > 0 else 0


class PlainView(ContentView):
    """Foreign text exactly as it is, but for breaks in endless runs."""

    def show_text(self, text: str) -> None:
        self.setPlainText(break_runs(text))
        self._fit()

    def ideal_width(self) -> int:
        return math.ceil(self.document().idealWidth())

"""A message as a column of block widgets: what did not change is not touched."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from app.ui.chat.blocks import Block, BlockKind
from app.ui.chat.code_block import CodeBlock
from app.ui.chat.pace import Pace
from app.ui.chat.rich import PlainView, RichView, TableView
from app.ui.text import tr
from app.ui.theme import SPACE
from app.ui.widgets import Line

SLICE_S = 0.006
HEAVY = 4096  # characters of code that take a slice of their own


class QuoteView(QFrame):
    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("kind", "quote")
        self.rich = RichView(tr("Quotation in the answer"), quote=True, parent=self)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(SPACE.m, 2, 0, 0)
        layout.addWidget(self.rich)


def _make(kind: BlockKind, plain_name: str, parent: QWidget) -> QWidget:
    """With its parent at once: Qt styles a widget, and all in it, again for each parent that it gets."""
    match kind:
        case BlockKind.CODE:
            return CodeBlock(parent)
        case BlockKind.TABLE:
            return TableView(parent)
        case BlockKind.QUOTE:
            return QuoteView(parent)
        case BlockKind.RULE:
            return Line(parent)
        case BlockKind.PROSE:
            return RichView(tr("Text of the answer"), parent=parent)
        case BlockKind.PLAIN:
            return PlainView(plain_name, parent)


def _fill(widget: QWidget, block: Block) -> None:
    if isinstance(widget, CodeBlock):
        widget.show_code(block.text, block.language)
    elif isinstance(widget, QuoteView):
        widget.rich.show_html(block.html)
    elif isinstance(widget, RichView):
        widget.show_html(block.html)
    elif isinstance(widget, PlainView):
        widget.show_text(block.text)


class MarkdownView(QWidget):
    """Shows blocks. Only block widgets whose block changed are filled again.

    plain_name: of plain text, as it is read to who cannot see it. pace: says when more may be made of what takes long.
    """

    caught_up = Signal()
    """All that was wanted is there."""

    def __init__(self, plain_name: str = "", pace: Pace | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._pace = pace or Pace(self)
        self._plain_name = plain_name or tr("Text of the answer")
        self._blocks: list[Block] = []
        self._widgets: list[QWidget] = []
        self._wanted: list[Block] = []
        self._settled = 0  # so many blocks are as they are wanted
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(SPACE.s)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)

    @property
    def blocks(self) -> tuple[Block, ...]:
        return tuple(self._wanted)

    @property
    def behind(self) -> bool:
        """Whether there is more wanted than made."""
        return self._settled < len(self._wanted) or len(self._blocks) > len(self._wanted)

    def focusable(self) -> Iterator[QWidget]:
        """What takes the focus in the blocks, as it is read."""
        for widget in self._widgets:
            if isinstance(widget, CodeBlock):
                yield from (widget.copy_button, widget.view)
            elif isinstance(widget, QuoteView):
                yield widget.rich
            elif isinstance(widget, RichView):
                yield widget

    def show_blocks(self, start: int, blocks: Sequence[Block], seconds: float = SLICE_S) -> None:
        """From block number `start` on, the message consists of `blocks`. seconds: for making them; one is made."""
        self._wanted[start:] = blocks
        self._settled = min(self._settled, start)
        self._catch_up(seconds)

    def _catch_up(self, seconds: float = SLICE_S) -> None:
        """Makes what is wanted, as much as fits between two frames; the rest a moment later."""
        until = time.thread_time() + seconds
        while self._settled < len(self._wanted):
            number, block = self._settled, self._wanted[self._settled]
            if number == len(self._blocks):
                self._append(block)
            elif self._blocks[number] != block:
                self._change(number, block)
            self._settled += 1
            heavy = self._settled < len(self._wanted) and len(self._wanted[self._settled].text) > HEAVY
            if (heavy or time.thread_time() > until) and self._settled < len(self._wanted):
                self._pace.ask(self._catch_up)
                return
        while len(self._blocks) > len(self._wanted):
            self._blocks.pop()
            self._drop(self._widgets.pop())
        self.caught_up.emit()

    def _append(self, block: Block) -> None:
        widget = _make(block.kind, self._plain_name, self)
        self._blocks.append(block)
        self._widgets.append(widget)
        self._layout.addWidget(widget)
        _fill(widget, block)

    def _change(self, number: int, block: Block) -> None:
        if self._blocks[number].kind is not block.kind:
            self._drop(self._widgets[number])
            self._widgets[number] = _make(block.kind, self._plain_name, self)
            self._layout.insertWidget(number, self._widgets[number])
        self._blocks[number] = block
        _fill(self._widgets[number], block)

    def _drop(self, widget: QWidget) -> None:
        self._layout.removeWidget(widget)
        widget.hide()
        widget.deleteLater()

"""The messages of a conversation, of which only those near the view have widgets."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from PySide6.QtWidgets import QWidget

from app.ui.chat.heights import LEAST, Column, column, estimated
from app.ui.theme import SPACE

if TYPE_CHECKING:
    from app.ui.chat.parts import InlineEditor

FIRST_WIDTH: Final = 760  # until the real one is known


class MessageView(QWidget):
    """What a message's widget tells the conversation. Attributes: editor, while it is being edited."""

    editor: InlineEditor | None = None

    @property
    def settled(self) -> bool:
        """Whether all of it is shown."""
        return True

    def tab_stops(self) -> tuple[QWidget, ...]:
        """What takes the focus in it, as it is read."""
        return ()


class Row:
    """A message. height: as it was measured, or estimated where `measured` is False. make(hurried): its widget."""

    __slots__ = ("characters", "height", "lines", "make", "measured", "widget")

    def __init__(self, text: str, make: Callable[[bool], MessageView], width: int) -> None:
        self.make = make
        self.characters, self.lines = len(text), text.count("\n") + 1
        self.widget: MessageView | None = None
        self.height = estimated(self.characters, self.lines, width)
        self.measured = False


class Rows:
    """Attributes: every, all messages; live, those that have widgets, by position."""

    def __init__(self) -> None:
        self.every: list[Row] = []
        self.live: dict[int, MessageView] = {}
        self.width = 0
        self._column: Column | None = None

    @property
    def column(self) -> Column:
        """Where each stands."""
        if self._column is None:
            self._column = column([row.height for row in self.every], SPACE.l, SPACE.s, SPACE.l)
        return self._column

    @property
    def settled(self) -> bool:
        return all(widget.settled for widget in self.live.values())

    def add(self, text: str, make: Callable[[bool], MessageView]) -> None:
        self.every.append(Row(text, make, self.width or FIRST_WIDTH))
        self._column = None

    def remove_last(self) -> None:
        self.drop(len(self.every) - 1)
        self.every.pop()
        self._column = None

    def make(self, position: int, page: QWidget, hurried: bool) -> MessageView:
        row = self.every[position]
        widget = row.widget = row.make(hurried)
        widget.setParent(page)
        widget.resize(self.width, row.height)
        widget.show()
        self.live[position] = widget
        self.live = dict(sorted(self.live.items()))
        return widget

    def drop(self, position: int) -> None:
        widget = self.live.pop(position, None)
        if widget is not None:
            widget.hide()
            widget.deleteLater()
            self.every[position].widget = None

    def take_width(self, width: int) -> None:
        """All heights are estimates then."""
        if width == self.width:
            return
        self.width = width
        self._column = None
        for row in self.every:
            row.measured = False
            row.height = estimated(row.characters, row.lines, width)
        for widget in self.live.values():
            widget.resize(width, widget.height())

    def measure(self) -> bool:
        """Takes the heights of all that have widgets; whether any is another one."""
        moved = False
        for position, widget in self.live.items():
            row, layout = self.every[position], widget.layout()
            hint = layout.totalHeightForWidth(self.width) if layout.hasHeightForWidth() else -1
            height = max(LEAST, hint if hint > 0 else layout.totalSizeHint().height())
            if not widget.settled:
                height = max(height, row.height)  # a part of it is still to come
            if height != row.height:
                row.height, moved, self._column = height, True, None
            row.measured = True
        return moved

"""The conversation's scroll area: it follows the tail unless the reader scrolled up."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from PySide6.QtCore import QCoreApplication, QEvent, QSize, Qt, Signal
from PySide6.QtGui import QResizeEvent, QShowEvent
from PySide6.QtWidgets import QApplication, QFrame, QPushButton, QScrollArea, QSizePolicy, QVBoxLayout, QWidget

from app.ui.chat.heights import Column
from app.ui.chat.pace import Pace
from app.ui.chat.rows import MessageView, Rows
from app.ui.text import as_shown, tr
from app.ui.theme import SPACE
from app.ui.widgets import WrappedLabel, label, push_button

AT_THE_END_PX = 24
STEP_PX = 20
NEAR_SCREENS = 1.0  # made before they are seen, above and below
FAR_SCREENS = 3.0  # further away they are given up again
SLICE_S = 0.004
OPEN_S = 0.06
FREED_AT_ONCE = 2
READING_WIDTH = 760  # wider lines are hard to read


def side_room(width: int) -> int:
    """What stays free on each side of a column that is not wider than can be read."""
    return max(0, width - READING_WIDTH - 2 * SPACE.m) // 2


class Page(QWidget):
    """What is scrolled. on_change: called when something in it wants another size."""

    def __init__(self, on_change: Callable[[], None]) -> None:
        super().__init__()
        self._on_change = on_change

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.LayoutRequest:
            self._on_change()
        return super().event(event)


class EmptyState(QWidget):
    """What stands there before the first message. Signals: example_chosen(text)."""

    example_chosen = Signal(str)

    def __init__(self, examples: Sequence[str], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, SPACE.xl, 0, SPACE.xl)
        layout.setSpacing(SPACE.s)
        self.title = label("Ask the cluster", "title")
        self.hint = WrappedLabel("", "muted")
        layout.addStretch(1)
        layout.addWidget(self.title)
        layout.addWidget(self.hint)
        layout.addSpacing(SPACE.s)
        self.buttons: list[QPushButton] = []
        for text in examples:
            button = push_button(text, "example")
            button.setAccessibleName(tr("Example: {text}", text=text))
            button.setToolTip(as_shown(text))
            button.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)  # never widens the chat
            button.clicked.connect(lambda _checked=False, text=text: self.example_chosen.emit(text))
            layout.addWidget(button)
            self.buttons.append(button)
        layout.addStretch(2)

    def show_obstacle(self, obstacle: str) -> None:
        self.hint.setText(
            obstacle or tr("Your message goes through every stage in turn, and the answer comes back token by token.")
        )


class Messages(Sequence[MessageView]):
    """The widgets of all messages; one that is asked for is made."""

    def __init__(self, area: Transcript, rows: Rows) -> None:
        self._area, self._rows = area, rows

    def __len__(self) -> int:
        return len(self._rows.every)

    def __getitem__(self, position: Any) -> Any:
        return self._area.made(range(len(self))[position])


class Transcript(QScrollArea):
    """Messages from top to bottom. Only those near the view have widgets, and what is read never moves by itself.

    Attributes: following, whether new text scrolls into view; keeps, tells which widgets stay although they are far;
    pace, of what takes longer than a frame.
    """

    def __init__(self, empty: EmptyState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.following = True
        self.keeps: Callable[[MessageView], bool] = lambda _widget: False
        self._rows = Rows()
        self._empty = empty
        self._arranging = False
        self._tabs_due = False
        self.setProperty("role", "transcript")
        self.setAccessibleName(tr("Conversation"))
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.pace = Pace(self)
        self._page = Page(lambda: self._arrange(0.0))
        self._page.setProperty("role", "page")
        empty.setParent(self._page)
        self.setWidget(self._page)
        self.viewport().setAutoFillBackground(False)
        self._page.setAutoFillBackground(False)
        self.verticalScrollBar().setSingleStep(STEP_PX)
        self.verticalScrollBar().valueChanged.connect(self._value_changed)
        self.latest = push_button("Newest text", parent=self)
        self.latest.setAccessibleName(tr("Go to the newest text"))
        self.latest.clicked.connect(lambda _checked=False: self.follow())
        self.latest.hide()

    # -- messages -----------------------------------------------------------------------------------------------------

    @property
    def messages(self) -> Messages:
        return Messages(self, self._rows)

    @property
    def live(self) -> tuple[tuple[int, MessageView], ...]:
        """Those that have widgets, with their positions."""
        return tuple(self._rows.live.items())

    @property
    def settled(self) -> bool:
        """Whether all that is near the view is there as it will stay."""
        return not self.pace.waits(self._arrange)

    def add(self, text: str, make: Callable[[bool], MessageView]) -> None:
        """A message at the end; its widget is made when it comes near the view. Call show_rows() after the last."""
        self._rows.add(text, make)

    def show_rows(self) -> None:
        """Shows what was added, or removed."""
        self._arrange(OPEN_S)

    def made(self, position: int) -> MessageView:
        """The widget of this message, wherever it is."""
        if position not in self._rows.live:
            self._rows.take_width(self._inner())
            self._rows.make(position, self._page, hurried=False)
            self._tabs_due = True
            self._arrange()
        return self._rows.live[position]

    def remove_last(self, count: int) -> None:
        for _ in range(min(count, len(self._rows.every))):
            self._rows.remove_last()
        if not self._rows.every:
            self._arrange()

    def clear(self) -> None:
        self.remove_last(len(self._rows.every))
        self.follow()

    def follow(self) -> None:
        self.following = True
        self.latest.hide()
        self._arrange(OPEN_S)

    def reveal(self, message: MessageView) -> None:
        """Shows a message that has changed from its top on, and scrolls no further than that needs."""
        self.following = False
        self._arrange(OPEN_S)
        position = next((number for number, each in self._rows.live.items() if each is message), None)
        if position is None:
            return
        bar, view = self.verticalScrollBar(), self.viewport().height()
        top = self._rows.column.tops[position] - SPACE.s
        bottom = top + self._rows.column.heights[position] + 2 * SPACE.s
        bar.setValue(min(max(bar.value(), bottom - view), top))
        self.following = bar.value() >= bar.maximum() - AT_THE_END_PX
        self._show_latest()

    # -- arrangement --------------------------------------------------------------------------------------------------

    def _inner(self) -> int:
        """The messages' width: the same with and without a scroll bar, or all would be laid out anew as one comes."""
        bar = self.verticalScrollBar().sizeHint().width()
        return max(80, self.width() - bar - SPACE.xs - SPACE.m - 2 * side_room(self.width()))

    def _arrange(self, seconds: float = SLICE_S) -> None:
        """Makes what is near the view, measures it, and puts all in its place; what takes longer comes a moment later.

        seconds: for making; 0: only what is there is measured.
        The first message in view stays where it is, whatever is measured above it.
        """
        if self._arranging:
            return
        self._arranging = True
        try:
            stay = self._anchor()
            self._rows.take_width(self._inner())
            until = time.thread_time() + seconds
            while True:
                made, whole = self._make_near(until, hurried=seconds < OPEN_S) if seconds else (False, self._complete)
                self._tabs_due = self._tabs_due or made
                QCoreApplication.sendPostedEvents(None, QEvent.Type.LayoutRequest)
                moved = self._rows.measure()
                self._resize_page(self._rows.column)
                self.verticalScrollBar().setValue(stay())
                if not (made or moved):
                    break
                whole = False  # other messages may be near now
                if time.thread_time() > until:
                    break
            self._place(self._rows.column)
            same = self._rows.width == self._inner()  # what was sent above may have changed this place's own width
            whole = self._free_far() and whole and same and self._rows.settled
            if not whole:
                self.pace.ask(self._arrange)
            elif self._tabs_due:
                self._order_tabs()
        finally:
            self._arranging = False
        self._show_latest()

    def _anchor(self) -> Callable[[], int]:
        """Tells how far to scroll so that what is read stays where it is."""
        bar, rows = self.verticalScrollBar(), self._rows
        if self.following or not rows.every:
            return bar.maximum
        value, before = bar.value(), rows.column
        first = before.at(value)
        offset, height = value - before.tops[first], max(1, before.heights[first])
        same = rows.every[first].measured and self._inner() == rows.width

        def stay() -> int:
            now = rows.column
            return now.tops[first] + (offset if same else round(offset * now.heights[first] / height))

        return stay

    def _near(self, screens: float) -> range:
        value, view = self.verticalScrollBar().value(), self.viewport().height()
        return self._rows.column.within(round(value - screens * view), round(value + (1 + screens) * view))

    @property
    def _complete(self) -> bool:
        return not self.isVisible() or all(number in self._rows.live for number in self._near(NEAR_SCREENS))

    def _make_near(self, until: float, hurried: bool) -> tuple[bool, bool]:
        """(whether any was made, whether none is left to make): what is in view first, one at least.

        hurried: while the view moves. Then messages are filled a little later, and what is out of view waits for that.
        """
        if not self.isVisible() or not self._rows.every:
            return False, True
        made = False
        in_view = self._near(0)
        middle = (in_view.start + in_view.stop) // 2
        around = sorted(self._near(NEAR_SCREENS), key=lambda number: abs(number - middle))
        for numbers in (in_view, around):
            for number in numbers:
                if number in self._rows.live:
                    continue
                waits = numbers is not in_view and hurried and not self._rows.settled
                if waits or (made and time.thread_time() > until):
                    return made, False
                self._rows.make(number, self._page, hurried)
                made = True
            if made:  # heights are other ones now
                return made, True
        return made, True

    def _resize_page(self, layout: Column) -> None:
        view = self.viewport().size()
        empty = not self._rows.every
        self._page.resize(view.width(), view.height() if empty else max(layout.height, view.height()))
        self._empty.setVisible(empty)
        if empty:
            self._empty.setGeometry(SPACE.xs + side_room(self.width()), 0, self._inner(), view.height())

    def _place(self, layout: Column) -> None:
        left = SPACE.xs + side_room(self.width())
        for number, widget in self._rows.live.items():
            widget.setGeometry(left, layout.tops[number], self._rows.width, layout.heights[number])

    def _free_far(self) -> bool:
        """Gives up widgets that are far from the view, a few at a time; whether none is left to give up."""
        near = self._near(FAR_SCREENS)
        focus = QApplication.focusWidget()
        far = [
            number
            for number, widget in self._rows.live.items()
            if number not in near and not self.keeps(widget) and not (focus is not None and widget.isAncestorOf(focus))
        ]
        for number in far[:FREED_AT_ONCE]:
            self._rows.drop(number)
        return len(far) <= FREED_AT_ONCE

    def _order_tabs(self) -> None:
        """Tab goes through the conversation as it is read."""
        self._tabs_due = False
        before: QWidget = self
        for widget in self._rows.live.values():
            for here in widget.tab_stops():
                QWidget.setTabOrder(before, here)
                before = here

    # -- scrolling ----------------------------------------------------------------------------------------------------

    def _value_changed(self, value: int) -> None:
        if self._arranging:
            return
        self.following = value >= self.verticalScrollBar().maximum() - AT_THE_END_PX
        self._arrange()

    def _show_latest(self) -> None:
        self.latest.setVisible(not self.following and bool(self._rows.every))
        if not self.following:
            self._place_latest()

    def _place_latest(self) -> None:
        self.latest.adjustSize()
        self.latest.move((self.width() - self.latest.width()) // 2, self.height() - self.latest.height() - SPACE.s)
        self.latest.raise_()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._arrange()
        self._place_latest()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._arrange(OPEN_S)

    def minimumSizeHint(self) -> QSize:
        return QSize(240, 120)

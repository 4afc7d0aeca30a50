"""The list of conversations, in a popover: search, open, delete."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QListWidget, QListWidgetItem, QToolButton

from app.ui.chat.popovers import Popover
from app.ui.chat.session import NEW_CHAT, Listed
from app.ui.theme import SPACE
from app.ui.widgets import WrappedLabel, explain, push_button

_KEY = Qt.ItemDataRole.UserRole


def when(changed_at: float, now: float) -> str:
    """ "14:05" today, "21 Nov" this year, "21 Nov 2025" before."""
    then, today = datetime.fromtimestamp(changed_at), datetime.fromtimestamp(now)
    if then.date() == today.date():
        return then.strftime("%H:%M")
    day = f"{then.day} {then:%b}"
    return day if then.year == today.year else f"{day} {then.year}"


class ConversationRows(QListWidget):
    """Enter opens, Delete asks for deletion. Signals: delete_wanted()."""

    delete_wanted = Signal()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.delete_wanted.emit()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            if (item := self.currentItem()) is not None:
                self.itemActivated.emit(item)
        else:
            super().keyPressEvent(event)


class ConversationList(Popover):
    """Signals: opened(key), delete_wanted(key), search_changed(words)."""

    opened = Signal(str)
    delete_wanted = Signal(str)
    search_changed = Signal(str)

    def __init__(self, parent=None) -> None:  # type: ignore[no-untyped-def]
        super().__init__("Conversations", 310, parent)
        self.search = QLineEdit()
        self.search.setPlaceholderText("Search conversations")
        self.search.setAccessibleName("Search conversations")
        self.search.setClearButtonEnabled(True)
        for button in self.search.findChildren(QToolButton):
            button.setAccessibleName("Clear the search")
        self.rows = ConversationRows()
        self.rows.setAccessibleName("Conversations")
        self.rows.setFixedHeight(260)
        self.rows.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.rows.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.rows.setUniformItemSizes(True)
        self.hint = WrappedLabel("", "muted")
        self.delete = push_button("Delete", "danger", self._delete)
        self.delete.setAccessibleName("Delete the selected conversation")
        self.done = push_button("Close", "", self.close)
        self.body.addWidget(self.search)
        self.body.addWidget(self.hint)
        self.body.addWidget(self.rows)
        row = QHBoxLayout()
        row.addWidget(self.delete)
        row.addStretch(1)
        row.addWidget(self.done)
        self.body.addSpacing(SPACE.xs)
        self.body.addLayout(row)
        self.search.textChanged.connect(self.search_changed.emit)
        self.search.returnPressed.connect(self._open_first)
        self.rows.itemActivated.connect(self._open)
        self.rows.itemClicked.connect(self._open)
        self.rows.delete_wanted.connect(self._delete)
        self.rows.currentRowChanged.connect(self._explain)

    def show_conversations(self, listed: Sequence[Listed], current: str, obstacle: str) -> None:
        """obstacle: why none can be opened or deleted now, "" when it can."""
        self._obstacle = obstacle
        now = time.time()
        self.rows.clear()
        for entry in listed:
            item = QListWidgetItem(f"{when(entry.changed_at, now)}   {entry.title or NEW_CHAT}")
            item.setData(_KEY, entry.key)
            item.setData(Qt.ItemDataRole.AccessibleTextRole, f"{entry.title}, {when(entry.changed_at, now)}")
            self.rows.addItem(item)
            if entry.key == current:
                self.rows.setCurrentItem(item)
        searched = bool(self.search.text())
        none = "No conversation holds these words." if searched else "Conversations appear here by themselves."
        self.hint.setText(obstacle or ("" if listed else none))
        self.hint.setVisible(bool(self.hint.text()))
        self.rows.setVisible(bool(listed))
        self.rows.setEnabled(not obstacle)
        self._explain()

    _obstacle = ""

    def focus_first(self) -> None:
        self.search.setFocus()

    def _explain(self, _row: int = 0) -> None:
        explain(self.delete, self._obstacle or ("" if self.rows.currentItem() else "Select a conversation first."))

    def _open_first(self) -> None:
        if self.rows.count() and not self._obstacle:
            self._open(self.rows.currentItem() or self.rows.item(0))

    def _open(self, item: QListWidgetItem) -> None:
        key = str(item.data(_KEY))
        self.close()
        self.opened.emit(key)

    def _delete(self) -> None:
        if (item := self.rows.currentItem()) is not None and not self._obstacle:
            self.delete_wanted.emit(str(item.data(_KEY)))

"""The list of conversations, in a popover: search, open, put into folders, delete."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from datetime import datetime

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QFont, QKeyEvent
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QListWidget, QListWidgetItem, QToolButton, QWidget

from app.core.chat.conversation import NEW_CHAT
from app.core.chat.shelf import Listed
from app.ui.chat.popovers import Popover
from app.ui.text import tr
from app.ui.theme import SPACE
from app.ui.widgets import SearchField, WrappedLabel, explain, push_button
from app.ui.widgets.labels import plain_tooltip

_KEY = Qt.ItemDataRole.UserRole
WIDTH = 330
FOLDER_LIMIT = 60


def when(changed_at: float, now: float) -> str:
    """ "14:05" today, "21 Nov" this year, "21 Nov 2025" before."""
    then, today = datetime.fromtimestamp(changed_at), datetime.fromtimestamp(now)
    if then.date() == today.date():
        return then.strftime("%H:%M")
    day = f"{then.day} {then:%b}"
    return day if then.year == today.year else f"{day} {then.year}"


def _titled(title: str) -> str:
    line = " ".join(title.split())
    return line if line and line != NEW_CHAT else tr("New chat")


def grouped(listed: Sequence[Listed]) -> tuple[tuple[str, tuple[Listed, ...]], ...]:
    """(folder, its conversations): what lies in none first, then folders by name; the order within stays."""
    folders = sorted({each.folder for each in listed}, key=lambda name: (bool(name), name.casefold()))
    return tuple((folder, tuple(each for each in listed if each.folder == folder)) for folder in folders)


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
    """Signals: opened(key), delete_wanted(key), folder_chosen(key, name), search_changed(words), import_wanted()."""

    opened = Signal(str)
    delete_wanted = Signal(str)
    folder_chosen = Signal(str, str)
    search_changed = Signal(str)
    import_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(tr("Conversations"), WIDTH, parent)
        self._listed: tuple[Listed, ...] = ()
        self.search = SearchField()
        self.search.setPlaceholderText(tr("Search titles and messages"))
        self.search.setAccessibleName(tr("Search conversations"))
        for button in self.search.findChildren(QToolButton):
            button.setAccessibleName(tr("Clear the search"))
        self.rows = ConversationRows()
        self.rows.setAccessibleName(tr("Conversations"))
        self.rows.setFixedHeight(280)
        self.rows.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.rows.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.rows.setUniformItemSizes(True)
        self.hint = WrappedLabel("", "muted")
        self.folder = QComboBox()
        self.folder.setEditable(True)
        self.folder.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.folder.setAccessibleName(tr("Folder of the selected conversation"))
        self.folder.setToolTip(tr("Choose a folder, or write a new name and press Enter. Empty: in none."))
        self.folder.lineEdit().setPlaceholderText(tr("no folder"))
        self.folder.lineEdit().setMaxLength(FOLDER_LIMIT)
        self.folder.lineEdit().setAccessibleName(tr("Folder of the selected conversation"))
        self.folder.view().setAccessibleName(tr("Folders"))
        self.move_here = push_button("Move", "quiet", self._move)
        self.move_here.setAccessibleName(tr("Move the selected conversation into this folder"))
        self.delete = push_button("Delete", "danger", self._delete)
        self.delete.setAccessibleName(tr("Delete the selected conversation"))
        self.load = push_button("Import…", "quiet", self._import)
        self.done = push_button("Close", "", self.close)
        for part in (self.search, self.hint, self.rows):
            self.body.addWidget(part)
        row = QHBoxLayout()
        row.addWidget(self.folder, 1)
        row.addWidget(self.move_here)
        self.body.addLayout(row)
        row = QHBoxLayout()
        row.addWidget(self.delete)
        row.addWidget(self.load)
        row.addStretch(1)
        row.addWidget(self.done)
        self.body.addSpacing(SPACE.xs)
        self.body.addLayout(row)
        self.search.textChanged.connect(self.search_changed.emit)
        self.search.returnPressed.connect(self._open_first)
        self.folder.lineEdit().returnPressed.connect(self._move)
        self.rows.itemActivated.connect(self._open)
        self.rows.itemClicked.connect(self._open)
        self.rows.delete_wanted.connect(self._delete)
        self.rows.currentRowChanged.connect(self._explain)
        self._explain()

    def show_conversations(self, listed: Sequence[Listed], current: str, busy: Collection[str] = ()) -> None:
        """busy: those whose answers are being written."""
        self._listed = tuple(listed)
        now = time.time()
        self.rows.clear()
        groups = grouped(listed)
        for folder, inside in groups:
            if len(groups) > 1 or folder:
                self._add_folder(folder or tr("No folder"))
            for entry in inside:
                state = tr("writing…") if entry.key in busy else when(entry.changed_at, now)
                item = QListWidgetItem(f"{state}   {_titled(entry.title)}")
                item.setData(_KEY, entry.key)
                item.setToolTip(plain_tooltip(entry.title[:500]))
                item.setData(Qt.ItemDataRole.AccessibleTextRole, f"{_titled(entry.title)}, {state}")
                self.rows.addItem(item)
                if entry.key == current:
                    self.rows.setCurrentItem(item)
        searched = bool(self.search.text())
        none = tr("No conversation holds these words.") if searched else tr("Conversations appear here by themselves.")
        self.hint.setText("" if listed else none)
        self.hint.setVisible(not listed)
        self.rows.setVisible(bool(listed))
        self._explain()

    @property
    def titles(self) -> tuple[str, ...]:
        """The texts of the rows, folders included, as they are shown."""
        return tuple(self.rows.item(number).text() for number in range(self.rows.count()))

    def focus_first(self) -> None:
        self.search.setFocus()

    def _add_folder(self, name: str) -> None:
        item = QListWidgetItem(name)
        item.setFlags(Qt.ItemFlag.NoItemFlags)
        font = QFont(self.rows.font())
        font.setWeight(QFont.Weight.DemiBold)
        item.setFont(font)
        self.rows.addItem(item)

    def _selected(self) -> Listed | None:
        item = self.rows.currentItem()
        key = item.data(_KEY) if item is not None else None
        return next((each for each in self._listed if each.key == key), None)

    def _explain(self, _row: int = 0) -> None:
        selected = self._selected()
        none = "" if selected else tr("Select a conversation first.")
        explain(self.delete, none)
        explain(self.move_here, none, "Move the conversation into this folder")
        self.folder.setEnabled(selected is not None)
        self.folder.setToolTip(plain_tooltip(none or tr("A folder that is there, or the name of a new one")))
        self.folder.setAccessibleDescription(self.folder.toolTip())
        names = sorted({each.folder for each in self._listed if each.folder}, key=str.casefold)
        self.folder.clear()
        self.folder.addItems(names)
        self.folder.setEditText(selected.folder if selected else "")

    def _open_first(self) -> None:
        rows = [self.rows.item(number) for number in range(self.rows.count())]
        item = self.rows.currentItem() or next((row for row in rows if row.data(_KEY)), None)
        if item is not None:
            self._open(item)

    def _open(self, item: QListWidgetItem) -> None:
        if key := item.data(_KEY):
            self.close()
            self.opened.emit(str(key))

    def _move(self) -> None:
        if (selected := self._selected()) is not None:
            self.folder_chosen.emit(selected.key, " ".join(self.folder.currentText().split()))

    def _import(self) -> None:
        self.close()
        self.import_wanted.emit()

    def _delete(self) -> None:
        if (selected := self._selected()) is not None:
            self.delete_wanted.emit(selected.key)

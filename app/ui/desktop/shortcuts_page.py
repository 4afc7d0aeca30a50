"""The page of keyboard shortcuts: what the table of commands holds."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QDialog, QGridLayout, QHBoxLayout, QVBoxLayout, QWidget

from app.core.text import phrase
from app.ui.desktop.commands import rows
from app.ui.text import tr
from app.ui.theme import SPACE, scaled
from app.ui.widgets import SearchField, WrappedLabel, label, page_scroll, push_button

NOTHING = phrase("No shortcut has these words.")


def key_words(keys: tuple[str, ...]) -> str:
    """As this system writes them: ⌘N on a Mac, Ctrl+N elsewhere."""
    return ", ".join(QKeySequence(each).toString(QKeySequence.SequenceFormat.NativeText) for each in keys)


class ShortcutsDialog(QDialog):
    """Lists them by menu and by place, and finds one by its words or keys."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(tr("Keyboard shortcuts"))
        room = parent.size() if parent else QSize(600, 680)
        self.resize(min(scaled(560), room.width() - 40), min(scaled(640), room.height() - 40))
        self.search = SearchField()
        self.search.setAccessibleName(tr("Find a shortcut"))
        self.search.setPlaceholderText(tr("Find: deploy, Ctrl+N"))
        self.search.textChanged.connect(self._filter)
        self.nothing = WrappedLabel(NOTHING, "muted")
        self.lines: list[tuple[str, list[QWidget]]] = []
        self._headings: list[tuple[QWidget, list[int]]] = []
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, SPACE.s, 0)
        column.setSpacing(SPACE.m)
        for heading, lines in rows():
            column.addWidget(self._part(heading, lines))
        column.addWidget(self.nothing)
        column.addStretch(1)
        area = page_scroll(content)
        area.setFocusPolicy(Qt.FocusPolicy.StrongFocus)  # the arrow keys scroll it
        area.setAccessibleName(tr("Shortcuts"))
        close = push_button("Close", "", self.accept)
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        buttons.addWidget(close)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE.xl, SPACE.l, SPACE.l, SPACE.l)
        layout.setSpacing(SPACE.m)
        layout.addWidget(label("Keyboard shortcuts", "title"))
        layout.addWidget(self.search)
        layout.addWidget(area, 1)
        layout.addLayout(buttons)
        self._filter("")

    def _part(self, heading: str, lines: tuple[tuple[tuple[str, ...], str], ...]) -> QWidget:
        part = QWidget()
        grid = QGridLayout(part)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setVerticalSpacing(SPACE.xs)
        grid.setColumnStretch(0, 1)
        grid.addWidget(label(heading, "heading"), 0, 0, 1, 2)
        numbers: list[int] = []
        for number, (keys, text) in enumerate(lines, 1):
            what, how = WrappedLabel(tr(text).rstrip("…")), label(key_words(keys), "muted")
            grid.addWidget(what, number, 0)
            grid.addWidget(how, number, 1, Qt.AlignmentFlag.AlignRight)
            numbers.append(len(self.lines))
            self.lines.append((f"{what.text()} {key_words(keys)} {tr(heading)}".lower(), [what, how]))
        self._headings.append((part, numbers))
        return part

    def _filter(self, words: str) -> None:
        wanted = words.lower().split()
        found = {number for number, (text, _) in enumerate(self.lines) if all(word in text for word in wanted)}
        for number, (_, widgets) in enumerate(self.lines):
            for widget in widgets:
                widget.setVisible(number in found)
        for part, numbers in self._headings:
            part.setVisible(bool(found & set(numbers)))
        self.nothing.setVisible(not found)

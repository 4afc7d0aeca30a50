"""The activity log."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path

from PySide6.QtCore import QEvent, QSignalBlocker, Qt
from PySide6.QtGui import QFontMetricsF, QGuiApplication, QTextBlockFormat, QTextCharFormat, QTextCursor
from PySide6.QtWidgets import QComboBox, QFileDialog, QFrame, QTextEdit, QWidget

from app.core.snapshot import ActivityEntry, Level
from app.core.text import phrase
from app.ui.activity.lines import MESSAGE_AT, as_file, line, wanted
from app.ui.bridge import CoreBridge
from app.ui.text import as_shown, shown, tr
from app.ui.theme import SPACE, colour, look, tokens
from app.ui.widgets import Banner, Card, FlowRow, SearchField, push_button

KEPT = 1000
HINT = phrase("What happens on the machines is written here.")
EVERY_MACHINE = phrase("All machines")
NOTHING = phrase("Nothing of that is in the activity.")


class ActivityPanel(Card):
    """The latest entries; the view follows the end unless the reader has scrolled up."""

    _filled = False  # Qt calls changeEvent before __init__ has ended
    _look = ""

    def __init__(self, bridge: CoreBridge, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._bridge = bridge
        self._cleared = 0
        self.text = QTextEdit()
        self.text.setReadOnly(True)
        self.text.setUndoRedoEnabled(False)
        self.text.document().setMaximumBlockCount(KEPT)
        self.text.setFrameShape(QFrame.Shape.NoFrame)
        self.text.setProperty("role", "mono")
        self.text.setPlaceholderText(as_shown(HINT))
        self.text.setAccessibleName(tr("Activity"))
        self.text.setMinimumHeight(84)
        self.all = push_button("All", "quiet", lambda: self._filter(False))
        self.warnings = push_button("Warnings", "quiet", lambda: self._filter(True))
        for button in (self.all, self.warnings):
            button.setCheckable(True)  # no button group: that would keep the Tab key from one of them
        self.all.setChecked(True)
        self.machine = QComboBox()
        self.machine.setAccessibleName(tr("Entries of which machine"))
        self.machine.addItem(as_shown(EVERY_MACHINE), "")
        self.machine.setMinimumContentsLength(9)
        self.machine.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.machine.activated.connect(lambda _index: self.rebuild())
        self.search = SearchField()
        self.search.setPlaceholderText(tr("Filter"))
        self.search.setAccessibleName(tr("Show entries with these words"))
        self.search.setMaximumWidth(180)
        self.search.textChanged.connect(lambda _text: self.rebuild())
        self.copy_button = push_button("Copy", "quiet", self.copy)
        self.copy_button.setToolTip(tr("Copies the lines that are shown"))
        self.save_button = push_button("Save…", "quiet", self.ask_where)
        self.save_button.setToolTip(tr("Writes the entries that are shown into a file"))
        self.clear_button = push_button("Clear", "quiet", self.clear)
        self.clear_button.setToolTip(tr("Empties this view"))
        self.banner = Banner()
        top = FlowRow(SPACE.xs)
        top.add(self.search, 90)
        for widget in (self.machine, self.all, self.warnings):
            top.add(widget)
        top.spring()
        for widget in (self.copy_button, self.save_button, self.clear_button):
            top.add(widget)
        self.body.addLayout(top)
        self.body.addWidget(self.banner)
        self.body.addWidget(self.text, 1)
        self._following, self._most = True, 0
        self.text.verticalScrollBar().rangeChanged.connect(self._follow)
        self.text.verticalScrollBar().valueChanged.connect(self._scrolled)
        bridge.activity_added.connect(self._add)
        self._filled = True
        self.rebuild()

    def show_machines(self, names: tuple[str, ...]) -> None:
        """The machines that can be chosen; one that is gone stays while it is chosen."""
        chosen = self.node
        wanted_names = [*names, *([chosen] if chosen and chosen not in names else [])]
        if wanted_names == [self.machine.itemData(index) for index in range(1, self.machine.count())]:
            return
        with QSignalBlocker(self.machine):
            self.machine.clear()
            self.machine.addItem(as_shown(EVERY_MACHINE), "")
            for name in wanted_names:
                self.machine.addItem(name, name)
            self.machine.setCurrentIndex(max(0, self.machine.findData(chosen)))

    def show_only(self, node: str) -> None:
        """The entries of one machine."""
        self.show_machines((*(self.machine.itemData(i) for i in range(1, self.machine.count())),))
        if self.machine.findData(node) < 0:
            self.machine.addItem(node, node)
        self.machine.setCurrentIndex(self.machine.findData(node))
        self.search.clear()
        self._filter(False)

    @property
    def node(self) -> str:
        """Whose entries are shown; "" for all."""
        return self.machine.currentData() or ""

    def _filter(self, only_warnings: bool) -> None:
        self.all.setChecked(not only_warnings)
        self.warnings.setChecked(only_warnings)
        self.rebuild()

    def clear(self) -> None:
        """Empties the view; the entries themselves stay."""
        self._cleared = max((entry.number for entry in self._bridge.activity), default=0)
        self.rebuild()

    def copy(self) -> None:
        QGuiApplication.clipboard().setText(self.text.toPlainText())

    def ask_where(self) -> None:
        """Opens the question for a file to save to."""
        name = time.strftime("shardboard-activity-%Y%m%d-%H%M.txt")
        dialog = QFileDialog(self, tr("Save activity"), str(Path.home() / name), tr("Text (*.txt)"))
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setDefaultSuffix("txt")
        dialog.fileSelected.connect(lambda chosen: self.save(Path(chosen)))
        dialog.open()

    def save(self, file: Path) -> None:
        """Writes the entries that are shown, and says so, or why not."""
        try:
            file.write_text(as_file(self.shown(), shown), encoding="utf-8")
        except OSError as error:
            self.banner.show_message(
                tr(
                    "The activity could not be written to {file}: {strerror}.",
                    file=file,
                    strerror=error.strerror or error,
                )
            )
        else:
            self.banner.show_message(tr("Saved as {file}.", file=file), tone="success")

    def shown(self) -> list[ActivityEntry]:
        return self._wanted(self._bridge.activity)

    def rebuild(self) -> None:
        entries = self.shown()
        narrowed = bool(self._bridge.activity) and not entries and not self._cleared
        self.text.setPlaceholderText(as_shown(NOTHING if narrowed else HINT))
        self._look = look()
        self.text.setUpdatesEnabled(False)
        self.text.clear()
        self._write(entries[-KEPT:])
        self.text.setUpdatesEnabled(True)
        self._following = True
        self._follow(0, self.text.verticalScrollBar().maximum())

    def _follow(self, _least: int, most: int) -> None:
        """There are more lines, or there is less room for them."""
        self._most = most
        if self._following:
            self.text.verticalScrollBar().setValue(most)

    def _scrolled(self, value: int) -> None:
        bar = self.text.verticalScrollBar()
        if bar.maximum() == self._most:  # else it is only put right, before the new range is told
            self._following = value >= bar.maximum() - 2

    def _wanted(self, entries: Iterable[ActivityEntry]) -> list[ActivityEntry]:
        return wanted(entries, self.warnings.isChecked(), self._cleared, self.node, self.search.text(), shown)

    def _add(self, entry: ActivityEntry) -> None:
        if not self._wanted([entry]):
            return
        self._write([entry])

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        kinds = (QEvent.Type.PaletteChange, QEvent.Type.FontChange, QEvent.Type.StyleChange)
        if event.type() in kinds and self._filled and look() != self._look:
            self.rebuild()  # the lines carry the colours of the theme, and the size of text, that they were written in

    def _write(self, entries: Iterable[ActivityEntry]) -> None:
        """Lines at the end; what of a line does not fit stands below its own words, not below the clock."""
        values = tokens()
        inks = {Level.INFO: values.text, Level.WARNING: values.warning, Level.ERROR: values.danger}
        block, form = QTextBlockFormat(), QTextCharFormat()
        self.text.ensurePolished()
        indent = QFontMetricsF(self.text.font()).horizontalAdvance(" ") * MESSAGE_AT
        block.setLeftMargin(indent)
        block.setTextIndent(-indent)
        cursor = QTextCursor(self.text.document())
        cursor.beginEditBlock()
        cursor.movePosition(QTextCursor.MoveOperation.End)
        for entry in entries:
            form.setForeground(colour(inks[entry.level]))
            if not self.text.document().isEmpty():
                cursor.insertBlock()
            cursor.setBlockFormat(block)
            cursor.insertText(line(entry, shown), form)
        cursor.endEditBlock()

"""Placements kept by name: a button with a menu, and the dialog that asks for a name."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QDialog, QHBoxLayout, QLineEdit, QMenu, QPushButton, QVBoxLayout, QWidget

from app.core.text import phrase
from app.ui.board.state import BoardState
from app.ui.text import tr
from app.ui.theme.tokens import SPACE
from app.ui.widgets import WrappedLabel, explain, label, push_button

NAME_FIRST = phrase("Type a name first.")
LONGEST = 60


class SavedButton(QPushButton):
    """Signals: restore_wanted(name), save_wanted(name), delete_wanted(name)."""

    restore_wanted = Signal(str)
    save_wanted = Signal(str)
    delete_wanted = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(tr("Saved"), parent)
        self.setAccessibleName(tr("Saved placements"))
        self._names: tuple[str, ...] = ()
        self._model = ""
        self._save_why_not = ""
        self.dialog: SaveDialog | None = None
        self.opened: QMenu | None = None
        self.clicked.connect(lambda _checked=False: self._open())

    def show_state(self, state: BoardState) -> None:
        self._names, self._model = state.saved, state.model
        self._save_why_not = state.save_why_not
        explain(self, state.hint, tr("Placements of {model} that you keep by name", model=state.model))

    def menu_of_saved(self) -> QMenu:
        """What is saved, to be restored or deleted, and Save as."""
        menu = QMenu(self)
        menu.setToolTipsVisible(True)
        menu.setAccessibleName(tr("Saved placements"))
        for name in self._names:
            menu.addAction(_plain(name), lambda name=name: self.restore_wanted.emit(name))
        if not self._names:
            explain(menu.addAction(tr("Nothing is saved for this model yet")), "Save the placement on the board first.")
        menu.addSeparator()
        save = menu.addAction(tr("Save as…"), self.ask)
        explain(save, self._save_why_not)
        if self._names:
            delete = menu.addMenu(tr("Delete"))
            for name in self._names:
                delete.addAction(_plain(name), lambda name=name: self.delete_wanted.emit(name))
        return menu

    def ask(self) -> None:
        self.dialog = SaveDialog(self._model, self._names, self)
        self.dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.dialog.named.connect(self.save_wanted)
        self.dialog.open()

    def _open(self) -> None:
        self.opened = self.menu_of_saved()
        self.opened.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.opened.popup(self.mapToGlobal(self.rect().bottomLeft()))


class SaveDialog(QDialog):
    """Asks for a name. Signals: named(name)."""

    named = Signal(str)

    def __init__(self, model: str, names: tuple[str, ...], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._names = names
        self.setWindowTitle(tr("Save placement"))
        self.setMinimumWidth(380)
        self.name = QLineEdit()
        self.name.setAccessibleName(tr("Name of the placement"))
        self.name.setMaxLength(LONGEST)
        self.name.setPlaceholderText(tr("All three machines"))
        self.name.textChanged.connect(self._show)
        self.name.returnPressed.connect(self._save)
        self.note = WrappedLabel(role="muted")
        self.save = push_button("Save", "primary", self._save)
        self.cancel = push_button("Cancel", "", self.reject)
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        buttons.addWidget(self.cancel)
        buttons.addWidget(self.save)
        column = QVBoxLayout(self)
        column.setContentsMargins(SPACE.l, SPACE.l, SPACE.l, SPACE.l)
        column.setSpacing(SPACE.m)
        column.addWidget(label(tr("Keep this placement of {model} as", model=model), "heading"))
        column.addWidget(self.name)
        column.addWidget(self.note)
        column.addLayout(buttons)
        self._show()

    def _show(self) -> None:
        name = " ".join(self.name.text().split())
        explain(self.save, "" if name else NAME_FIRST)
        self.note.setText(
            tr("One of this name is there: it is replaced.")
            if name in self._names
            else tr("Layers, context and pins are kept.")
        )

    def _save(self) -> None:
        name = " ".join(self.name.text().split())
        if name:
            self.named.emit(name)
            self.accept()


def _plain(name: str) -> str:
    return name.replace("&", "&&")

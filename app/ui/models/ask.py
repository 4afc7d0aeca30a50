"""A question before something is lost: what goes, and two answers that say what they do."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QMessageBox, QWidget

from app.core.text import phrase
from app.ui.text import shown
from app.ui.theme import SPACE
from app.ui.widgets import set_tone

KEEP = phrase("Keep")


def ask(parent: QWidget, question: str, consequence: str, verb: str, on_yes: Callable[[], object]) -> QMessageBox:
    """Opens the question; on_yes is called when `verb` was pressed. Escape and Return keep things as they are."""
    box = QMessageBox(parent)
    box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    box.setTextFormat(Qt.TextFormat.PlainText)
    box.setWindowTitle(shown(question))
    box.setText(shown(question))
    box.setInformativeText(shown(consequence))
    room = box.layout()
    if room is not None:
        room.setContentsMargins(SPACE.l, SPACE.l, SPACE.l, SPACE.l)
    yes = box.addButton(shown(verb), QMessageBox.ButtonRole.DestructiveRole)
    set_tone(yes, "kind", "danger")
    keep = box.addButton(shown(KEEP), QMessageBox.ButtonRole.RejectRole)
    box.setDefaultButton(keep)
    box.setEscapeButton(keep)
    yes.clicked.connect(lambda _checked=False: on_yes())
    box.open()
    return box

"""A message that is written anew in its own place."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QPushButton, QVBoxLayout

from app.ui.chat.parts import InlineEditor
from app.ui.chat.rows import MessageView


class EditableMessage(MessageView):
    """Its layout is a column.

    Signals: editing(), its editor is open; edited(text), it was written anew; walked(steps), another version is wanted.
    """

    editing = Signal()
    edited = Signal(str)
    walked = Signal(int)
    edit: QPushButton

    def begin_edit(self) -> None:
        if self.editor is not None:
            return
        editor = self.editor = self._new_editor()
        editor.done.connect(self.edited.emit)
        editor.cancelled.connect(self.end_edit)
        column = self.layout()
        assert isinstance(column, QVBoxLayout)
        column.insertWidget(0, editor)
        self._show_text(False)
        editor.edit.setFocus()
        self.editing.emit()

    def end_edit(self) -> None:
        if self.editor is not None:
            self.editor.hide()
            self.editor.deleteLater()
            self.editor = None
            self._show_text(True)
            self.edit.setFocus()

    def _new_editor(self) -> InlineEditor:
        raise NotImplementedError

    def _show_text(self, shown: bool) -> None:
        """Shows or hides that for which the editor stands."""
        raise NotImplementedError

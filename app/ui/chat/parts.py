"""Small parts that messages are made of: slim buttons, branches, an editor in place, a problem, a folded section."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QGuiApplication, QKeyEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from app.core.chat.conversation import Problem
from app.ui.chat.blocks import plain_blocks
from app.ui.chat.composer import DraftEdit
from app.ui.chat.markdown_view import MarkdownView
from app.ui.chat.text import cap, thinking_title
from app.ui.text import shown, tr
from app.ui.theme import SPACE
from app.ui.widgets import WrappedLabel, explain, label, push_button

COPIED_FOR_MS = 1500


def slim(text: str, name: str, on_click: Callable[[], object] | None = None) -> QPushButton:
    button = push_button(text, "quiet", on_click)
    button.setProperty("slim", True)
    button.setAccessibleName(shown(name))
    return button


class CopyButton(QPushButton):
    """Copies what `source` gives at the moment of the click, and says so."""

    def __init__(self, name: str, source: Callable[[], str], parent: QWidget | None = None) -> None:
        super().__init__(tr("Copy"), parent)
        self.setProperty("kind", "quiet")
        self.setProperty("slim", True)
        self.setAccessibleName(shown(name))
        self._source = source
        self._back = QTimer(self)
        self._back.setSingleShot(True)
        self._back.setInterval(COPIED_FOR_MS)
        self._back.timeout.connect(self._restore)
        self.clicked.connect(self._copy)

    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(self._source())
        self.setFixedWidth(max(self.width(), self.sizeHint().width()))
        self.setText(tr("Copied"))
        self._back.start()

    def _restore(self) -> None:
        self.setText(tr("Copy"))


class BranchNav(QWidget):
    """‹ 2 / 3 ›: which of several versions of a message is shown. Signals: walked(steps)."""

    walked = Signal(int)

    def __init__(self, thing: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._thing = thing
        self.previous = slim("‹", tr("Previous version of the {thing}", thing=thing), lambda: self.walked.emit(-1))
        self.next = slim("›", tr("Next version of the {thing}", thing=thing), lambda: self.walked.emit(1))
        self.place = label("", "small")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        for part in (self.previous, self.place, self.next):
            row.addWidget(part)
        self.hide()

    def show_place(self, at: int, count: int, obstacle: str = "") -> None:
        """at: counted from 0."""
        self.place.setText(f"{at + 1} / {count}")
        self.place.setAccessibleName(
            tr("Version {at} of {count} of the {thing}", at=at + 1, count=count, thing=self._thing)
        )
        explain(self.previous, obstacle or ("" if at > 0 else tr("This is the first version.")), "Previous version")
        explain(self.next, obstacle or ("" if at < count - 1 else tr("This is the latest version.")), "Next version")
        self.setVisible(count > 1)


class EditorField(DraftEdit):
    """Signals: cancelled(), by Esc."""

    cancelled = Signal()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            event.accept()
            self.cancelled.emit()
        else:
            super().keyPressEvent(event)


class InlineEditor(QFrame):
    """A message being edited in its place. Signals: done(text), cancelled()."""

    done = Signal(str)
    cancelled = Signal()

    def __init__(self, name: str, text: str, action: str, tip: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("kind", "composer")
        self.edit = EditorField()
        self.edit.setAccessibleName(shown(name))
        self.edit.setPlaceholderText("")
        self.edit.setPlainText(text)
        self.edit.moveCursor(self.edit.textCursor().MoveOperation.End)
        self.cancel = push_button("Cancel", "quiet", self.cancelled.emit)
        self.save = push_button(action, "primary", self._done)
        self._tip = tip
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(self.cancel)
        row.addWidget(self.save)
        column = QVBoxLayout(self)
        column.setContentsMargins(SPACE.s, SPACE.s, SPACE.s, SPACE.s)
        column.setSpacing(SPACE.xs)
        column.addWidget(self.edit)
        column.addLayout(row)
        self.edit.send_wanted.connect(self._done)
        self.edit.cancelled.connect(self.cancelled.emit)
        self.edit.textChanged.connect(self._explain)
        self._explain()

    def _explain(self) -> None:
        explain(self.save, "" if self.edit.toPlainText().strip() else "Write something first.", self._tip)

    def _done(self) -> None:
        text = self.edit.toPlainText().strip()
        if text:
            self.done.emit(text)


class ProblemPanel(QFrame):
    """An error in the answer's place: what is wrong and what to do."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("kind", "problem")
        self._cause = WrappedLabel(role="strong")
        self._remedy = WrappedLabel()
        for part in (self._cause, self._remedy):
            part.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE.m, SPACE.s, SPACE.m, SPACE.s)
        layout.setSpacing(SPACE.xs)
        layout.addWidget(self._cause)
        layout.addWidget(self._remedy)
        self.hide()

    def show_problem(self, problem: Problem | None) -> None:
        if problem is None:
            self.hide()
            return
        self._cause.setText(problem.cause)
        self._remedy.setText(problem.remedy)
        self._remedy.setVisible(bool(problem.remedy))
        self.setAccessibleName(tr("Error: {cause} {remedy}", cause=problem.cause, remedy=problem.remedy).strip())
        self.show()

    @property
    def text(self) -> str:
        return f"{self._cause.text()} {self._remedy.text()}".strip()


class ThinkingView(QWidget):
    """What the model thinks before it answers, folded until the reader opens it. Plain text: it is rarely Markdown."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._thought = ""
        self.toggle = slim("", "Thinking")
        self.toggle.setCheckable(True)
        self.toggle.toggled.connect(self._unfold)
        self.frame = QFrame(self)
        self.frame.setProperty("kind", "quote")
        self.view = MarkdownView(tr("What the model thought"), parent=self.frame)
        self.view.setProperty("tone", "muted")
        inside = QVBoxLayout(self.frame)
        inside.setContentsMargins(SPACE.m, 2, 0, 0)
        inside.addWidget(self.view)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE.xs)
        column.addWidget(self.toggle, 0, Qt.AlignmentFlag.AlignLeft)
        column.addWidget(self.frame)
        self.frame.hide()
        self.hide()

    def show_thought(self, thought: str, still: bool) -> None:
        self._thought = thought
        arrow = "▾" if self.toggle.isChecked() else "▸"
        self.toggle.setText(f"{arrow} {shown(thinking_title(thought, still))}")
        self.toggle.setAccessibleDescription(tr("Shown") if self.toggle.isChecked() else tr("Folded"))
        if self.toggle.isChecked():
            self.view.show_blocks(0, plain_blocks(cap(thought)[0]))
        self._still = still
        self.setVisible(bool(thought) or still)

    _still = False

    def _unfold(self, shown: bool) -> None:
        self.frame.setVisible(shown)
        self.show_thought(self._thought, self._still)

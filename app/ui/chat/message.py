"""One message of the conversation: the reader's bubble, or an answer with its progress, problem and footer."""

from __future__ import annotations

import time
from collections.abc import Callable

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QGuiApplication, QResizeEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from app.ui.chat.answer import Phase, Running, outcome_words
from app.ui.chat.blocks import GrowingMarkdown
from app.ui.chat.markdown_view import MarkdownView
from app.ui.chat.rich import PlainView
from app.ui.chat.text import Figures, Problem, cap, figures_line, prefill_line, size
from app.ui.theme import SPACE
from app.ui.widgets import WrappedLabel, explain, label, push_button

NBSP = "\u00a0"
RENDER_EVERY_MS = 33
FIGURES_EVERY_S = 0.25
COPIED_FOR_MS = 1500
BUBBLE_SHARE = 0.84  # of the conversation's width


def _slim(text: str, name: str, parent: QWidget | None = None) -> QPushButton:
    button = push_button(text, "quiet", parent=parent)
    button.setProperty("slim", True)
    button.setAccessibleName(name)
    return button


class CopyButton(QPushButton):
    """Copies what `source` gives at the moment of the click, and says so."""

    def __init__(self, name: str, source: Callable[[], str], parent: QWidget | None = None) -> None:
        super().__init__("Copy", parent)
        self.setProperty("kind", "quiet")
        self.setProperty("slim", True)
        self.setAccessibleName(name)
        self._source = source
        self._back = QTimer(self)
        self._back.setSingleShot(True)
        self._back.setInterval(COPIED_FOR_MS)
        self._back.timeout.connect(self._restore)
        self.clicked.connect(self._copy)

    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(self._source())
        self.setFixedWidth(max(self.width(), self.sizeHint().width()))
        self.setText("Copied")
        self._back.start()

    def _restore(self) -> None:
        self.setText("Copy")


class UserMessage(QWidget):
    """What the reader asked, in a bubble on the trailing side."""

    def __init__(self, text: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._text = text
        self._bubble = QFrame()
        self._bubble.setProperty("kind", "bubble")
        self._view = PlainView("Your message")
        inside = QVBoxLayout(self._bubble)
        inside.setContentsMargins(SPACE.m, SPACE.s, SPACE.m, SPACE.s)
        inside.addWidget(self._view)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addStretch(1)
        layout.addWidget(self._bubble)
        self._view.show_text(cap(text)[0])

    @property
    def text(self) -> str:
        return self._text

    def resizeEvent(self, event: QResizeEvent) -> None:
        """The bubble is as wide as its longest line, up to its share of the conversation."""
        super().resizeEvent(event)
        margins = self._bubble.layout().contentsMargins()
        around = margins.left() + margins.right() + 2
        most = max(80, int(self.width() * BUBBLE_SHARE) - around)
        document = self._view.document().clone()
        document.setTextWidth(most)
        width = min(most, int(document.idealWidth()) + 2)
        document.deleteLater()
        self._bubble.setFixedWidth(width + around)


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
        self.setAccessibleName(f"Error: {problem.cause} {problem.remedy}".strip())
        self.show()

    @property
    def text(self) -> str:
        return f"{self._cause.text()} {self._remedy.text()}".strip()


class AnswerView(QWidget):
    """An answer, running or finished.

    While it runs, show_running() takes states and the text is drawn at most every 33 ms, less often where drawing takes
    long. A finished one is shown by show_finished().
    Signals: regenerate_wanted().
    """

    regenerate_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._growing = GrowingMarkdown()
        self._figures_at = 0.0
        self._state = Running()
        self.markdown = MarkdownView()
        self.progress = label(role="muted")
        self.note = WrappedLabel(role="small")
        self.problem = ProblemPanel()
        self.figures = WrappedLabel(role="small")
        self.figures.setAccessibleName("Figures of this answer")
        self.show_all = _slim("", "Show the whole answer as plain text")
        self.copy = CopyButton("Copy the answer", lambda: self._growing.text)
        self.regenerate = _slim("Regenerate", "Write this answer again")
        self._whole: PlainView | None = None
        self._render = QTimer(self)
        self._render.setSingleShot(True)
        self._render.setInterval(RENDER_EVERY_MS)
        self._render.timeout.connect(self._draw)
        self.show_all.clicked.connect(self._show_whole)
        self.regenerate.clicked.connect(lambda _checked=False: self.regenerate_wanted.emit())

        self._buttons = QWidget()
        row = QHBoxLayout(self._buttons)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(SPACE.xs)
        row.addWidget(self.copy)
        row.addWidget(self.regenerate)
        row.addStretch(1)
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(SPACE.s)
        for part in (self.markdown, self.show_all, self.progress, self.note, self.problem, self.figures, self._buttons):
            self._layout.addWidget(part)
        self._layout.setAlignment(self.show_all, Qt.AlignmentFlag.AlignLeft)
        for part in (self.markdown, self.show_all, self.note, self.figures, self._buttons):
            part.hide()
        self.progress.setText("Waiting for the first stage…")
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)

    # -- what is shown ------------------------------------------------------------------------------------------------

    @property
    def text(self) -> str:
        return self._growing.text

    def show_running(self, state: Running) -> None:
        self._state = state
        self._growing.feed(state.fresh)
        if state.phase is Phase.DONE:
            self._finish()
            return
        self._show_progress()
        if state.fresh and not self._render.isActive():
            self._render.start()
        now = time.monotonic()
        if now - self._figures_at >= FIGURES_EVERY_S:
            self._figures_at = now
            self._show_figures(state.figures, "")

    def show_finished(self, text: str, figures: Figures, outcome: str, problem: Problem | None, note: str = "") -> None:
        """An answer as it was saved."""
        self._growing = GrowingMarkdown()
        self._growing.feed(text)
        self._settle(figures, outcome, problem, note)

    def allow_regenerate(self, offered: bool, why_not: str = "") -> None:
        self.regenerate.setVisible(offered)
        explain(self.regenerate, why_not)

    # -- drawing ------------------------------------------------------------------------------------------------------

    def _show_progress(self) -> None:
        state = self._state
        waiting = not state.has_text
        if waiting and state.prefill is not None:
            self.progress.setText(prefill_line(state.prefill.done_tokens, state.prefill.total_tokens))
        self.progress.setVisible(waiting)
        self._show_note(" ".join(state.notes))

    def _draw(self) -> None:
        began = time.perf_counter()
        change = self._growing.flush()
        if change is not None:
            self.markdown.show()
            self.markdown.show_blocks(change.start, change.blocks)
        cost_ms = (time.perf_counter() - began) * 1000
        self._render.setInterval(max(RENDER_EVERY_MS, round(cost_ms * 4)))

    def _finish(self) -> None:
        state = self._state
        text = state.result.text if state.result is not None else ""
        if text and text != self._growing.text and text.startswith(self._growing.text):
            self._growing.feed(text[len(self._growing.text) :])
        self._settle(state.figures, state.outcome, state.problem, " ".join(state.notes))

    def _settle(self, figures: Figures, outcome: str, problem: Problem | None, note: str) -> None:
        """The answer is complete: everything is parsed once as a whole."""
        self._render.stop()
        self.progress.hide()
        blocks = self._growing.finish()
        self.markdown.setVisible(bool(blocks))
        self.markdown.show_blocks(0, blocks)
        self.show_all.setVisible(self._growing.capped)
        if self._growing.capped:
            total = len(self._growing.text.encode("utf-8", "replace"))
            self.show_all.setText(f"Only the first 64 KiB are shown. Show all {size(total)} as plain text")
        self._show_note(note)
        self.problem.show_problem(problem)
        words = outcome_words(outcome)
        if not blocks and not problem and not words:
            words = "The model wrote nothing."
        self._show_figures(figures, words)
        self._buttons.show()
        self._order_tabs()
        explain(self.copy, "" if self._growing.text else "There is nothing to copy.")

    def _order_tabs(self) -> None:
        """Tab goes through the answer as it is read: its blocks, then its buttons."""
        before: QWidget | None = None
        for here in (*self.markdown.focusable(), self.show_all, self.copy, self.regenerate):
            if before is not None:
                QWidget.setTabOrder(before, here)
            before = here

    def _show_figures(self, figures: Figures, words: str) -> None:
        line = " · ".join(part for part in (words, figures_line(figures)) if part)
        self.figures.setText(line.replace(" ", NBSP).replace(f"{NBSP}·{NBSP}", f"{NBSP}· "))  # broken between figures
        self.figures.setVisible(bool(line))

    def _show_note(self, note: str) -> None:
        self.note.setText(note)
        self.note.setVisible(bool(note))

    def _show_whole(self) -> None:
        self.show_all.hide()
        self.markdown.hide()
        if self._whole is None:
            self._whole = PlainView("The whole answer as plain text")
            self._layout.insertWidget(0, self._whole)
        self._whole.show_text(self._growing.text)

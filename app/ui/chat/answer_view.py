"""An answer: its text, thinking, progress, problem, figures, and what can be done with it."""

from __future__ import annotations

import time
from collections.abc import Sequence

from PySide6.QtCore import QPoint, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QAction, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QMenu, QSizePolicy, QVBoxLayout, QWidget

from app.core.chat.conversation import UNFINISHED, Figures, Problem, Turn
from app.core.chat.thinking import split_thinking
from app.ui.chat.answer import Phase, Running, outcome_words
from app.ui.chat.blocks import plain_blocks
from app.ui.chat.growing import GrowingMarkdown
from app.ui.chat.markdown_view import MarkdownView
from app.ui.chat.parts import BranchNav, CopyButton, InlineEditor, ProblemPanel, ThinkingView, slim
from app.ui.chat.rows import MessageView
from app.ui.chat.slices import SLICE_S
from app.ui.chat.text import figures_line, prefill_line, queued_line, shares_line, size
from app.ui.text import tr
from app.ui.theme import SPACE
from app.ui.widgets import IconButton, WrappedLabel, explain, label
from app.ui.widgets.labels import plain_tooltip

NBSP = "\u00a0"
RENDER_EVERY_MS = 33
NEXT_SLICE_MS = 4
HURRIED_MS = 16  # in the next frame
SHORT = 200  # characters: shown at once also while the view moves
FIGURES_EVERY_S = 0.25


class AnswerView(MessageView):
    """An answer, running or finished.

    While it runs, show_running() takes states and the text is drawn at most every 33 ms, less often where drawing takes
    long. A finished one is shown by show_finished().
    Signals: regenerate_wanted(), continue_wanted(), branch_wanted(), delete_wanted(), edited(text), walked(steps).
    """

    regenerate_wanted = Signal()
    continue_wanted = Signal()
    branch_wanted = Signal()
    delete_wanted = Signal()
    edited = Signal(str)
    walked = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._growing = GrowingMarkdown()
        self._text = ""
        self._begins = 0  # where the answer begins in the text, after the thinking
        self._fed = 0  # how much of the answer was given to the Markdown
        self._figures_at = 0.0
        self._outcome = ""
        self._state = Running()
        self.thinking = ThinkingView()
        self.markdown = MarkdownView()
        self.progress = label(role="muted")
        self.note = WrappedLabel(role="small")
        self.problem = ProblemPanel()
        self.nav = BranchNav("answer")
        self.nav.walked.connect(self.walked.emit)
        self.figures = WrappedLabel(role="small")
        self.figures.setAccessibleName(tr("Figures of this answer"))
        self.shares = WrappedLabel(role="small")
        self.shares.setAccessibleName(tr("Where the time of a token went"))
        self.show_all = slim("", "Show the whole answer as plain text", self._show_whole)
        self.copy = CopyButton("Copy the answer", lambda: split_thinking(self._text).answer)
        self.edit = slim("Edit", "Edit the answer", self.begin_edit)
        self.regenerate = slim("Regenerate", "Write this answer again", self.regenerate_wanted.emit)
        self.go_on = slim("Continue", "Go on with this answer", self.continue_wanted.emit)
        self.more = IconButton("more", "More for this answer", self._open_more, size=14)
        self.editor: InlineEditor | None = None
        self._obstacle = ""
        self._cost_s = 0.0  # of the drawing that is under way
        self._render = QTimer(self)
        self._render.setSingleShot(True)
        self._render.setInterval(RENDER_EVERY_MS)
        self._render.timeout.connect(self._draw)
        self._ending = QTimer(self)
        self._ending.setSingleShot(True)
        self._ending.timeout.connect(self._finish)
        self._lay_out()

    def _lay_out(self) -> None:
        self._buttons = QWidget()
        row = QHBoxLayout(self._buttons)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        for part in (self.copy, self.edit, self.regenerate, self.go_on, self.more):
            row.addWidget(part)
        row.addStretch(1)
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(SPACE.s)
        column = (self.thinking, self.markdown, self.show_all, self.progress, self.note, self.problem)
        for part in (*column, self.figures, self.shares, self.nav, self._buttons):
            self._layout.addWidget(part)
        for part in (self.show_all, self.nav):
            self._layout.setAlignment(part, Qt.AlignmentFlag.AlignLeft)
        for part in (self.markdown, self.show_all, self.note, self.figures, self.shares, self._buttons, self.go_on):
            part.hide()
        self.progress.setText(tr("Waiting for the first stage…"))
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)

    # -- what is shown ------------------------------------------------------------------------------------------------

    @property
    def text(self) -> str:
        return self._text

    def show_running(self, state: Running, text: str) -> None:
        """text: all of the answer so far."""
        fresh = text != self._text
        self._state, self._text = state, text
        if state.phase is Phase.DONE:
            self._settle(state.figures, state.outcome, state.problem, "\n".join(state.notes))
            return
        self._show_progress()
        if fresh and not self._render.isActive():
            self._render.start()
        now = time.monotonic()
        if now - self._figures_at >= FIGURES_EVERY_S:
            self._figures_at = now
            self._show_figures(state.figures, "")

    def show_finished(self, turn: Turn, hurried: bool = False) -> None:
        """An answer as it was saved. hurried: its text comes a little later, as the window has other things to do."""
        self._text = turn.text
        self._settle(turn.figures, turn.outcome, turn.problem, turn.note, hurried)
        self.show_shares(turn.figures.shares)

    def show_shares(self, shares: Sequence[tuple[str, float]]) -> None:
        """Kept as the figures' tool tip for every answer; the last one shows it in words."""
        line = shares_line(shares)
        self.shares.setText(_kept_together(line))
        self.figures.setToolTip(plain_tooltip(line))

    def show_actions(self, obstacle: str, unable: str, last: bool, at: int, count: int) -> None:
        """obstacle: why nothing can be changed; unable: why no answer can be made now. Version `at` of `count`."""
        self._obstacle = obstacle
        self.nav.show_place(at, count, obstacle)
        explain(self.regenerate, obstacle or unable, "Write it again; this version is kept")
        explain(self.edit, obstacle, "Change what the model is told it said; this version is kept")
        explain(self.go_on, obstacle or unable, "Go on where it ended")
        self.go_on.setVisible(last and self._outcome in UNFINISHED and bool(self._text.strip()))
        self.shares.setVisible(last and bool(self.shares.text()))

    # -- size ---------------------------------------------------------------------------------------------------------

    def sizeHint(self) -> QSize:
        return self._at_this_width(super().sizeHint())

    def minimumSizeHint(self) -> QSize:
        return self._at_this_width(super().minimumSizeHint())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if event.size().width() != event.oldSize().width():
            self.updateGeometry()

    def _at_this_width(self, hint: QSize) -> QSize:
        """Wrapped sentences ask for the height that they would have in a narrow place, which would leave gaps."""
        height = self._layout.heightForWidth(self.width()) if self.testAttribute(Qt.WidgetAttribute.WA_Resized) else 0
        return QSize(hint.width(), height if height > 0 else hint.height())

    # -- editing ------------------------------------------------------------------------------------------------------

    def begin_edit(self) -> None:
        if self.editor is not None:
            return
        editor = InlineEditor("The answer", self._text, "Save", "The version before is kept beside it.")
        self.editor = editor
        editor.done.connect(self.edited.emit)
        editor.cancelled.connect(self.end_edit)
        self._layout.insertWidget(0, editor)
        for part in (self.thinking, self.markdown, self._buttons):
            part.hide()
        editor.edit.setFocus()

    def end_edit(self) -> None:
        if self.editor is not None:
            self.editor.hide()
            self.editor.deleteLater()
            self.editor = None
            self.thinking.setVisible(bool(split_thinking(self._text).thought))
            self.markdown.setVisible(bool(self.markdown.blocks))
            self._buttons.show()
            self.edit.setFocus()

    def more_menu(self) -> QMenu:
        menu = QMenu(self)
        for text, act, why_not in (
            ("Branch into a new chat", self.branch_wanted, ""),
            ("Delete this version and what follows", self.delete_wanted, self._obstacle),
        ):
            action = QAction(text, menu)
            explain(action, why_not)
            action.triggered.connect(lambda _checked=False, act=act: act.emit())
            menu.addAction(action)
        menu.aboutToHide.connect(menu.deleteLater)
        return menu

    def _open_more(self) -> None:
        self.more_menu().popup(self.more.mapToGlobal(QPoint(0, self.more.height())))

    # -- drawing ------------------------------------------------------------------------------------------------------

    def _show_progress(self) -> None:
        state = self._state
        waiting = not state.has_text
        if state.queued:
            self.progress.setText(queued_line(state.queued))
        elif waiting and state.prefill is not None:
            self.progress.setText(prefill_line(state.prefill.done_tokens, state.prefill.total_tokens))
        self.progress.setVisible(waiting)
        self._show_note("\n".join(state.notes))

    def _take_text(self, ended: bool) -> None:
        """Gives what is new of the answer to the Markdown, and the thinking to its own place."""
        split = split_thinking(self._text, ended)
        if split.answer_from != self._begins and self._fed:
            self._growing, self._fed = GrowingMarkdown(), 0  # what was shown as an answer was thinking
        self._begins = split.answer_from
        self._growing.feed(split.answer[self._fed :])
        self._fed = len(split.answer)
        if split.thought or split.open or not self.thinking.isHidden():
            self.thinking.show_thought(split.thought, split.open and not ended)

    def _draw(self) -> None:
        """Shows what is new, in slices where that takes long; the next drawing comes after four times its cost."""
        began = time.thread_time()
        if not self._growing.busy:
            self._cost_s = 0.0
            self._take_text(ended=False)
        change = self._growing.flush(SLICE_S)
        if change is not None:
            self.markdown.show()
            self.markdown.show_blocks(change.start, change.blocks)
        self._cost_s += time.thread_time() - began
        if self._growing.busy:
            self._render.start(NEXT_SLICE_MS)
        else:
            self._render.setInterval(max(RENDER_EVERY_MS, round(self._cost_s * 4000)))

    def _finish(self) -> None:
        """The whole answer is parsed once more, in slices; what was shown stays until that is done."""
        blocks = self._growing.finish(SLICE_S)
        if blocks is None:
            self._ending.start(NEXT_SLICE_MS)
            return
        self.markdown.setVisible(bool(blocks) and self.editor is None)
        self.markdown.show_blocks(0, blocks)
        self._order_tabs()

    @property
    def settled(self) -> bool:
        """Whether all that is known of it is shown."""
        return not (self._ending.isActive() or self.markdown.behind)

    def _settle(
        self, figures: Figures, outcome: str, problem: Problem | None, note: str, hurried: bool = False
    ) -> None:
        """The answer is complete."""
        self._render.stop()
        self._outcome = outcome
        self.progress.hide()
        self._take_text(ended=True)
        if hurried and len(self._text) > SHORT:
            self._ending.start(HURRIED_MS)
        else:
            self._finish()
        self.show_all.setVisible(self._growing.capped)
        if self._growing.capped:
            total = len(self._growing.text.encode("utf-8", "replace"))
            self.show_all.setText(f"Only the first 64 KiB are shown. Show all {size(total)} as plain text")
        self._show_note(note)
        self.problem.show_problem(problem)
        words = outcome_words(outcome)
        if not self._growing.text.strip() and not problem and not words:
            words = "The model wrote nothing."
        self._show_figures(figures, words)
        self._buttons.show()
        self._order_tabs()
        self.markdown.caught_up.connect(self._order_tabs)  # where blocks are still to come
        QTimer.singleShot(0, self, self._order_tabs)  # and when the layout has shown what it was given just now
        explain(self.copy, "" if self._text else "There is nothing to copy.")

    def tab_stops(self) -> tuple[QWidget, ...]:
        """Its blocks, then its buttons."""
        blocks = (self.thinking.toggle, *self.markdown.focusable(), self.show_all, self.nav.previous, self.nav.next)
        return (*blocks, self.copy, self.edit, self.regenerate, self.go_on, self.more)

    def _order_tabs(self) -> None:
        before: QWidget | None = None
        for here in self.tab_stops():
            if before is not None and before.nextInFocusChain() is not here:
                QWidget.setTabOrder(before, here)
            before = here

    def _show_figures(self, figures: Figures, words: str) -> None:
        line = " · ".join(part for part in (words, figures_line(figures)) if part)
        self.figures.setText(_kept_together(line))
        self.figures.setVisible(bool(line))

    def _show_note(self, note: str) -> None:
        self.note.setText(note)
        self.note.setVisible(bool(note))

    def _show_whole(self) -> None:
        self.show_all.hide()
        self.markdown.show_blocks(0, plain_blocks(self._growing.text))


def _kept_together(line: str) -> str:
    """Broken between figures only."""
    return line.replace(" ", NBSP).replace(f"{NBSP}·{NBSP}", f"{NBSP}· ")

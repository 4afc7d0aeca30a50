"""An answer: its text, thinking, progress, problem, figures, and what can be done with it."""

from __future__ import annotations

import time
from collections.abc import Sequence

from PySide6.QtCore import QPoint, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QAction, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QMenu, QSizePolicy, QVBoxLayout, QWidget

from app.core.chat.conversation import UNFINISHED, Figures, Problem, Turn
from app.core.chat.thinking import split_thinking
from app.core.text import joined, phrase
from app.ui.chat.answer import Phase, Running, outcome_words
from app.ui.chat.blocks import plain_blocks
from app.ui.chat.editing import EditableMessage
from app.ui.chat.growing import GrowingMarkdown
from app.ui.chat.markdown_view import MarkdownView
from app.ui.chat.pace import Pace
from app.ui.chat.parts import BranchNav, CopyButton, InlineEditor, ProblemPanel, ThinkingView, slim
from app.ui.chat.text import RENDER_LIMIT_BYTES, figures_line, prefill_line, queued_line, shares_line
from app.ui.text import as_shown, tr
from app.ui.theme import SPACE
from app.ui.widgets import IconButton, WrappedLabel, explain, label
from app.ui.widgets.labels import plain_tooltip
from app.ui.words import size

NBSP = "\u00a0"
RENDER_EVERY_MS = 33
NEXT_SLICE_MS = 4
SLICE_S = 0.006
SHORT = 200  # characters: shown at once also while the view moves
FIGURES_EVERY_S = 0.25


class AnswerView(EditableMessage):
    """An answer, running or finished.

    While it runs, show_running() takes states and the text is drawn at most every 33 ms, less often where drawing takes
    long. A finished one is shown by show_finished().
    Signals: regenerate_wanted(), continue_wanted(), branch_wanted(), delete_wanted().
    """

    regenerate_wanted = Signal()
    continue_wanted = Signal()
    branch_wanted = Signal()
    delete_wanted = Signal()

    def __init__(self, pace: Pace | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._pace = pace or Pace(self)
        self._growing = GrowingMarkdown()
        self._text = ""
        self._begins = 0  # where the answer begins in the text, after the thinking
        self._fed = 0  # how much of the answer was given to the Markdown
        self._figures_at = 0.0
        self._outcome = ""
        self._state = Running()
        self.thinking = ThinkingView(self)
        self.markdown = MarkdownView(pace=self._pace, parent=self)
        self.markdown.caught_up.connect(self._order_tabs_at_the_end)  # where blocks came after the rest
        self.progress = label(role="muted", parent=self)
        self.note = WrappedLabel(role="small", parent=self)
        self.problem = ProblemPanel(self)
        self.nav = BranchNav(phrase("answer"), self)
        self.nav.walked.connect(self.walked.emit)
        self.figures = WrappedLabel(role="small", parent=self)
        self.figures.setAccessibleName(tr("Figures of this answer"))
        self.shares = WrappedLabel(role="small", parent=self)
        self.shares.setAccessibleName(tr("Where the time of a token went"))
        self.show_all = slim("", tr("Show the whole answer as plain text"), self._show_whole)
        self.copy = CopyButton(tr("Copy the answer"), lambda: split_thinking(self._text).answer)
        self.edit = slim("Edit", tr("Edit the answer"), self.begin_edit)
        self.regenerate = slim("Regenerate", tr("Write this answer again"), self.regenerate_wanted.emit)
        self.go_on = slim("Continue", tr("Go on with this answer"), self.continue_wanted.emit)
        self.more = IconButton("more", "More for this answer", self._open_more, size=14)
        self._obstacle = ""
        self._cost_s = 0.0  # of the drawing that is under way
        self._render = QTimer(self)
        self._render.setSingleShot(True)
        self._render.setInterval(RENDER_EVERY_MS)
        self._render.timeout.connect(self._draw)
        self._lay_out()

    def _lay_out(self) -> None:
        self._buttons = QWidget(self)
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
            self._settle(state.figures, state.outcome, state.problem, joined(state.notes, "\n"))
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
        line = as_shown(shares_line(shares))
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

    def _new_editor(self) -> InlineEditor:
        return InlineEditor(tr("The answer"), self._text, "Save", tr("The version before is kept beside it."))

    def _show_text(self, shown: bool) -> None:
        self.thinking.setVisible(shown and bool(split_thinking(self._text).thought))
        self.markdown.setVisible(shown and bool(self.markdown.blocks))
        self._buttons.setVisible(shown)

    def more_menu(self) -> QMenu:
        menu = QMenu(self)
        menu.setToolTipsVisible(True)
        for text, act, why_not in (
            (tr("Branch into a new chat"), self.branch_wanted, ""),
            (tr("Delete this version and what follows"), self.delete_wanted, self._obstacle),
        ):
            action = QAction(as_shown(text), menu)
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
        self._show_note(joined(state.notes, "\n"))

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
        began = time.thread_time()
        blocks = self._growing.finish(SLICE_S)
        if blocks is None:
            self._pace.ask(self._finish)
            return
        self.markdown.setVisible(bool(blocks) and self.editor is None)
        self.markdown.show_blocks(0, blocks, SLICE_S - (time.thread_time() - began))
        self._order_tabs()

    @property
    def settled(self) -> bool:
        """Whether all that is known of it is shown."""
        return not (self._pace.waits(self._finish) or self.markdown.behind)

    def _settle(
        self, figures: Figures, outcome: str, problem: Problem | None, note: str, hurried: bool = False
    ) -> None:
        """The answer is complete."""
        self._render.stop()
        self._outcome = outcome
        self.progress.hide()
        self._take_text(ended=True)
        if hurried and len(self._text) > SHORT:
            self._pace.ask(self._finish)
        else:
            self._finish()
        self.show_all.setVisible(self._growing.capped)
        if self._growing.capped:
            total = len(self._growing.text.encode("utf-8", "replace"))
            self.show_all.setText(
                tr(
                    "Only the first {limit} are shown. Show all {total} as plain text",
                    limit=size(RENDER_LIMIT_BYTES),
                    total=size(total),
                )
            )
        self._show_note(note)
        self.problem.show_problem(problem)
        words = outcome_words(outcome)
        if not self._growing.text.strip() and not problem and not words:
            words = tr("The model wrote nothing.")
        self._show_figures(figures, words)
        self._buttons.show()
        self._order_tabs()
        QTimer.singleShot(0, self, self._order_tabs)  # and when the layout has shown what it was given just now
        explain(self.copy, "" if self._text else "There is nothing to copy.")

    def tab_stops(self) -> tuple[QWidget, ...]:
        """Its blocks, then its buttons."""
        blocks = (self.thinking.toggle, *self.markdown.focusable(), self.show_all, self.nav.previous, self.nav.next)
        return (*blocks, self.copy, self.edit, self.regenerate, self.go_on, self.more)

    def _order_tabs_at_the_end(self) -> None:
        """Not while it is written: the way of the Tab key is not made anew with each word."""
        if self._outcome:
            self._order_tabs()

    def _order_tabs(self) -> None:
        before: QWidget | None = None
        for here in self.tab_stops():
            if before is not None:
                QWidget.setTabOrder(before, here)
            before = here

    def _show_figures(self, figures: Figures, words: str) -> None:
        line = as_shown(joined((words, figures_line(figures)), " · "))
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

"""The head of the Cluster page: which model, how much context, what is predicted, and the commands."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker, Signal
from PySide6.QtWidgets import QCheckBox, QComboBox, QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from app.core.text import phrase
from app.ui.board import words
from app.ui.board.context_spin import ContextSpin
from app.ui.board.saved_button import SavedButton
from app.ui.board.state import BoardState
from app.ui.text import as_shown, tr
from app.ui.theme.tokens import SPACE, scaled
from app.ui.widgets import ElidedLabel, FlowRow, IconButton, SteadyButton, explain, label, push_button
from app.ui.widgets.labels import plain_tooltip

SPARES_TIP = phrase("Keeps a second copy of each range on another machine's disk: after a loss nothing has to be sent.")


class BoardHeader(QWidget):
    """Signals: model_chosen(name), context_chosen(tokens), undo_wanted(), redo_wanted(), balance_wanted(),
    deploy_wanted(), cancel_wanted(), spares_wanted(bool). The button `saved` has its own."""

    model_chosen = Signal(str)
    context_chosen = Signal(int)
    undo_wanted = Signal()
    redo_wanted = Signal()
    balance_wanted = Signal()
    deploy_wanted = Signal()
    cancel_wanted = Signal()
    spares_wanted = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.model = QComboBox()
        self.model.setAccessibleName(tr("Model"))
        self.model.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.model.setMinimumContentsLength(12)
        self.model.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.model.setMaximumWidth(360)
        self.model.activated.connect(lambda index: self.model_chosen.emit(self.model.itemText(index)))
        self.context = ContextSpin()
        self.context.chosen.connect(self.context_chosen)
        self.undo = IconButton("undo", "Undo", self.undo_wanted.emit)
        self.redo = IconButton("redo", "Redo", self.redo_wanted.emit)
        self.saved = SavedButton()
        self.balance = push_button("Balance", "", self.balance_wanted.emit)
        self.deploy = SteadyButton("Deploy", (words.widest_deploy_label(),), "primary", self.deploy_wanted.emit)
        self.cancel = push_button("Cancel", "", self.cancel_wanted.emit)
        self.cancel.setToolTip(
            tr("Stops the deployment that is under way. What was sent already stays on the machines.")
        )
        self.cancel.hide()
        self.spares = QCheckBox(tr("Spares"))
        self.spares.clicked.connect(self.spares_wanted)
        self.summary = ElidedLabel(role="muted")
        caption = label("Context", "muted")
        caption.setBuddy(self.context)

        first = FlowRow(at_end=True)
        first.add(self.model)
        first.spring()
        for part in (self.undo, self.redo, self.saved, self.balance, self.cancel, self.deploy):
            first.add(part)
        room = QWidget()
        beside = QHBoxLayout(room)
        beside.setContentsMargins(0, 0, 0, 0)
        beside.setSpacing(SPACE.s)
        beside.addWidget(caption)
        beside.addWidget(self.context)
        second = FlowRow(at_end=True)
        second.add(self.summary, scaled(150))
        second.spring()
        second.add(self.spares)
        second.add(room)
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(SPACE.s)
        rows.addLayout(first)
        rows.addLayout(second)

    def show_state(self, state: BoardState, deploying: bool) -> None:
        """deploying: by this window, which can cancel it then."""
        self._show_models(state)
        self.context.show_tokens(state.context, state.context_limit, bool(state.model))
        self.show_summary(state.summary)
        self.saved.show_state(state)
        self.spares.setChecked(state.spares)
        explain(self.spares, state.hint or state.spares_why_not, state.spares_note or SPARES_TIP)
        explain(self.undo, state.undo_why_not, "Undo the last edit")
        explain(self.redo, state.redo_why_not, "Redo the edit that was undone")
        explain(
            self.balance, state.balance_why_not, "Spreads the layers so that the slowest stage is as fast as can be"
        )
        explain(self.deploy, state.deploy_why_not, state.deploy_note)
        self.deploy.setText(as_shown(state.busy or words.deploy_label(state)))
        self.cancel.setVisible(deploying)

    def show_summary(self, text: str) -> None:
        self.summary.setText(as_shown(text))

    def _show_models(self, state: BoardState) -> None:
        names = list(dict.fromkeys((*state.models, *([state.model] if state.model else []))))
        shown = [self.model.itemText(index) for index in range(self.model.count())]
        with QSignalBlocker(self.model):
            if names != shown:
                self.model.clear()
                self.model.addItems(names)
            self.model.setCurrentIndex(names.index(state.model) if state.model in names else -1)
        self.model.setPlaceholderText(tr("Choose a model") if names else tr("No model on this machine yet"))
        self.model.setEnabled(bool(names))
        why_not = "" if names else tr("There is no model on this machine yet: see Models.")
        self.model.setToolTip(plain_tooltip(why_not or state.model))
        self.model.setAccessibleDescription(why_not)

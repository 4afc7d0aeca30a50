"""The head of the Cluster page: which model, how much context, what is predicted, and the commands."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import QCheckBox, QComboBox, QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from app.ui.board import words
from app.ui.board.context_spin import ContextSpin
from app.ui.board.saved_button import SavedButton
from app.ui.board.state import BoardState
from app.ui.text import tr
from app.ui.theme.tokens import SPACE
from app.ui.widgets import ElidedLabel, IconButton, explain, label, push_button
from app.ui.widgets.labels import plain_tooltip

SPARES_TIP = "Keeps a second copy of each range on another machine's disk: after a loss nothing has to be sent."


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
        self.deploy = push_button("Deploy", "primary", self.deploy_wanted.emit)
        self.cancel = push_button("Cancel", "", self.cancel_wanted.emit)
        self.cancel.setToolTip(
            tr("Stops the deployment that is under way. What was sent already stays on the machines.")
        )
        self.cancel.hide()
        self.spares = QCheckBox("Spares")
        self.spares.clicked.connect(self.spares_wanted)
        self.summary = ElidedLabel(role="muted")
        caption = label("Context", "muted")
        caption.setBuddy(self.context)

        first = QHBoxLayout()
        first.setSpacing(SPACE.s)
        first.addWidget(self.model, 1)
        first.addStretch(0)
        first.addWidget(self.undo)
        first.addWidget(self.redo)
        first.addWidget(self.saved)
        first.addWidget(self.balance)
        first.addWidget(self.cancel)
        first.addWidget(self.deploy)
        second = QHBoxLayout()
        second.setSpacing(SPACE.s)
        second.addWidget(self.summary, 1)
        second.addWidget(self.spares)
        second.addWidget(caption)
        second.addWidget(self.context)
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(SPACE.s)
        rows.addLayout(first)
        rows.addLayout(second)
        for button, widest in ((self.deploy, "Deploy 88 changes"),):
            button.setMinimumWidth(button.fontMetrics().horizontalAdvance(widest) + 34)
        first.setAlignment(Qt.AlignmentFlag.AlignVCenter)

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
        self.deploy.setText(state.busy or words.deploy_label(state))
        self.cancel.setVisible(deploying)

    def show_summary(self, text: str) -> None:
        self.summary.setText(text)

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
        self.model.setToolTip(
            plain_tooltip(state.model) if names else tr("There is no model on this machine yet: see Models.")
        )

"""The Cluster page: the board, the machines, the activity. It keeps what is staged and gives commands."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import QPointF, Qt
from PySide6.QtWidgets import QHBoxLayout, QSplitter, QVBoxLayout, QWidget

from app.core.placement.history import EditHistory
from app.core.placement.placement import Placement
from app.core.snapshot import DeploymentState, Snapshot
from app.ui.activity import ActivityPanel
from app.ui.board.board import PlacementBoard
from app.ui.board.state import BoardState
from app.ui.bridge import CoreBridge, Handle
from app.ui.cluster.add_machine import AddMachineDialog
from app.ui.cluster.node_card import NodeCard
from app.ui.cluster.planning import Draft, balanced, board_state, starting_placement
from app.ui.theme import SPACE
from app.ui.widgets import ResponsiveGrid, WrappedLabel, label, page_scroll, push_button

DEFAULT_CONTEXT = 4096
EMPTY = "No machine yet. Add one: its memory then holds a part of the model."


class ClusterPage(QWidget):
    def __init__(self, bridge: CoreBridge, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._bridge = bridge
        self._draft: Draft | None = None
        self._edited = False
        self._deploying: Handle | None = None
        self._cards: dict[str, NodeCard] = {}
        self._failure = ""
        self.state: BoardState | None = None
        self.board = PlacementBoard()
        self.board.add_drop_area(self._card_at)
        self.grid = ResponsiveGrid(244, most=4)
        self.empty = WrappedLabel(EMPTY, "muted")
        self.add_button = push_button("Add machine", "", self.add_machine)
        self.activity = ActivityPanel(bridge)

        machines = QHBoxLayout()
        machines.addWidget(label("Machines", "heading"), 1)
        machines.addWidget(self.add_button)
        top = QWidget()
        column = QVBoxLayout(top)
        column.setContentsMargins(SPACE.xl, SPACE.l, SPACE.xl, SPACE.s)
        column.setSpacing(SPACE.m)
        column.addWidget(self.board)
        column.addLayout(machines)
        column.addWidget(self.empty)
        column.addWidget(self.grid)
        column.addStretch(1)
        bottom = QWidget()
        below = QVBoxLayout(bottom)
        below.setContentsMargins(SPACE.xl, SPACE.xs, SPACE.xl, SPACE.l)
        below.addWidget(self.activity)
        self.splitter = QSplitter(Qt.Orientation.Vertical)
        self.splitter.addWidget(page_scroll(top))
        self.splitter.addWidget(bottom)
        self.splitter.setStretchFactor(0, 3)
        self.splitter.setStretchFactor(1, 1)
        self.splitter.setChildrenCollapsible(False)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.splitter)
        self._connect()
        self.show_snapshot(bridge.snapshot)

    def _connect(self) -> None:
        self._bridge.snapshot_changed.connect(self.show_snapshot)
        self.board.placement_wanted.connect(self.stage)
        self.board.previewed.connect(self._preview)
        header = self.board.header
        header.model_chosen.connect(self.choose_model)
        header.context_chosen.connect(self._set_context)
        header.undo_wanted.connect(self.undo)
        header.redo_wanted.connect(self.redo)
        header.balance_wanted.connect(self.balance)
        header.deploy_wanted.connect(self.deploy)
        header.cancel_wanted.connect(self._cancel_deploy)

    # -- what is shown ------------------------------------------------------------------------------------------------

    def show_snapshot(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._refresh_draft(snapshot)
        self._show_board()
        self._show_cards(snapshot)
        deployment = snapshot.deployment
        if deployment.state is DeploymentState.FAILED and deployment.text != self._failure:
            self.board.banner.show_message(deployment.text)
        elif deployment.state is not DeploymentState.FAILED and self._failure:
            self.board.banner.hide()
        self._failure = deployment.text if deployment.state is DeploymentState.FAILED else ""

    def _refresh_draft(self, snapshot: Snapshot) -> None:
        """A new model, or other machines before the first edit, begin a new draft; staged edits are never touched."""
        model = snapshot.model
        if model is None or not snapshot.nodes:
            self._draft = None
            return
        draft = self._draft
        if draft is None or draft.model != model.name:
            longest = model.inventory.context_length or DEFAULT_CONTEXT
            deployed = snapshot.deployment
            context = deployed.context_tokens if deployed.model == model.name else min(DEFAULT_CONTEXT, longest)
            self._draft = Draft(model.name, EditHistory(starting_placement(snapshot, context)), context)
            self._edited = False
        elif not self._edited:
            fresh = starting_placement(snapshot, draft.context)
            if fresh != draft.history.present:
                self._draft = replace(draft, history=EditHistory(fresh))

    def _show_board(self) -> None:
        draft, snapshot = self._draft, self._snapshot
        self.state = board_state(snapshot, draft, ())
        if draft and self.state.changes and not self.state.problems:
            self._bridge.run(lambda controller: controller.preview(draft.history.present), self._show_moves)
        deploying = snapshot.deployment.state is DeploymentState.DEPLOYING
        self.board.show_state(self.state, deploying)

    def _show_moves(self, moves: object) -> None:
        state = board_state(self._snapshot, self._draft, moves)  # type: ignore[arg-type]
        self.state = state
        self.board.show_state(state, self._snapshot.deployment.state is DeploymentState.DEPLOYING)

    def _show_cards(self, snapshot: Snapshot) -> None:
        for name in self._cards.keys() - {node.name for node in snapshot.nodes}:
            card = self._cards.pop(name)
            card.hide()
            card.deleteLater()
        new = False
        for number, node in enumerate(snapshot.nodes):
            card = self._cards.get(node.name)
            if card is None:
                card = self._cards[node.name] = NodeCard(node.name, number)
                card.restart_wanted.connect(self._restart)
                card.forget_wanted.connect(self._forget)
                new = True
            card.show_node(node)
        if new or self.grid.isVisible() != bool(snapshot.nodes):
            self.grid.set_widgets([self._cards[node.name] for node in snapshot.nodes])
        self.empty.setVisible(not snapshot.nodes)
        self.grid.setVisible(bool(snapshot.nodes))

    def card(self, name: str) -> NodeCard:
        return self._cards[name]

    def _card_at(self, at: QPointF) -> str:
        for name, card in self._cards.items():
            if card.isVisible() and card.rect().contains(card.mapFromGlobal(at).toPoint()):
                return name
        return ""

    def _preview(self, outlooks: object, target: str) -> None:
        for name, card in self._cards.items():
            card.show_outlook(outlooks.get(name) if isinstance(outlooks, dict) else None, name == target)

    # -- edits --------------------------------------------------------------------------------------------------------

    @property
    def draft(self) -> Draft | None:
        return self._draft

    def stage(self, placement: Placement) -> None:
        """A new edit; nothing happens to the machines before Deploy."""
        if self._draft is not None:
            self._set_history(self._draft.history.push(placement))

    def undo(self) -> None:
        if self._draft is not None:
            self._set_history(self._draft.history.undo())

    def redo(self) -> None:
        if self._draft is not None:
            self._set_history(self._draft.history.redo())

    def balance(self) -> None:
        if self._draft is None:
            return
        found = balanced(self._snapshot, self._draft.context)
        if isinstance(found, Placement):
            self.stage(found)
        else:
            self.board.banner.show_message(found.sentence, tone="warning")

    def _set_history(self, history: EditHistory) -> None:
        assert self._draft is not None
        self._draft = replace(self._draft, history=history)
        self._edited = True
        self._show_board()

    def _set_context(self, tokens: int) -> None:
        if self._draft is not None:
            self._draft = replace(self._draft, context=tokens)
            self._edited = True
            self._show_board()

    # -- commands -----------------------------------------------------------------------------------------------------

    def choose_model(self, name: str) -> None:
        self._bridge.run(lambda controller: controller.choose_model(name), None, self.board.banner.show_error)

    def deploy(self) -> None:
        draft = self._draft
        if draft is None or (self.state and self.state.deploy_why_not):
            return
        self.board.banner.hide()
        self._deploying = self._bridge.run(
            lambda controller: controller.deploy(draft.history.present, draft.context),
            self._deployed,
            self._not_deployed,
        )

    def _deployed(self, _result: object) -> None:
        self._edited = False
        self._failure = ""
        self.board.banner.hide()

    def _not_deployed(self, error: BaseException) -> None:
        self._failure = str(error)
        self.board.banner.show_error(error)

    def _cancel_deploy(self) -> None:
        if self._deploying is not None:
            self._deploying.cancel()

    def add_machine(self) -> None:
        dialog = AddMachineDialog(self._bridge, self)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()

    def _restart(self, name: str) -> None:
        self._bridge.run(lambda controller: controller.restart_stage(name), None, self.board.banner.show_error)

    def _forget(self, name: str) -> None:
        self._bridge.run(lambda controller: controller.forget_node(name), None, self.board.banner.show_error)

"""The Cluster page: the board, the machines, the activity. It keeps what is staged and gives commands."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QPointF, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from app.core.errors import ShardboardError
from app.core.placement.history import EditHistory
from app.core.placement.placement import Placement
from app.core.placement.saved import SavedPlacement, restore
from app.core.snapshot import DeploymentState, Snapshot
from app.core.text import joined, phrase
from app.ui.board.board import PlacementBoard
from app.ui.board.state import BoardState
from app.ui.bridge import CoreBridge, Handle
from app.ui.cluster.balancing import Proposals, shards_of
from app.ui.cluster.lower import LowerPane
from app.ui.cluster.node_card import NodeCard
from app.ui.cluster.planning import Draft, Staged, balanced, board_state, starting_placement
from app.ui.models.ask import ask
from app.ui.text import tr
from app.ui.theme import SPACE
from app.ui.widgets import (
    FittedSplitter,
    ResponsiveGrid,
    Sheet,
    WrappedLabel,
    keep_right_edge,
    label,
    page_scroll,
    push_button,
)

if TYPE_CHECKING:
    from app.core.controller import NodeMove

NO_ROOM_BESIDE = phrase(
    "Choose a placement that moves less, or stop what runs first: answers then wait until all is loaded."
)
EMPTY = phrase("No machine yet. Add one: its memory then holds a part of the model.")


class ClusterPage(QWidget):
    """Signals: set_up_wanted(), the steps of the first start."""

    set_up_wanted = Signal()

    def __init__(self, bridge: CoreBridge, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._bridge = bridge
        self._draft: Draft | None = None
        self._edited = False
        self._deploying: Handle | None = None
        self._cards: dict[str, NodeCard] = {}
        self._failure = ""
        self._proposals = Proposals()
        self._moves: tuple[NodeMove, ...] | None = None
        self._moves_for: tuple[object, ...] = ()
        self.state: BoardState | None = None
        self.board = PlacementBoard()
        self.board.add_drop_area(self._card_at)
        self.grid = ResponsiveGrid(244, most=4)
        self.empty = WrappedLabel(EMPTY, "muted")
        self.add_button = push_button("Add machine", "", self.add_machine)
        self.set_up_button = push_button("Set up…", "quiet", self.set_up_wanted.emit)
        self.set_up_button.setAccessibleName(tr("Set up machines and a model, step by step"))
        self.views = LowerPane(bridge)
        self.activity = self.views.activity

        machines = QHBoxLayout()
        machines.addWidget(label("Machines", "heading"), 1)
        machines.addWidget(self.set_up_button)
        machines.addWidget(self.add_button)
        top = Sheet()
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
        below.addWidget(self.views)
        self.splitter = FittedSplitter(tr("Boundary between the machines and the activity"))
        area = page_scroll(top)
        keep_right_edge(area, column)
        self.splitter.addWidget(area)
        self.splitter.addWidget(bottom)
        self.splitter.setStretchFactor(0, 3)
        self.splitter.setStretchFactor(1, 1)
        self.splitter.fit_to(top)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.splitter)
        self._connect()
        self.show_snapshot(bridge.snapshot)

    def _connect(self) -> None:
        self._bridge.snapshot_changed.connect(self.show_snapshot)
        self.board.placement_wanted.connect(self.stage)
        self.board.previewed.connect(self._preview)
        self.board.pin_wanted.connect(self.toggle_pin)
        header = self.board.header
        header.model_chosen.connect(self.choose_model)
        header.context_chosen.connect(self._set_context)
        header.undo_wanted.connect(self.undo)
        header.redo_wanted.connect(self.redo)
        header.balance_wanted.connect(self.balance)
        header.deploy_wanted.connect(lambda: self.deploy())
        header.cancel_wanted.connect(self._cancel_deploy)
        header.spares_wanted.connect(self._set_spares)
        header.saved.save_wanted.connect(self.save_placement)
        header.saved.restore_wanted.connect(self.restore_placement)
        header.saved.delete_wanted.connect(self._delete_placement)

    # -- what is shown ------------------------------------------------------------------------------------------------

    def show_snapshot(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._refresh_draft(snapshot)
        self._show_board()
        self._show_cards(snapshot)
        self.views.show_snapshot(snapshot)
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
        draft, deployed = self._draft, snapshot.deployment
        usual = min(snapshot.default_context, model.inventory.context_length or snapshot.default_context)
        context = deployed.context_tokens if deployed.model == model.name else usual
        if draft is None or draft.model != model.name:
            self._draft = Draft(model.name, EditHistory(Staged(starting_placement(snapshot, context), context)))
            self._edited = False
        elif not self._edited:
            fresh = starting_placement(snapshot, context, self._proposals.look(snapshot, context))
            if fresh != draft.now.placement or context != draft.now.context:
                self._draft = Draft(model.name, EditHistory(replace(draft.now, placement=fresh, context=context)))

    def _show_board(self) -> None:
        draft, snapshot = self._draft, self._snapshot
        self._look_up_moves()
        proposal = self._proposals.look(snapshot, draft.now.context, draft) if draft else None
        mine = self._deploying is not None and not self._deploying.done
        self.state = board_state(snapshot, draft, self._moves, proposal, mine)
        self.board.show_state(self.state, mine)

    def _look_up_moves(self) -> None:
        """Asks the controller what Deploy would move, when that can have changed."""
        draft, snapshot = self._draft, self._snapshot
        if draft is None or snapshot.model is None:
            return
        placement = draft.now.placement
        about = (snapshot.model.name, placement, shards_of(snapshot))
        if about == self._moves_for:
            return
        self._moves_for, self._moves = about, None

        def show(moves: tuple[NodeMove, ...]) -> None:
            if about == self._moves_for:
                self._moves = moves
                self._show_board()

        self._bridge.run(lambda controller: controller.preview(placement), show, lambda _error: None)

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
                card.free_wanted.connect(self._free)
                card.measure_wanted.connect(self._measure)
                card.logs_wanted.connect(self.show_log)
                card.forget_wanted.connect(self._forget)
                new = True
            card.set_colour(number)
            card.show_node(node, snapshot.figures.get(node.name))
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
        self._edit(placement=placement)

    def undo(self) -> None:
        if self._draft is not None:
            self._set_draft(replace(self._draft, history=self._draft.history.undo()))

    def redo(self) -> None:
        if self._draft is not None:
            self._set_draft(replace(self._draft, history=self._draft.history.redo()))

    def balance(self) -> None:
        if self._draft is None:
            return
        draft = self._draft
        found = balanced(self._snapshot, draft.now.context, draft.now.placement, draft.now.pins)
        if isinstance(found, Placement):
            self.stage(found)
        else:
            self.board.banner.show_message(found.sentence, tone="warning")

    def _edit(self, **changes: Any) -> None:
        """Of what is staged: an edit that can be undone."""
        if self._draft is not None:
            self._set_draft(self._draft.edited(self._snapshot.spares.wanted, **changes))

    def _set_draft(self, draft: Draft) -> None:
        self._draft = draft
        self._edited = True
        self._show_board()

    def toggle_pin(self, node: str) -> None:
        """Balance leaves this node's range where it is from now on, or not any more."""
        if self._draft is not None and self._draft.now.placement.stage_of(node) is not None:
            self._edit(pins=self._draft.now.pins ^ {node})

    def _set_spares(self, wanted: bool) -> None:
        self._edit(spares=wanted)

    def _set_context(self, tokens: int) -> None:
        self._edit(context=tokens)

    # -- saved placements ---------------------------------------------------------------------------------------------

    def save_placement(self, name: str) -> None:
        draft = self._draft
        if draft is None:
            return
        placement = draft.now.placement
        pins = tuple(node for node in placement.nodes if node in draft.now.pins)
        saved = SavedPlacement(name, draft.model, placement, draft.now.context, pins)
        self._bridge.run(lambda controller: controller.save_placement(saved), None, self.board.banner.show_error)

    def restore_placement(self, name: str) -> None:
        """Stages a saved placement on the machines that are there; says what is different from what was saved."""
        draft, snapshot = self._draft, self._snapshot
        saved = next((each for each in snapshot.saved if each.name == name), None)
        if draft is None or saved is None or snapshot.model is None:
            return
        try:
            found = restore(saved, [node.name for node in snapshot.nodes], snapshot.model.inventory.layer_count)
        except ShardboardError as error:
            self.board.banner.show_error(error)
            return
        self._edit(placement=found.placement, context=saved.context, pins=found.pins)
        if found.told:
            self.board.banner.show_message(joined(found.told), "Look at the board before you deploy.", "warning")
        else:
            self.board.banner.hide()

    def _delete_placement(self, name: str) -> None:
        draft = self._draft
        if draft is not None:
            self._bridge.run(
                lambda controller: controller.delete_placement(draft.model, name), None, self.board.banner.show_error
            )

    # -- commands -----------------------------------------------------------------------------------------------------

    def choose_model(self, name: str) -> None:
        self._bridge.run(lambda controller: controller.choose_model(name), None, self.board.banner.show_error)

    def deploy(self, stop_first: bool = False) -> None:
        draft, state = self._draft, self.state
        if draft is None or state is None or state.deploy_why_not:
            return
        self.board.banner.hide()
        self._deploying = self._bridge.run(
            lambda controller: controller.deploy(
                draft.now.placement, draft.now.context, stop_first=stop_first, spares=state.spares
            ),
            self._deployed,
            self._not_deployed,
            self._show_board,
        )
        self._show_board()

    def _deployed(self, _result: object) -> None:
        self._edited = False
        self._failure = ""
        if self._draft is not None:
            history = self._draft.history
            self._draft = replace(self._draft, history=replace(history, present=replace(history.present, spares=None)))
        self.board.banner.hide()
        self._show_board()

    def _not_deployed(self, error: BaseException) -> None:
        from app.core.deployment.deployer import STOP_FIRST  # here: with the window it would cost its first picture

        self._failure = str(error)
        self._show_board()
        if isinstance(error, ShardboardError) and error.remedy == STOP_FIRST:
            self.board.banner.show_message(
                error.cause, NO_ROOM_BESIDE, "warning", tr("Stop first"), lambda: self.deploy(stop_first=True)
            )
        else:
            self.board.banner.show_error(error)

    def _cancel_deploy(self) -> None:
        if self._deploying is not None:
            self._deploying.cancel()

    def add_machine(self) -> None:
        from app.ui.cluster.add_machine import AddMachineDialog  # brings the cryptography of pairing

        dialog = AddMachineDialog(self._bridge, self)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()

    def _restart(self, name: str) -> None:
        self._bridge.run(lambda controller: controller.restart_stage(name), None, self.board.banner.show_error)

    def _free(self, name: str) -> None:
        """Unloads what is loaded there; asks first where the model ends with it."""
        deployment = self._snapshot.deployment
        holds = deployment.placement is not None and deployment.placement.stage_of(name) is not None

        def free() -> None:
            self._bridge.run(
                lambda controller: controller.machines.free_memory(name, undeploy=holds),
                lambda told: self.board.banner.show_message(told, tone="success"),
                self.board.banner.show_error,
            )

        if not holds:
            free()
            return
        self.question = ask(
            self,
            tr("Free the memory of {name}?", name=name),
            tr(
                "It holds a stage of {model}: the model is unloaded from all of its machines. Its "
                "shards stay on their disks.",
                model=deployment.model,
            ),
            "Unload",
            free,
        )

    def _measure(self, name: str) -> None:
        self.board.banner.show_message(tr("Measuring {name} …", name=name), tone="info")
        self._bridge.run(
            lambda controller: controller.machines.measure(name),
            lambda told: self.board.banner.show_message(joined((name, told), ". "), tone="success"),
            self.board.banner.show_error,
        )

    def show_log(self, name: str) -> None:
        """What happened on one machine."""
        self.views.show_view("Activity")
        self.activity.show_only(name)
        self.activity.text.setFocus()

    def _forget(self, name: str) -> None:
        self._bridge.run(lambda controller: controller.forget_node(name), None, self.board.banner.show_error)

"""Step 2: other machines, found by themselves or by address, and why one may not be seen."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from app.core.snapshot import NodeState, NodeView, Snapshot
from app.core.text import phrase
from app.ui.bridge import CoreBridge
from app.ui.first_start.pair_row import PairRow
from app.ui.first_start.reach_dialog import TITLE, ReachDialog, open_reach
from app.ui.models.cards import tab_through
from app.ui.settings.section import copy_text
from app.ui.text import shown, tr
from app.ui.theme import SPACE
from app.ui.widgets import IconButton, PillLabel, RowSheet, WrappedLabel, explain, label, page_scroll, push_button

COMMAND = "shardd run"
INTRO = phrase(
    "On each other machine install Shardboard and run this. It appears below, and shows a code to type here:"
)
SEARCHING = phrase("No machine has announced itself yet. One that runs the agent appears here within seconds.")
ALONE = phrase("One machine is enough to begin; others can be added at any time.")


class OthersStep(QWidget):
    heading = phrase("Other machines")

    def __init__(self, bridge: CoreBridge, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._bridge = bridge
        self.rows: dict[str, PairRow] = {}
        self._typed: set[str] = set()
        self._known: dict[str, QWidget] = {}
        self.address = QLineEdit()
        self.address.setPlaceholderText(tr("mini-1.local or 10.0.0.7:8101"))
        self.address.setAccessibleName(tr("Address of another machine"))
        self.address.textChanged.connect(lambda _text: self._show_look())
        self.address.returnPressed.connect(self.look)
        self.look_button = push_button("Look", "", self.look)
        self.why = push_button(TITLE, "quiet", self.ask_why)
        for button in (self.look_button, self.why):
            button.setAutoDefault(False)
        self.searching = WrappedLabel(SEARCHING, "muted")
        command = label(COMMAND, "mono")
        command.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        how = QHBoxLayout()
        how.setSpacing(SPACE.xs)
        how.addWidget(command)
        how.addWidget(IconButton("copy", tr("Copy {command}", command=COMMAND), lambda: copy_text(COMMAND), size=16))
        how.addStretch(1)
        how.addWidget(self.why)
        line = QHBoxLayout()
        line.setSpacing(SPACE.s)
        line.addWidget(self.address, 1)
        line.addWidget(self.look_button)
        content = RowSheet()
        self._list = content.rows
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE.s)
        column.addWidget(WrappedLabel(INTRO))
        column.addLayout(how)
        column.addLayout(line)
        column.addWidget(self.searching)
        column.addWidget(page_scroll(content), 1)
        column.addWidget(WrappedLabel(ALONE, "small"))
        bridge.snapshot_changed.connect(self.show_snapshot)
        self.show_snapshot(bridge.snapshot)
        self._show_look()

    def show_snapshot(self, snapshot: Snapshot) -> None:
        found = {agent.address: agent for agent in snapshot.discovered}
        for address, agent in found.items():
            if address not in self.rows:
                row = PairRow(self._bridge, address, agent.name, agent.version)
                self._add_row(row, below=tuple(self.rows.values())[-1:])
        kept = {address for address, row in self.rows.items() if row.in_use}
        for gone in self.rows.keys() - found.keys() - self._typed - kept:
            self.rows.pop(gone).deleteLater()
        self._show_known(snapshot)
        self.searching.setText(snapshot.discovery_problem or SEARCHING)
        self.searching.setVisible(not self.rows and not self._known)

    def look(self) -> None:
        """Asks who answers at the address that was typed."""
        address = self.address.text().strip()
        if not address:
            return
        self._typed.add(address)
        row = self.rows.get(address)
        if row is None:
            row = self._add_row(PairRow(self._bridge, address))
        self.searching.hide()
        row.look()

    def ask_why(self) -> ReachDialog:
        return open_reach(self, self._bridge, self.address.text().strip())

    def cancel(self) -> None:
        """Lets go of what is being asked."""
        for row in self.rows.values():
            row.cancel()

    def _add_row(self, row: PairRow, below: tuple[PairRow, ...] = ()) -> PairRow:
        """The first of those to be paired; below: the one that it stands under instead."""
        self.rows[row.address] = row
        row.paired.connect(self._paired)
        place = self._list.indexOf(below[0]) + 1 if below else len(self._known)
        self._list.insertWidget(place, row)
        tab_through(below[0].button if below else self.look_button, (row.code, row.button))
        return row

    def _paired(self, address: str) -> None:
        """It is a machine of ours from now on, and shown as such."""
        self._typed.discard(address)
        row = self.rows.pop(address, None)
        if row is not None:
            if row.code.hasFocus() or row.button.hasFocus():
                self.address.setFocus()  # for the next machine; Qt would give it to Skip
            row.hide()
            row.deleteLater()
        if self.address.text().strip() == address:
            self.address.clear()
        self.show_snapshot(self._bridge.snapshot)

    def _show_known(self, snapshot: Snapshot) -> None:
        nodes = {node.name: node for node in snapshot.nodes if not node.local}
        for gone in self._known.keys() - nodes.keys():
            self._known.pop(gone).deleteLater()
        for name, node in nodes.items():
            if name not in self._known:
                self._known[name] = KnownRow()
                self._list.insertWidget(len(self._known) - 1, self._known[name])
            row = self._known[name]
            assert isinstance(row, KnownRow)
            row.show_node(node)

    def _show_look(self) -> None:
        explain(self.look_button, "" if self.address.text().strip() else "Write an address first.")


class KnownRow(QWidget):
    """A machine that is paired already."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.name = label("", "strong")
        self.state = PillLabel()
        self.text = WrappedLabel(role="muted")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(SPACE.s)
        row.addWidget(self.name)
        row.addWidget(self.state)
        row.addWidget(self.text, 1)

    def show_node(self, node: NodeView) -> None:
        self.name.setText(node.name)
        ready = node.state is NodeState.READY
        self.state.set(node.state.value, "success" if ready else "warning")
        self.text.setText("" if ready else node.state_text)
        self.setAccessibleName(f"{node.name}: {shown(node.state.value)}")

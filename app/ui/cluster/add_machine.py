"""Adding a machine: one that was found on the network, or by address; its fingerprint is shown before it is trusted."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QHBoxLayout, QLineEdit, QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from app.core.controller import ProbedAgent
from app.core.snapshot import Snapshot
from app.ui import words
from app.ui.bridge import CoreBridge, Handle
from app.ui.theme import SPACE
from app.ui.widgets import Banner, WrappedLabel, explain, label, push_button

SEARCHING = "Looking for agents on this network… Start one on another machine with: shardd run"


class AddMachineDialog(QDialog):
    """Look, compare, add. Closes when the machine was added."""

    def __init__(self, bridge: CoreBridge, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._bridge = bridge
        self._probed: ProbedAgent | None = None
        self._handle: Handle | None = None
        self.setWindowTitle("Add a machine")
        self.setMinimumWidth(520)
        self.found = QListWidget()
        self.found.setAccessibleName("Agents on this network")
        self.found.setFixedHeight(132)
        self.found.currentItemChanged.connect(self._pick)
        self.searching = WrappedLabel(SEARCHING, "muted")
        self.address = QLineEdit()
        self.address.setPlaceholderText("mini-1.local or 10.0.0.7:8101")
        self.address.setAccessibleName("Address")
        self.address.textChanged.connect(self._edited)
        self.address.returnPressed.connect(self.look)
        self.look_button = push_button("Look", "", self.look)
        self.fingerprint = WrappedLabel(role="mono")
        self.advice = WrappedLabel(role="muted")
        self.banner = Banner()
        self.add_button = push_button("Add machine", "primary", self.add)
        cancel = push_button("Cancel", "", self.reject)

        row = QHBoxLayout()
        row.setSpacing(SPACE.s)
        row.addWidget(self.address, 1)
        row.addWidget(self.look_button)
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        buttons.addWidget(cancel)
        buttons.addWidget(self.add_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE.xl, SPACE.l, SPACE.xl, SPACE.l)
        layout.setSpacing(SPACE.s)
        layout.addWidget(label("On this network", "heading"))
        layout.addWidget(self.found)
        layout.addWidget(self.searching)
        layout.addSpacing(SPACE.s)
        layout.addWidget(label("By address", "heading"))
        layout.addLayout(row)
        layout.addWidget(self.fingerprint)
        layout.addWidget(self.advice)
        layout.addWidget(self.banner)
        layout.addStretch(1)
        layout.addLayout(buttons)
        bridge.snapshot_changed.connect(self.show_snapshot)
        self.show_snapshot(bridge.snapshot)
        self._show_probed(None)

    def show_snapshot(self, snapshot: Snapshot) -> None:
        shown = [self.found.item(row).data(Qt.ItemDataRole.UserRole) for row in range(self.found.count())]
        agents = {agent.address: agent for agent in snapshot.discovered}
        if shown != list(agents):
            self.found.clear()
            for agent in agents.values():
                item = QListWidgetItem(f"{agent.name}   {agent.address}   shardd {agent.version}")
                item.setData(Qt.ItemDataRole.UserRole, agent.address)
                self.found.addItem(item)
        self.searching.setText(snapshot.discovery_problem or SEARCHING)
        self.searching.setVisible(not agents)

    def look(self) -> None:
        """Asks who answers at the address."""
        address = self.address.text().strip()
        if not address:
            return
        self.banner.hide()
        explain(self.look_button, "Looking…")
        self._handle = self._bridge.run(
            lambda controller: controller.probe_agent(address), self._show_probed, self._show_error
        )

    def add(self) -> None:
        probed = self._probed
        if probed is None:
            return
        explain(self.add_button, "Adding…")
        self._handle = self._bridge.run(
            lambda controller: controller.add_node(probed.address, probed.fingerprint),
            lambda _result: self.accept(),
            self._show_error,
        )

    def done(self, result: int) -> None:
        if self._handle is not None:
            self._handle.cancel()
        super().done(result)

    def _pick(self, item: QListWidgetItem | None) -> None:
        if item is not None:
            self.address.setText(item.data(Qt.ItemDataRole.UserRole))
            self.look()

    def _edited(self) -> None:
        self._show_probed(None)

    def _show_probed(self, probed: ProbedAgent | None) -> None:
        self._probed = probed
        explain(self.look_button, "" if self.address.text().strip() else "Write an address first.")
        self.fingerprint.setText(words.fingerprint(probed.fingerprint) if probed else "")
        self.fingerprint.setVisible(probed is not None)
        self.advice.setText(probed.advice if probed else "")
        self.advice.setVisible(bool(probed and probed.advice))
        why_not = "Look at an address first." if probed is None else "" if probed.trusts_us else probed.advice
        explain(self.add_button, why_not, "Trusts this fingerprint and connects")

    def _show_error(self, error: BaseException) -> None:
        self._show_probed(self._probed)
        self.banner.show_error(error)

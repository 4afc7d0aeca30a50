"""Adding a machine: one that was found on the network, or by address; it is trusted by the code that it shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QDialog, QHBoxLayout, QLineEdit, QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from app.core.snapshot import Snapshot
from app.core.text import phrase
from app.ui import words
from app.ui.bridge import CoreBridge, Handle
from app.ui.text import tr
from app.ui.theme import SPACE, scaled
from app.ui.widgets import Banner, WrappedLabel, explain, fit_height, label, push_button
from app.ui.widgets.code_field import CodeField
from app.ui.widgets.labels import plain_tooltip

if TYPE_CHECKING:
    from app.core.controller import ProbedAgent

WIDEST = 900  # of the dialog: the smallest window holds it
CODE_FIRST = phrase("Type the six digits of the code first.")
COMPARE = phrase("Fingerprints, for those who want to compare them on both machines:")
SEARCHING = phrase("Looking for agents on this network… Start one on another machine with: shardd run")


class AddMachineDialog(QDialog):
    """Pick or look, type the code, pair. Closes when the machine was added."""

    def __init__(self, bridge: CoreBridge, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._bridge = bridge
        self._probed: ProbedAgent | None = None
        self._handle: Handle | None = None
        self.setWindowTitle(tr("Add a machine"))
        self.setMinimumWidth(min(scaled(520), WIDEST))
        self.found = QListWidget()
        self.found.setAccessibleName(tr("Agents on this network"))
        self.found.setFixedHeight(scaled(132))
        self.found.currentItemChanged.connect(self._pick)
        self.searching = WrappedLabel(SEARCHING, "muted")
        self.address = QLineEdit()
        self.address.setPlaceholderText(tr("mini-1.local or 10.0.0.7:8101"))
        self.address.setAccessibleName(tr("Address"))
        self.address.textChanged.connect(self._edited)
        self.address.returnPressed.connect(self.look)
        self.look_button = push_button("Look", "", self.look)
        self.advice = WrappedLabel()
        self.code = CodeField(160)
        self.code.setAccessibleName(tr("Pairing code"))
        self.code.textChanged.connect(self._show_add)
        self.code.returnPressed.connect(self._enter)
        self.fingerprints = WrappedLabel(role="mono")
        self.compare = WrappedLabel(COMPARE, "small")
        self.banner = Banner()
        self.add_button = push_button("Add machine", "primary", self.add)
        cancel = push_button("Cancel", "", self.reject)

        row = QHBoxLayout()
        row.setSpacing(SPACE.s)
        row.addWidget(self.address, 1)
        row.addWidget(self.look_button)
        self.why = push_button("Why can't I see my Mac?", "quiet", self._explain_reach)
        self.why.setAutoDefault(False)
        buttons = QHBoxLayout()
        buttons.addWidget(self.why)
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
        layout.addWidget(self.advice)
        layout.addWidget(self.code)
        layout.addWidget(self.compare)
        layout.addWidget(self.fingerprints)
        layout.addWidget(self.banner)
        layout.addSpacing(SPACE.s)
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
                item = QListWidgetItem(
                    tr(
                        "{name}   {address}   shardd {version}",
                        name=agent.name,
                        address=agent.address,
                        version=agent.version,
                    )
                )
                item.setData(Qt.ItemDataRole.UserRole, agent.address)
                self.found.addItem(item)
        self.searching.setText(snapshot.discovery_problem or SEARCHING)
        self.searching.setVisible(not agents)
        self.found.setVisible(bool(agents))
        self._fit()

    def look(self) -> None:
        """Asks who answers at the address."""
        address = self.address.text().strip()
        if not address:
            return
        self.banner.hide()
        self.code.clear()
        explain(self.look_button, "Looking…")
        self._handle = self._bridge.run(
            lambda controller: controller.probe_agent(address), self._show_probed, self._show_error
        )

    def add(self) -> None:
        probed = self._probed
        if probed is None:
            return
        code = self.code.text()
        self.banner.hide()
        explain(self.add_button, "Adding…" if probed.trusts_us else "Pairing…")
        self._handle = self._bridge.run(
            lambda controller: (
                controller.add_node(probed.address, probed.fingerprint)
                if probed.trusts_us
                else controller.pair_node(probed.address, code)
            ),
            lambda _result: self.accept(),
            self._show_error,
        )

    def done(self, result: int) -> None:
        if self._handle is not None:
            self._handle.cancel()
        super().done(result)

    def _explain_reach(self) -> None:
        from app.ui.first_start import open_reach  # not needed by a window that opens

        open_reach(self, self._bridge, self.address.text().strip())

    def _pick(self, item: QListWidgetItem | None) -> None:
        if item is not None:
            self.address.setText(item.data(Qt.ItemDataRole.UserRole))
            self.look()

    def _edited(self) -> None:
        self._show_probed(None)

    def _show_probed(self, probed: ProbedAgent | None) -> None:
        self._probed = probed
        explain(self.look_button, "" if self.address.text().strip() else "Write an address first.")
        self.advice.setText(probed.advice if probed else "")
        self.advice.setVisible(bool(probed and probed.advice))
        by_code = bool(probed and probed.pairs and not probed.trusts_us)
        self.code.setVisible(by_code)
        if probed:
            name = probed.name or probed.address
            self.fingerprints.setText(
                tr(
                    "{fingerprint}  {name}\n{own_fingerprint}  this window",
                    fingerprint=words.short_fingerprint(probed.fingerprint),
                    name=name,
                    own_fingerprint=words.short_fingerprint(probed.own_fingerprint),
                )
            )
            self.fingerprints.setToolTip(plain_tooltip(words.fingerprint(probed.fingerprint)))
        self.compare.setVisible(probed is not None)
        self.fingerprints.setVisible(probed is not None)
        self._show_add()
        if by_code:
            self.code.setFocus()

    def _show_add(self) -> None:
        """What the last button does, or why it cannot."""
        probed = self._probed
        if probed is None:
            why_not, tip = tr("Look at an address first."), ""
        elif probed.trusts_us:
            why_not, tip = "", tr("Trusts this fingerprint and connects")
        elif not probed.pairs:
            why_not, tip = probed.advice, ""
        else:
            why_not, tip = ("" if self.code.complete else CODE_FIRST), tr("Both machines trust each other then")
        by_code = bool(probed and probed.pairs and not probed.trusts_us)
        self.add_button.setText(tr("Pair") if by_code else tr("Add machine"))
        explain(self.add_button, why_not, tip)
        self._fit()

    def _enter(self) -> None:
        if self.add_button.isEnabled():
            self.add()

    def _show_error(self, error: BaseException) -> None:
        self._show_probed(self._probed)
        self.banner.show_error(error)
        self._fit()

    def _fit(self) -> None:
        """When the layout knows what is shown."""
        QTimer.singleShot(0, self, lambda: fit_height(self))

"""Step 1: this machine, and how much of it models may use."""

from __future__ import annotations

from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from app.core.settings.settings import Settings
from app.core.snapshot import NodeView, Snapshot
from app.core.text import phrase
from app.ui import words
from app.ui.bridge import CoreBridge
from app.ui.settings.chosen import Chosen
from app.ui.settings.general import ReserveRow
from app.ui.text import tr
from app.ui.theme import SPACE
from app.ui.widgets import Banner, Card, PillLabel, WrappedLabel, label

INTRO = phrase(
    "Shardboard runs a model that is too big for one machine on several. Each lends memory that "
    "is free; this one already does."
)
STARTING = phrase("This machine's agent is starting…")
KEEP = phrase("To keep free for your other programs:")


class MachineStep(QWidget):
    heading = phrase("This machine")

    def __init__(self, bridge: CoreBridge, chosen: Chosen, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._bridge = bridge
        self._chosen = chosen
        self.banner = Banner()
        self.card = Card()
        self.name = label(STARTING, "heading")
        self.chip, self.memory, self.system = PillLabel(), PillLabel(), PillLabel()
        self.state = WrappedLabel(role="muted")
        self.keep = label(KEEP)
        self.reserve: ReserveRow | None = None
        pills = QHBoxLayout()
        pills.setSpacing(SPACE.s)
        for pill in (self.chip, self.memory, self.system):
            pill.set("")
            pills.addWidget(pill)
        pills.addStretch(1)
        for part in (self.name, self.state, self.keep):
            self.card.body.addWidget(part)
        self.card.body.insertLayout(1, pills)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE.m)
        for part in (WrappedLabel(INTRO), self.banner, self.card):
            column.addWidget(part)
        column.addStretch(1)
        bridge.snapshot_changed.connect(self.show_snapshot)
        bridge.start_failed.connect(self.banner.show_error)
        chosen.changed.connect(self._settings_changed)
        self.show_snapshot(bridge.snapshot)

    def _settings_changed(self, _settings: Settings) -> None:
        self.show_snapshot(self._bridge.snapshot)

    def show_snapshot(self, snapshot: Snapshot) -> None:
        node = next((each for each in snapshot.nodes if each.local), None)
        self.keep.setVisible(node is not None)
        if node is None:
            return
        self.name.setText(node.name)
        self.chip.set(node.chip)
        self.system.set(node.os)
        self.memory.set(tr("{total} memory", total=words.size(node.memory.total)) if node.memory else "")
        self.state.setText(machine_words(node))
        if self.reserve is None:
            self.reserve = ReserveRow(node.name, self._chosen)
            self.reserve.title.hide()  # the card has its name already
            self.card.body.addWidget(self.reserve)
            QWidget.setTabOrder(self.banner.action_button, self.reserve.spin)
        self.reserve.show_node(node, self._chosen.now)


def machine_words(node: NodeView) -> str:
    """What of its memory is used, and by whom."""
    if node.memory is None:
        return node.state_text
    memory = node.memory
    return tr(
        "{others} is used by other programs, {free} is free.",
        others=words.size(memory.others),
        free=words.size(memory.free),
    )

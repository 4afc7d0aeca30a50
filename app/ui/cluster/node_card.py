"""One machine: what it is, what it holds, how it does, and what can be done about it."""

from __future__ import annotations

from time import monotonic

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QMenu, QProgressBar, QSizePolicy, QWidget

from app.core.snapshot import NodeState, NodeView
from app.ui import words
from app.ui.board.state import NodeOutlook
from app.ui.board.words import planned_line
from app.ui.cluster.painted import Dot, MemoryBar, Sparkline
from app.ui.theme import SPACE
from app.ui.widgets import (
    Card,
    ElidedLabel,
    IconButton,
    PillLabel,
    ValueLabel,
    WrappedLabel,
    label,
    push_button,
    set_tone,
)
from app.ui.widgets.labels import plain_tooltip

SAMPLE_S = 0.24  # a beat comes four times a second
TONES = {
    NodeState.READY: "success",
    NodeState.CONNECTING: "info",
    NodeState.SUSPECT: "warning",
    NodeState.LOST: "danger",
    NodeState.NOT_PAIRED: "warning",
    NodeState.INCOMPATIBLE: "warning",
}


class NodeCard(Card):
    """Signals: restart_wanted(name), forget_wanted(name)."""

    restart_wanted = Signal(str)
    forget_wanted = Signal(str)

    def __init__(self, name: str, node_colour: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.node_name = name
        self._node: NodeView | None = None
        self._outlook: NodeOutlook | None = None
        self._sampled_at = 0.0
        self.setAccessibleName(f"Machine {name}")
        self.name = ElidedLabel(name, "heading")
        self.chip = ElidedLabel("", "small")
        self.state = PillLabel()
        self.menu_button = IconButton("more", f"What can be done with {name}", self._open_menu)
        self.bar = MemoryBar(node_colour)
        self.legend = ElidedLabel("", "muted")
        self.others = ElidedLabel("", "muted")
        self.compute = ValueLabel("888.8 ms", "")
        self.hop = ValueLabel("888.8 ms", "")
        self.queue = ValueLabel("88", "")
        self.spark = Sparkline(node_colour, f"Compute time of {name}, the latest steps")
        self.progress = QProgressBar()
        self.progress.setTextVisible(False)
        self.progress.setFixedHeight(6)
        self.progress.setAccessibleName(f"Transfer to {name}")
        self.progress_text = ElidedLabel("", "small")
        self.trouble = WrappedLabel(role="danger")
        self.restart = push_button("Restart stage", "", lambda: self.restart_wanted.emit(self.node_name))
        self.restart.setAccessibleDescription(f"Starts the stage on {name} again")

        head = QHBoxLayout()
        head.setSpacing(SPACE.s)
        head.addWidget(Dot(node_colour))
        head.addWidget(self.name, 1)
        head.addWidget(self.state)
        head.addWidget(self.menu_button)
        figures = QGridLayout()
        figures.setHorizontalSpacing(SPACE.m)
        figures.setVerticalSpacing(0)
        for column, (title, value) in enumerate((("Compute", self.compute), ("Hop", self.hop), ("Queue", self.queue))):
            value.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
            value.setAccessibleName(f"{title} of {name}")
            figures.addWidget(label(title, "small"), 0, column)
            figures.addWidget(value, 1, column)
        figures.setColumnStretch(3, 1)
        self.body.addLayout(head)
        self.body.addWidget(self.chip)
        self.body.addWidget(self.bar)
        self.body.addWidget(self.legend)
        self.body.addWidget(self.others)
        self.body.addLayout(figures)
        self.body.addWidget(self.spark)
        self.body.addWidget(self.progress)
        self.body.addWidget(self.progress_text)
        self.body.addWidget(self.trouble)
        self.body.addWidget(self.restart, 0, Qt.AlignmentFlag.AlignLeft)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)

    def show_node(self, node: NodeView) -> None:
        self._node = node
        memory, stage = node.memory, node.stage
        facts = " · ".join(part for part in (node.chip, words.size(memory.total) if memory else "") if part)
        held = words.layers(stage.first, stage.last) if stage else ""
        self.chip.setText(" · ".join(part for part in (held, _short(facts)) if part) or "Not seen yet")
        self.state.set(node.state.value, TONES[node.state])
        self.state.setToolTip(plain_tooltip(node.state_text))
        fingerprint = words.short_fingerprint(node.fingerprint)
        self.name.setToolTip(plain_tooltip(f"{node.name} at {node.address}\nfingerprint {fingerprint}\n{node.os}"))
        self.bar.show_memory(memory)
        self._show_legend()
        self.compute.setText(words.milliseconds(stage.compute_ms.p50 if stage and stage.compute_ms else None))
        alone = stage is not None and stage.count == 1
        self.hop.setText(words.milliseconds(stage.hop_ms.p50 if stage and stage.hop_ms else None))
        self.queue.setText(str(stage.queue_depth) if stage else words.NOT_MEASURED)
        for value, measured in ((self.compute, stage and stage.compute_ms), (self.hop, stage and stage.hop_ms)):
            value.setToolTip("median of the latest steps" if measured else words.NOT_MEASURED_TIP)
        if alone:
            self.hop.setToolTip("One stage alone has no hop.")
        if stage and stage.compute_ms and monotonic() - self._sampled_at >= SAMPLE_S:
            self._sampled_at = monotonic()
            self.spark.add(stage.compute_ms.p50)
        self._show_transfer(node)
        self._show_trouble(node)

    def show_outlook(self, outlook: NodeOutlook | None, target: bool = False) -> None:
        """While layers are dragged: what this node would hold."""
        self._outlook = outlook
        set_tone(self, "drop", "target" if target else "")
        self._show_legend()

    def _show_legend(self) -> None:
        node = self._node
        if self._outlook is not None and (self._outlook.needed or self._outlook.over):
            self.legend.setText(planned_line(self._outlook))
            return
        memory = node.memory if node else None
        if memory is None:
            self.legend.setText("Memory is not known yet.")
            self.others.setText("")
            return
        self.legend.setText(f"{words.size(memory.weights)} weights · {words.size(memory.kv)} KV")
        swap = f" · {words.size(node.swap_used)} swapped" if node and node.swap_used else ""
        self.others.setText(f"{words.size(memory.free)} free · {words.size(memory.others)} others{swap}")

    def _show_transfer(self, node: NodeView) -> None:
        transfer = node.transfer
        self.progress.setVisible(transfer is not None)
        self.progress_text.setVisible(transfer is not None)
        if transfer is None:
            return
        self.progress.setRange(0, 1000)
        share = transfer.done_bytes / transfer.total_bytes if transfer.total_bytes else 0.0
        self.progress.setValue(round(share * 1000))
        rate = f" · {words.rate(transfer.bytes_per_s)}" if transfer.bytes_per_s else ""
        self.progress_text.setText(
            f"{transfer.phase} {words.size(transfer.done_bytes)} of {words.size(transfer.total_bytes)}{rate}"
        )

    def _show_trouble(self, node: NodeView) -> None:
        failed = node.stage is not None and node.stage.state == "failed"
        text = ""
        if node.state not in (NodeState.READY, NodeState.CONNECTING):
            text = node.state_text
        elif failed and node.stage:
            text = node.stage.cause
        self.trouble.setText(text)
        self.trouble.setVisible(bool(text))
        self.restart.setVisible(failed and node.state is NodeState.READY)

    def _open_menu(self) -> None:
        node = self._node
        if node is None:
            return
        menu = self.menu()
        menu.exec(self.menu_button.mapToGlobal(self.menu_button.rect().bottomLeft()))
        menu.deleteLater()

    def menu(self) -> QMenu:
        """What can be done with this machine; what cannot says why."""
        node = self._node
        menu = QMenu(self)
        menu.setToolTipsVisible(True)
        restart = menu.addAction("Restart stage", lambda: self.restart_wanted.emit(self.node_name))
        if node is None or node.stage is None:
            restart.setEnabled(False)
            restart.setToolTip("No stage is loaded on this machine.")
        clipboard = QGuiApplication.clipboard()
        menu.addAction("Copy address", lambda: clipboard.setText(node.address if node else ""))
        menu.addAction("Copy fingerprint", lambda: clipboard.setText(node.fingerprint if node else ""))
        menu.addSeparator()
        forget = menu.addAction("Forget this machine", lambda: self.forget_wanted.emit(self.node_name))
        if node is not None and node.local:
            forget.setEnabled(False)
            forget.setToolTip("This agent belongs to this window and ends with it.")
        return menu


def _short(facts: str) -> str:
    """A chip's name without the words that every chip has."""
    for noise in ("Apple ", "(R)", "(TM)", " Processor", " CPU"):
        facts = facts.replace(noise, "")
    return facts

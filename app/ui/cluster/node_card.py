"""One machine: what it is, what it holds, how it does, and what can be done about it."""

from __future__ import annotations

from time import monotonic

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QMenu, QProgressBar, QSizePolicy, QWidget

from app.core.snapshot import MachineFigures, NodeState, NodeView
from app.core.text import joined
from app.ui import words
from app.ui.board.state import NodeOutlook
from app.ui.board.words import planned_line
from app.ui.cluster.history import History
from app.ui.cluster.painted import Dot, MemoryBar, Sparkline
from app.ui.text import shown, tr
from app.ui.theme import SPACE
from app.ui.widgets import (
    Card,
    ElidedLabel,
    IconButton,
    PillLabel,
    ValueLabel,
    WrappedLabel,
    explain,
    label,
    push_button,
    set_tone,
)
from app.ui.widgets.labels import plain_tooltip

TONES = {
    NodeState.READY: "success",
    NodeState.CONNECTING: "info",
    NodeState.SUSPECT: "warning",
    NodeState.LOST: "danger",
    NodeState.NOT_PAIRED: "warning",
    NodeState.INCOMPATIBLE: "warning",
}


class NodeCard(Card):
    """Signals, all with its name: restart_wanted, free_wanted, measure_wanted, logs_wanted, forget_wanted."""

    restart_wanted = Signal(str)
    free_wanted = Signal(str)
    measure_wanted = Signal(str)
    logs_wanted = Signal(str)
    forget_wanted = Signal(str)

    def __init__(self, name: str, node_colour: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.node_name = name
        self._node: NodeView | None = None
        self._outlook: NodeOutlook | None = None
        self._figures = MachineFigures()
        self.history = History()
        self.setAccessibleName(tr("Machine {name}", name=name))
        self.name = ElidedLabel(name, "heading")
        self.chip = ElidedLabel("", "small")
        self.state = PillLabel()
        self.menu_button = IconButton("more", tr("What can be done with {name}", name=name), self._open_menu)
        self.bar = MemoryBar(node_colour)
        self.legend = ElidedLabel("", "muted")
        self.others = ElidedLabel("", "muted")
        self.compute = ValueLabel("888.8 ms", "")
        self.hop = ValueLabel("888.8 ms", "")
        self.used = ValueLabel("100 %", "")
        self.queue = ElidedLabel("", "small")
        self.memory_line = Sparkline(node_colour, tr("Memory in use on {name} over the last five minutes", name=name))
        self.compute_line = Sparkline(
            node_colour, tr("Compute time of {name} over the last five minutes", name=name), " ms"
        )
        self.hop_line = Sparkline(node_colour, tr("Hop into {name} over the last five minutes", name=name), " ms")
        self.progress = QProgressBar()
        self.progress.setTextVisible(False)
        self.progress.setFixedHeight(6)
        self.progress.setAccessibleName(tr("Transfer to {name}", name=name))
        self.progress_text = ElidedLabel("", "small")
        self.trouble = WrappedLabel(role="danger")
        self.restart = push_button("Restart stage", "", lambda: self.restart_wanted.emit(self.node_name))
        self.restart.setAccessibleDescription(tr("Starts the stage on {name} again", name=name))

        head = QHBoxLayout()
        head.setSpacing(SPACE.s)
        self.dot = Dot(node_colour)
        head.addWidget(self.dot)
        head.addWidget(self.name, 1)
        head.addWidget(self.state)
        head.addWidget(self.menu_button)
        figures = QGridLayout()
        figures.setHorizontalSpacing(SPACE.m)
        figures.setVerticalSpacing(0)
        columns = (
            (tr("Memory"), self.used, self.memory_line),
            (tr("Compute"), self.compute, self.compute_line),
            (tr("Hop"), self.hop, self.hop_line),
        )
        for column, (title, value, spark) in enumerate(columns):
            value.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
            value.setAccessibleName(tr("{title} of {name}", title=title, name=name))
            figures.addWidget(label(title, "small"), 0, column)
            figures.addWidget(value, 1, column)
            figures.addWidget(spark, 2, column)
            figures.setColumnStretch(column, 1)
        self.body.addLayout(head)
        self.body.addWidget(self.chip)
        self.body.addWidget(self.bar)
        self.body.addWidget(self.legend)
        self.body.addWidget(self.others)
        self.body.addLayout(figures)
        self.body.addWidget(self.queue)
        self.body.addWidget(self.progress)
        self.body.addWidget(self.progress_text)
        self.body.addWidget(self.trouble)
        self.body.addWidget(self.restart, 0, Qt.AlignmentFlag.AlignLeft)
        self.body.addStretch(1)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)

    def set_colour(self, node_colour: int) -> None:
        """The same as on the board, also after another machine was forgotten."""
        for part in (self.dot, self.bar, self.memory_line, self.compute_line, self.hop_line):
            part.set_colour(node_colour)

    def show_node(self, node: NodeView, figures: MachineFigures | None = None) -> None:
        self._node, self._figures = node, figures or self._figures
        memory, stage = node.memory, node.stage
        facts = " · ".join(part for part in (node.chip, words.size(memory.total) if memory else "") if part)
        held = words.layers(stage.first, stage.last) if stage else ""
        self.chip.setText(joined((held, _short(facts)), " · ") or tr("Not seen yet"))
        self.state.set(node.state.value, TONES[node.state])
        self.state.setToolTip(plain_tooltip(node.state_text))
        fingerprint = words.short_fingerprint(node.fingerprint)
        self.name.setToolTip(
            plain_tooltip(
                tr(
                    "{name} at {address}\nfingerprint {fingerprint}\n{os}",
                    name=node.name,
                    address=node.address,
                    fingerprint=fingerprint,
                    os=node.os,
                )
            )
        )
        self.bar.show_memory(memory)
        self._show_legend()
        self.compute.setText(words.milliseconds(stage.compute_ms.p50 if stage and stage.compute_ms else None))
        alone = stage is not None and stage.count == 1
        self.hop.setText(words.milliseconds(stage.hop_ms.p50 if stage and stage.hop_ms else None))
        self._show_queue(node)
        for value, measured in ((self.compute, stage and stage.compute_ms), (self.hop, stage and stage.hop_ms)):
            value.setToolTip(tr("median of the latest steps") if measured else shown(words.NOT_MEASURED_TIP))
        if alone:
            self.hop.setToolTip(tr("One stage alone has no hop."))
        self.used.setText(f"{1 - memory.free / memory.total:.0%}" if memory and memory.total else words.NOT_MEASURED)
        if self.history.add(node, monotonic()):
            self.memory_line.show_values(self.history.memory, 1.0)
            self.compute_line.show_values(self.history.compute_ms)
            self.hop_line.show_values(self.history.hop_ms)
        self._show_transfer(node)
        self._show_trouble(node)

    def _show_queue(self, node: NodeView) -> None:
        """What waits, and the link to this machine."""
        stage, figures = node.stage, self._figures
        parts = [
            tr("queue {queue_depth}", queue_depth=stage.queue_depth) if stage else "",
            words.count(stage.sequences, "answer") if stage and stage.sequences else "",
            tr("push {push_bytes_per_s}", push_bytes_per_s=words.rate(figures.push_bytes_per_s))
            if figures.push_bytes_per_s
            else "",
            tr("reads {read_bytes_per_s}", read_bytes_per_s=words.rate(figures.read_bytes_per_s))
            if figures.read_bytes_per_s
            else "",
        ]
        self.queue.setText(joined(parts, " · "))
        self.queue.set_note(
            tr(
                "queue: steps that wait on it. push: the last shard that was sent to it. reads: the "
                "quick reading of its memory, no model involved."
            )
        )

    def show_outlook(self, outlook: NodeOutlook | None, target: bool = False) -> None:
        """While layers are dragged: what this node would hold."""
        self._outlook = outlook
        set_tone(self, "drop", "target" if target else "")
        self._show_legend()

    def _show_legend(self) -> None:
        node = self._node
        if self._outlook is not None and (self._outlook.needed or self._outlook.over):
            held, room = planned_line(self._outlook).rsplit(" · ", 1)
            self.legend.setText(held)
            self.others.setText(room)
            return
        memory = node.memory if node else None
        if memory is None:
            known = node is not None and node.chip
            state = shown(node.state.value) if node else ""
            self.legend.setText(
                tr("Memory is not known while it is {state}.", state=state) if known else tr("Memory is not known yet.")
            )
            self.others.setText("")
            return
        self.legend.setText(
            tr("{weights} weights · {kv} KV", weights=words.size(memory.weights), kv=words.size(memory.kv))
        )
        room = {"free": words.size(memory.free), "others": words.size(memory.others)}
        self.others.setText(
            tr("{free} free · {others} others · {swap} swapped", swap=words.size(node.swap_used), **room)
            if node and node.swap_used
            else tr("{free} free · {others} others", **room)
        )

    def _show_transfer(self, node: NodeView) -> None:
        transfer = node.transfer
        self.progress.setVisible(transfer is not None)
        self.progress_text.setVisible(transfer is not None)
        if transfer is None:
            return
        self.progress.setRange(0, 1000)
        share = transfer.done_bytes / transfer.total_bytes if transfer.total_bytes else 0.0
        self.progress.setValue(round(share * 1000))
        rate = words.rate(transfer.bytes_per_s) if transfer.bytes_per_s else ""
        amount = words.transfer(transfer.phase, transfer.done_bytes, transfer.total_bytes)
        self.progress_text.setText(joined((amount, rate), " · "))

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
        restart = menu.addAction(tr("Restart stage"), lambda: self.restart_wanted.emit(self.node_name))
        free = menu.addAction(tr("Free memory"), lambda: self.free_wanted.emit(self.node_name))
        measure = menu.addAction(tr("Measure speed"), lambda: self.measure_wanted.emit(self.node_name))
        away = (
            ""
            if node is not None and node.state is NodeState.READY
            else tr("{node_name} does not answer now.", node_name=self.node_name)
        )
        stage_why_not = away or ("" if node and node.stage else tr("No stage is loaded on this machine."))
        busy = tr("An answer is being computed there.") if node and node.stage and node.stage.sequences else ""
        explain(restart, stage_why_not, "Loads its layers again; answers go on.")
        explain(free, stage_why_not, "Unloads what this controller has loaded there.")
        explain(measure, away or busy, "Reads its memory and multiplies matrices for a second. No model is involved.")
        menu.addSeparator()
        activity = menu.addAction(tr("Show its activity"), lambda: self.logs_wanted.emit(self.node_name))
        activity.setToolTip(
            tr("What happened there as this controller saw it. What the agent itself prints stays on that machine.")
        )
        clipboard = QGuiApplication.clipboard()
        menu.addAction(tr("Copy address"), lambda: clipboard.setText(node.address if node else ""))
        menu.addAction(tr("Copy fingerprint"), lambda: clipboard.setText(node.fingerprint if node else ""))
        menu.addSeparator()
        forget = menu.addAction(tr("Forget this machine"), lambda: self.forget_wanted.emit(self.node_name))
        own = tr("This agent belongs to this window and ends with it.") if node is not None and node.local else ""
        explain(forget, own, "Unpairs it. Its shards stay on its disk.")
        return menu


def _short(facts: str) -> str:
    """A chip's name without the words that every chip has."""
    for noise in ("Apple ", "(R)", "(TM)", " Processor", " CPU"):
        facts = facts.replace(noise, "")
    return facts

"""The latency lane: the running answer's tokens as bars, and one sentence that says why they take so long."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, Protocol

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import QHBoxLayout, QWidget

from app.core.generation.accounting import Placed, account, conditions, explain, laps
from app.core.generation.request import TokenEvent
from app.core.snapshot import NodeView, Snapshot
from app.core.text import phrase
from app.ui import words
from app.ui.chat.answer import shares
from app.ui.latency.bars import LatencyBars
from app.ui.text import tr
from app.ui.theme import SPACE
from app.ui.widgets import Card, PillLabel, WrappedLabel, label, push_button
from app.ui.widgets import explain as explain_button

REFRESH_MS: Final = 120
NOTHING: Final = phrase("The next tokens appear here, each as a bar: where its time went, stage by stage.")
PAUSE_TIP: Final = phrase("Holds what is shown, so that it can be looked at; the answer goes on")
NOT_MEASURED: Final = phrase("There is nothing to export before the second token.")


class AnswerBeingWritten(Protocol):
    """What is read of an answer (app.ui.chat.writing.Writing)."""

    earlier: tuple[NodeView, ...]
    model: str

    @property
    def events(self) -> Iterable[TokenEvent]: ...
    @property
    def stages(self) -> Sequence[Placed]: ...


class LatencyPanel(Card):
    """Hidden until asked for. Attributes: events, machines and model, of what is shown; paused.

    Signals: export_wanted().
    """

    export_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(tr("Latency lane"))
        self._live: Iterable[TokenEvent] = ()
        self._stages: Sequence[Placed] = ()
        self._earlier: tuple[NodeView, ...] = ()
        self._snapshot = Snapshot()
        self.events: tuple[TokenEvent, ...] = ()
        self.model = ""
        self.paused = False
        self._room = self._room_at = 0
        self.median = PillLabel()
        self.median.setAccessibleName(tr("Median time of a token"))
        self.pause = push_button("Pause", "quiet", self._toggle_pause)
        self.export = push_button("Export", "quiet", self.export_wanted.emit)
        self.export.setAccessibleName(tr("Export the latency lane"))
        for button in (self.pause, self.export):
            button.setProperty("slim", True)
        self.bars = LatencyBars()
        self.sentence = WrappedLabel(NOTHING, "muted")
        self.sentence.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
        self.sentence.setAccessibleName(tr("Why a token takes as long as it does"))
        row = QHBoxLayout()
        row.setSpacing(SPACE.xs)
        row.addWidget(label("Latency", "strong"))
        row.addWidget(self.median)
        row.addStretch(1)
        row.addWidget(self.pause)
        row.addWidget(self.export)
        self.body.setContentsMargins(SPACE.m, SPACE.s, SPACE.m, SPACE.s)
        self.body.setSpacing(SPACE.xs)
        self.body.addLayout(row)
        self.body.addWidget(self.bars)
        self.body.addWidget(self.sentence)
        self._refresh = QTimer(self)
        self._refresh.setSingleShot(True)
        self._refresh.setInterval(REFRESH_MS)
        self._refresh.timeout.connect(self._show)
        self.hide()
        self._show()

    @property
    def machines(self) -> tuple[str, ...]:
        return tuple(stage.node for stage in self._stages)

    def show_answer(self, answer: AnswerBeingWritten | None, snapshot: Snapshot) -> None:
        """From now on this answer's; None leaves what is there."""
        self._snapshot = snapshot
        if answer is not None:
            self._live, self._stages = answer.events, answer.stages
            self._earlier, self.model = answer.earlier, answer.model
        self._show()

    def _keep_room(self, measured: bool) -> None:
        """A sentence that becomes shorter leaves its room, or the conversation above would move with each."""
        width = self.sentence.width()
        before = self._room if width == self._room_at and measured else 0
        self._room_at, self._room = width, max(before, self.sentence.heightForWidth(width))
        self.sentence.setMinimumHeight(self._room)

    def clear(self) -> None:
        self._room = 0
        self._live, self._stages = (), ()
        self._set_paused(False)
        self._show()

    def show_events(self, live: Iterable[TokenEvent]) -> None:
        self._live = live
        if not self.paused and self.isVisible() and not self._refresh.isActive():
            self._refresh.start()

    def show_machines(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def settle(self) -> None:
        """The answer has ended: its last tokens are shown at once."""
        self._refresh.stop()
        self._show()

    def _toggle_pause(self) -> None:
        self._set_paused(not self.paused)
        self._show()

    def _set_paused(self, paused: bool) -> None:
        self.paused = paused
        self.pause.setText(tr("Resume") if paused else tr("Pause"))

    def _show(self) -> None:
        if not self.paused:
            self.events = tuple(self._live)
        found = account([self.events], _at_once(self._snapshot))
        every = laps(self.events)
        numbers = {node.name: number for number, node in enumerate(self._snapshot.nodes)}
        colours = [numbers.get(name, stage) for stage, name in enumerate(self.machines)]
        self.bars.show_laps(every, self.machines, colours, shares(found, self.machines))
        self.bars.setVisible(bool(every))
        self.median.set(
            tr("{observed_ms} a token", observed_ms=words.milliseconds(found.observed_ms[0])) if found else ""
        )
        why = explain(found, self._stages, conditions(self._snapshot.nodes, self._earlier))
        if not every:
            why = NOTHING
        self.sentence.setText(why)
        self._keep_room(bool(every))
        self.sentence.setVisible(bool(why))
        explain_button(self.export, "" if every else NOT_MEASURED, tr("As JSON for a browser's trace viewer"))
        explain_button(self.pause, "" if every else tr("Nothing is measured yet."), PAUSE_TIP)


def _at_once(snapshot: Snapshot) -> int:
    """How many answers the stages compute just now."""
    return max((node.stage.sequences for node in snapshot.nodes if node.stage), default=1) or 1

"""One answer being written: the stream of updates on one side, the answer's view, where it is shown, on the other."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QObject, Signal

from app.core.chat.asking import ask
from app.core.chat.conversation import INTERRUPTED, Turn, WhenFull
from app.core.generation.accounting import account
from app.core.generation.request import GenerationRequest, GenerationUpdate, TokenEvent
from app.core.placement.placement import StageRange
from app.core.snapshot import NodeView, Snapshot
from app.core.text import joined
from app.ui.bridge import CoreBridge
from app.ui.chat.answer import Phase, Running, ended, failed, fold, shares, stopped

if TYPE_CHECKING:
    from app.ui.chat.answer_view import AnswerView

KEPT_EVENTS: Final = 600  # of the latest tokens: what the latency lane shows and the shares are taken from


class Writing(QObject):
    """Reads an answer from the controller, whether or not it is shown.

    Attributes: key and number, which turn of which conversation it is; state; text, all of it; events, the latest
    tokens; stopping, whether Stop was pressed; view, None while the conversation is not shown; earlier, the machines
    as it began; machines, the stages' in order.
    Signals: progressed(Writing), something came; over(Writing), the stream has ended in whatever way.
    """

    progressed = Signal(object)
    over = Signal(object)

    def __init__(
        self,
        bridge: CoreBridge,
        key: str,
        number: int,
        request: GenerationRequest,
        when_full: WhenFull,
        written: str,
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        snapshot: Snapshot = bridge.snapshot
        self.key, self.number = key, number
        self.state = Running(has_text=bool(written))
        self.text = written
        self.events: deque[TokenEvent] = deque(maxlen=KEPT_EVENTS)
        self.stopping = False
        self.view: AnswerView | None = None
        self.earlier: tuple[NodeView, ...] = snapshot.nodes
        self.model = snapshot.deployment.model
        self._bridge = bridge
        self._stages: tuple[StageRange, ...] = ()
        self._stages = self.stages
        limit = snapshot.deployment.context_tokens
        self._stream = bridge.stream(lambda controller: ask(controller, request, limit, when_full))
        self._stream.updates.connect(self._on_updates)
        self._stream.finished.connect(self._on_finished)
        self._stream.failed.connect(self._on_failed)

    def stop(self) -> None:
        """Takes effect at the next token; what came stays."""
        if not self.stopping:
            self.stopping = True
            self._stream.cancel()

    def show_in(self, view: AnswerView | None) -> None:
        """From here on the answer is shown there, beginning with what came so far."""
        self.view = view
        if view is not None:
            view.show_running(self.state, self.text)

    @property
    def stages(self) -> tuple[StageRange, ...]:
        """Where it is computed now: layers may move, and machines be lost, while it is written."""
        deployment = self._bridge.snapshot.deployment
        if deployment.placement is not None and deployment.model == self.model:
            return deployment.placement.stages
        return self._stages

    @property
    def machines(self) -> tuple[str, ...]:
        """By the placement; by the result's own report where there is none (an answer of an attached deployment)."""
        if self._stages:
            return tuple(stage.node for stage in self._stages)
        return tuple(stage.node for stage in self.state.result.stages) if self.state.result else ()

    def turn(self) -> Turn:
        """The answer so far, as it is kept."""
        state = self.state
        outcome = state.outcome if state.phase is Phase.DONE else INTERRUPTED
        figures = state.figures
        if state.phase is Phase.DONE:
            figures = replace(figures, shares=shares(account([tuple(self.events)]), self.machines))
        return Turn("assistant", self.text, figures, outcome, state.problem, joined(state.notes, "\n"))

    def _on_updates(self, updates: tuple[GenerationUpdate, ...]) -> None:
        if self.state.phase is Phase.DONE:
            return
        if self.stages != self._stages:  # the times of other stages say nothing about these
            self._stages = self.stages
            self.events.clear()
        self.events.extend(update for update in updates if isinstance(update, TokenEvent))
        self._show(fold(self.state, updates))
        self.progressed.emit(self)

    def _on_finished(self) -> None:
        self._end(stopped(self.state) if self.stopping else ended(self.state))

    def _on_failed(self, error: BaseException) -> None:
        self._end(failed(self.state, error))

    def _end(self, state: Running) -> None:
        if self.state.phase is not Phase.DONE:
            self._show(state)
        self.over.emit(self)

    def _show(self, state: Running) -> None:
        self.state = state
        self.text += state.fresh
        if self.view is not None:
            self.view.show_running(state, self.text)
            if state.phase is Phase.DONE:
                self.view.show_shares(self.turn().figures.shares)

"""One answer being written: the stream of updates on one side, the answer's view on the other."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal

from app.core.generation.request import GenerationRequest, GenerationUpdate
from app.ui.bridge import CoreBridge
from app.ui.chat.answer import Phase, Running, ended, failed, fold, stopped
from app.ui.chat.message import AnswerView


class Writing(QObject):
    """Reads an answer from the controller into a view.

    Attributes: state; stopping, whether Stop was pressed.
    Signals: progressed(), something came; over(), the stream has ended in whatever way (state says which).
    """

    progressed = Signal()
    over = Signal()

    def __init__(self, bridge: CoreBridge, request: GenerationRequest, view: AnswerView, parent: QObject) -> None:
        super().__init__(parent)
        self.view = view
        self.state = Running()
        self.stopping = False
        self._stream = bridge.stream(lambda controller: controller.generate(request))
        self._stream.updates.connect(self._on_updates)
        self._stream.finished.connect(self._on_finished)
        self._stream.failed.connect(self._on_failed)

    def stop(self) -> None:
        """Takes effect at the next token; what came stays."""
        if not self.stopping:
            self.stopping = True
            self._stream.cancel()

    def _on_updates(self, updates: tuple[GenerationUpdate, ...]) -> None:
        if self.state.phase is not Phase.DONE:
            self._show(fold(self.state, updates))
            self.progressed.emit()

    def _on_finished(self) -> None:
        self._end(stopped(self.state) if self.stopping else ended(self.state))

    def _on_failed(self, error: BaseException) -> None:
        self._end(failed(self.state, error))

    def _end(self, state: Running) -> None:
        if self.state.phase is not Phase.DONE:
            self._show(state)
        self.over.emit()

    def _show(self, state: Running) -> None:
        self.state = state
        self.view.show_running(state)

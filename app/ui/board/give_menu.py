"""The same as a drag, by keyboard: a menu "Give layers 12-17 to" with every other node."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QMenu, QWidget

from app.core.errors import ShardboardError
from app.ui import words
from app.ui.board import words as board_words
from app.ui.board.gesture import Run
from app.ui.board.state import BoardState
from app.ui.text import as_shown, tr
from app.ui.widgets import explain
from app.ui.widgets.labels import plain_tooltip


class GiveMenu(QMenu):
    """Each entry says what the node would then hold; an entry that is not possible says why. Signals: pin_wanted(node),
    the range's own node is to be pinned, or not any more."""

    pin_wanted = Signal(str)

    def __init__(
        self, parent: QWidget, state: BoardState, run: Run, source: str, on_give: Callable[[str], object]
    ) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setToolTipsVisible(True)
        title = self.addAction(tr("Give {layers} to", layers=words.layers(run.first, run.last)))
        title.setEnabled(False)
        title.setToolTip(tr("Choose one of the machines below."))
        for node in state.outlooks:
            if node == source:
                continue
            effect, why_not = _effect(state, run, node)
            action = self.addAction(f"{_plain(node)}   {as_shown(effect)}")
            action.setData(node)
            action.setEnabled(not why_not)
            action.setToolTip(plain_tooltip(why_not))
            action.triggered.connect(lambda _checked=False, node=node: on_give(node))
        if len(self.actions()) == 1:
            none = self.addAction(tr("There is no other machine yet"))
            explain(none, "Add a machine first.")
        own = state.placement.stage_of(source) if source else None
        if own is not None:
            self.addSeparator()
            pinned = source in state.pins
            where = tr("{layers} on {node}", layers=words.layers(own.first, own.last), node=_plain(source))
            pin = self.addAction(f"{tr('Unpin {where}', where=where) if pinned else tr('Pin {where}', where=where)}\tP")
            pin.setToolTip(tr("Balance leaves pinned layers where they are."))
            pin.triggered.connect(lambda _checked=False: self.pin_wanted.emit(source))


def _effect(state: BoardState, run: Run, node: str) -> tuple[str, str]:
    assert state.rules is not None
    try:
        after = state.rules.outlook(state.rules.give(state.placement, node, run))[node]
    except ShardboardError as error:
        return tr("not possible: {cause}", cause=error.cause), str(error)
    return board_words.room_line(after)[0], ""


def _plain(name: str) -> str:
    return name.replace("&", "&&")

"""The placement board: header, strip of layers, places for nodes that hold nothing, and what is wrong, in words."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QPointF, Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QScrollArea, QSizePolicy, QVBoxLayout, QWidget

from app.core.placement.placement import Placement
from app.core.text import joined, phrase
from app.ui.board.block import block_height
from app.ui.board.header import BoardHeader
from app.ui.board.state import BoardState, Outlooks
from app.ui.board.strip import LayerStrip
from app.ui.board.targets import TargetTray
from app.ui.theme.tokens import SPACE
from app.ui.widgets import Banner, Card, ElidedLabel, WrappedLabel, label, set_tone

HINT = phrase("Drag a boundary to resize  ·  drag a range onto a machine")


class PlacementBoard(QWidget):
    """Renders a BoardState. Signals: placement_wanted(Placement), after an edit; previewed(Outlooks | None, target),
    while something is dragged, for node cards outside the board; pin_wanted(node). The header has the others."""

    placement_wanted = Signal(object)
    previewed = Signal(object, str)
    pin_wanted = Signal(str)

    _scroll: QScrollArea | None = None  # None while Qt calls changeEvent before the end of __init__

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state: BoardState | None = None
        self._areas: list[Callable[[QPointF], str]] = []
        self.header = BoardHeader()
        self.banner = Banner()
        self.strip = LayerStrip(self._node_at)
        self.strip.wanted.connect(self.placement_wanted)
        self.strip.previewed.connect(self._on_preview)
        self.strip.noted.connect(self._on_note)
        self.strip.pin_wanted.connect(self.pin_wanted)
        self.tray = TargetTray()
        self.tray.chosen.connect(self.strip.give_selection)
        self._hint = ElidedLabel(HINT, "muted")
        self._hint.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self._hint.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.problems = WrappedLabel(role="danger")
        self.note = WrappedLabel(role="small")
        self.speed = ElidedLabel("", "muted")
        self.news = WrappedLabel(role="warning")
        self.empty = WrappedLabel(role="muted")

        self._scroll = QScrollArea()
        self._scroll.setWidgetResizable(True)
        self._scroll.setFrameShape(QFrame.Shape.NoFrame)
        self._scroll.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._scroll.viewport().setAutoFillBackground(False)
        self._scroll.setWidget(self.strip)
        self.strip.setAutoFillBackground(False)
        self._scroll.setFixedHeight(block_height())
        self._scroll.horizontalScrollBar().rangeChanged.connect(self._on_scroll_range)

        top = QHBoxLayout()
        top.addWidget(label("Layer placement", "heading"))
        top.addWidget(self._hint, 1)
        card = Card()
        card.body.addLayout(top)
        card.body.addWidget(self.empty)
        card.body.addWidget(self._scroll)
        card.body.addWidget(self.tray)
        card.body.addWidget(self.speed)
        card.body.addWidget(self.news)
        card.body.addWidget(self.problems)
        card.body.addWidget(self.note)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(SPACE.m)
        whole.addWidget(self.header)
        whole.addWidget(self.banner)
        whole.addWidget(card)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)

    def add_drop_area(self, node_at: Callable[[QPointF], str]) -> None:
        """Another place to drop layers on: given a global point it names the node there, or ""."""
        self._areas.append(node_at)

    def show_state(self, state: BoardState, deploying: bool = False) -> None:
        self._state = state
        self.header.show_state(state, deploying)
        self.strip.show_state(state)
        if not self.strip.busy:
            self.tray.show_state(state)
        placed = bool(state.model)
        self._scroll.setVisible(placed)
        self._hint.setVisible(placed)
        self.tray.setVisible(placed and bool(self.tray.nodes))
        self.empty.setText(state.hint)
        self.empty.setVisible(bool(state.hint))
        self.problems.setText(joined(state.problems, "\n"))
        self.problems.setVisible(bool(state.problems))
        self.speed.setText(state.speed)
        self.speed.setVisible(placed)
        self.news.setText(state.news)
        self.news.setVisible(bool(state.news))
        self.note.setText(state.deploy_note)
        self.note.setVisible(bool(state.deploy_note) and not state.problems)

    @property
    def hint(self) -> str:
        return self._hint.text()

    def _node_at(self, at: QPointF) -> str:
        finders = (self.strip.node_at, self.tray.node_at, *self._areas)
        return next((node for find in finders if (node := find(at))), "")

    def _on_preview(self, placement: Placement | None, target: str) -> None:
        state = self._state
        if state is None or state.rules is None or placement is None:
            if state is not None:
                self.strip.show_outlooks(state.outlooks, "")
                self.tray.show_outlooks(state.outlooks, "", False)
                self.tray.show_state(state)
                self.speed.setText(state.speed)
            self.previewed.emit(None, "")
            return
        outlooks: Outlooks = state.rules.outlook(placement)
        self.strip.show_outlooks(outlooks, target)
        self.tray.show_outlooks(outlooks, target, True)
        self.speed.setText(state.rules.forecast(placement) or state.speed)
        self.previewed.emit(outlooks, target)

    def _on_note(self, text: str) -> None:
        self._hint.setText(text or HINT)
        set_tone(self._hint, "role", "warning" if text else "muted")

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange and self._scroll is not None:
            self._on_scroll_range(0, self._scroll.horizontalScrollBar().maximum())

    def _on_scroll_range(self, _low: int, high: int) -> None:
        assert self._scroll is not None
        bar = self._scroll.horizontalScrollBar().sizeHint().height() if high > 0 else 0
        self._scroll.setFixedHeight(block_height() + bar)

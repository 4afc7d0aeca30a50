"""The strip: blocks in a row, a handle between each two, and the gestures on them."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from PySide6.QtCore import QPoint, QPointF, QSize, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QScrollArea, QSizePolicy, QWidget

from app.core.errors import ShardboardError
from app.core.placement.placement import Placement
from app.ui.board import geometry, gesture
from app.ui.board.block import StageBlock, block_height
from app.ui.board.boundary import BoundaryHandle
from app.ui.board.gesture import Gesture, Phase, Run
from app.ui.board.ghost import Ghost
from app.ui.board.give_menu import GiveMenu
from app.ui.board.segments import Segment, boundary_range, segments, with_boundary
from app.ui.board.state import BoardState, Outlooks


class LayerStrip(QWidget):
    """Shows a placement and asks for another one.

    Signals: wanted(Placement), the user let go or pressed a key; previewed(Placement | None, target), while
    dragging and None when that ends; noted(str), why something cannot be done, "" to take it back; selection_changed();
    pin_wanted(node), to be pinned, or not any more.
    """

    wanted = Signal(object)
    previewed = Signal(object, str)
    noted = Signal(str)
    selection_changed = Signal()
    pin_wanted = Signal(str)

    def __init__(self, find_target: Callable[[QPointF], str], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._find_target = find_target
        self._state: BoardState | None = None
        self._waiting: BoardState | None = None  # came in while the mouse was busy
        self._draft: Placement | None = None  # shown while a boundary is dragged
        self._outlooks: Outlooks = {}
        self._gesture = Gesture()
        self._parts: tuple[Segment, ...] = ()
        self._ghost: Ghost | None = None
        self.menu: GiveMenu | None = None
        self.blocks: list[StageBlock] = []
        self.handles: list[BoundaryHandle] = []
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    # -- what it shows ------------------------------------------------------------------------------------------------

    @property
    def selection(self) -> Run | None:
        return self._gesture.selection

    @property
    def parts(self) -> tuple[Segment, ...]:
        return self._parts

    @property
    def busy(self) -> bool:
        """The mouse holds something."""
        return self._gesture.phase is not Phase.IDLE or any(handle.dragging for handle in self.handles)

    def show_state(self, state: BoardState) -> None:
        if self.busy:
            self._waiting = state
            return
        self._waiting = None
        focused = next((block.segment.node for block in self.blocks if block.hasFocus()), "")
        if self._state is not None and self._state.placement.layer_count != state.placement.layer_count:
            self._gesture = Gesture()
        self._state = state
        self._outlooks = state.outlooks
        self._draft = None
        self._rebuild()
        if focused:
            again = next((block for block in self.blocks if block.segment.node == focused), None)
            if again is not None and not again.hasFocus() and any(block.hasFocus() for block in self.blocks):
                again.setFocus()

    def show_outlooks(self, outlooks: Outlooks, target: str) -> None:
        """What nodes would hold, while something is dragged; the blocks stay where they are."""
        self._outlooks = outlooks
        self._refresh()
        for block in self.blocks:
            block.set_target(bool(target) and block.segment.node == target)

    def node_at(self, at: QPointF) -> str:
        """The node whose block is below this global point, "" for none."""
        for block in self.blocks:
            local = block.mapFromGlobal(at).toPoint()
            if block.isVisible() and block.visibleRegion().contains(local):
                return block.segment.node
        return ""

    def give_selection(self, node: str) -> None:
        """The selected layers, or those of the focused block, to this node."""
        run = self._gesture.selection or next((block.run for block in self.blocks if block.hasFocus()), None)
        if run is not None:
            self._give(run, node)

    # -- layout -------------------------------------------------------------------------------------------------------

    def _placement(self) -> Placement | None:
        return self._draft or (self._state.placement if self._state is not None else None)

    def _rebuild(self) -> None:
        placement = self._placement()
        self._parts = segments(placement) if placement is not None else ()
        while len(self.blocks) < len(self._parts):
            self.blocks.append(self._new_block())
        while len(self.handles) < len(self._parts) - 1:
            self.handles.append(self._new_handle())
        for block in self.blocks[len(self._parts) :]:
            block.hide()
            block.deleteLater()
        for handle in self.handles[max(0, len(self._parts) - 1) :]:
            handle.hide()
            handle.deleteLater()
        del self.blocks[len(self._parts) :], self.handles[max(0, len(self._parts) - 1) :]
        self._order_tabs()
        self._refresh()
        self._place()

    def _refresh(self) -> None:
        if self._state is None:
            return
        rules, forbidden = self._state.rules, self._state.forbidden
        for block, part in zip(self.blocks, self._parts, strict=True):
            outlook = self._outlooks.get(part.node)
            weights = rules.weights(part.first, part.last) if rules is not None else 0
            pinned, spare = part.node in self._state.pins, self._state.spare_on.get(part.node, "")
            block.show_segment(part, outlook, weights, self._gesture.selection, pinned, spare)
        for index, handle in enumerate(self.handles):
            low, high = boundary_range(self._parts, index)
            handle.show_boundary(self._parts[index], self._parts[index + 1], low, high, forbidden)

    def _place(self) -> None:
        spans = geometry.lay_out([part.layers for part in self._parts], self._room())
        self.setMinimumWidth(min(geometry.least_width(len(spans)), 16000))
        for block, at in zip(self.blocks, spans, strict=True):
            block.setGeometry(at.left, 0, at.width, block_height())
            block.show()
        for handle, at in zip(self.handles, spans[:-1], strict=True):
            handle.setGeometry(at.right, 0, geometry.BOUNDARY, block_height())
            handle.show()

    def _room(self) -> int:
        viewport = self.parentWidget()
        return viewport.width() if viewport is not None and isinstance(viewport.parent(), QScrollArea) else self.width()

    def _order_tabs(self) -> None:
        chain: list[QWidget] = []
        for index, block in enumerate(self.blocks):
            chain.append(block)
            if index < len(self.handles):
                chain.append(self.handles[index])
        for one, two in pairwise(chain):
            QWidget.setTabOrder(one, two)

    def sizeHint(self) -> QSize:
        return QSize(480, block_height())

    def minimumSizeHint(self) -> QSize:
        return QSize(geometry.BLOCK_MINIMUM, block_height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place()

    # -- boundaries ---------------------------------------------------------------------------------------------------

    def _new_handle(self) -> BoundaryHandle:
        handle = BoundaryHandle(self)
        handle.wanted.connect(lambda value, final: self._on_boundary(handle, value, final))
        handle.dragged_to.connect(lambda at: self._on_boundary_dragged(handle, at))
        handle.dropped.connect(self._give_up)
        handle.refused.connect(self.noted)
        return handle

    def _on_boundary_dragged(self, handle: BoundaryHandle, at: QPointF) -> None:
        index = self.handles.index(handle)
        x = self.mapFromGlobal(at).x()
        handle.propose(geometry.boundary_at(x, self._parts, index, self._room()), False)

    def _on_boundary(self, handle: BoundaryHandle, value: int, final: bool) -> None:
        placement = self._placement()
        if placement is None or self._state is None:
            return
        moved = with_boundary(placement, self.handles.index(handle), value)
        if not final:
            if moved != placement:
                self._draft = moved
                self._rebuild()
                self.previewed.emit(moved, "")
            return
        self.previewed.emit(None, "")
        changed = moved != self._state.placement
        self._settle()
        if changed:
            self.wanted.emit(moved)

    # -- ranges -------------------------------------------------------------------------------------------------------

    def _new_block(self) -> StageBlock:
        block = StageBlock(self)
        block.pressed.connect(lambda layer, cells, shift, at: self._on_press(block, layer, cells, shift, at))
        block.moved.connect(lambda at: self._on_move(block, at))
        block.released.connect(lambda _at: self._on_release())
        block.stepped.connect(lambda delta, extend: self._set(gesture.step(self._gesture, delta, block.run, extend)))
        block.all_chosen.connect(lambda: self._set(Gesture(selection=block.run, anchor=block.run.first)))
        block.escaped.connect(self._on_escape)
        block.pin_wanted.connect(lambda: self.pin_wanted.emit(block.segment.node))
        block.menu_wanted.connect(lambda at: self._on_menu(block, at.toPoint()))
        return block

    def _set(self, now: Gesture) -> None:
        changed = now.selection != self._gesture.selection
        self._gesture = now
        if changed:
            self._refresh()
            self.selection_changed.emit()

    def _on_press(self, block: StageBlock, layer: int, cells: bool, shift: bool, at: QPointF) -> None:
        run, source = block.run, block.segment.node
        self._set(gesture.press(self._gesture, (at.x(), at.y()), layer, run, source, cells, shift))

    def _on_move(self, block: StageBlock, at: QPointF) -> None:
        local = block.mapFromGlobal(at)
        over_cells = block.on_cells(local.y()) and local.y() <= block.height() + 4
        carrying = self._gesture.phase is Phase.CARRYING
        before = self._gesture.target
        target = self._find_target(at) if carrying or self._gesture.phase is Phase.PRESSED else ""
        self._set(gesture.move(self._gesture, (at.x(), at.y()), block.layer_at(local.x()), target, over_cells))
        if self._gesture.phase is not Phase.CARRYING:
            return
        if self._ghost is None:
            self._ghost = Ghost(self.window(), self._gesture.run, block, self._weights(self._gesture.run))
            self.setCursor(Qt.CursorShape.ClosedHandCursor)
        self._ghost.follow(at)
        self._scroll_to(at)
        if not carrying or before != self._gesture.target:
            self._preview_drop()

    def _preview_drop(self) -> None:
        target, run = self._gesture.target, self._gesture.run
        placement = self._state.placement if self._state is not None else None
        if not target or run is None or target == self._gesture.source or placement is None:
            self.noted.emit("")
            self.previewed.emit(placement, target or "")
            return
        after = self._given(run, target)
        self.previewed.emit(after if after is not None else placement, target if after is not None else "")

    def _given(self, run: Run, node: str) -> Placement | None:
        state = self._state
        if state is None or state.rules is None:
            return None
        try:
            after = state.rules.give(state.placement, node, run)
        except ShardboardError as error:
            self.noted.emit(str(error))
            return None
        self.noted.emit("")
        return after

    def _on_release(self) -> None:
        now, drop = gesture.release(self._gesture)
        was_carrying = self._gesture.phase is Phase.CARRYING
        self._end_carrying()
        self._set(now)
        if was_carrying:
            self.previewed.emit(None, "")
        self._settle()
        if drop is not None:
            self._give(drop.run, drop.node)

    def _give(self, run: Run, node: str) -> None:
        after = self._given(run, node)
        if after is not None and self._state is not None and after != self._state.placement:
            self._set(Gesture())
            self.wanted.emit(after)
            again = next((block for block in self.blocks if block.segment.node == node), None)
            if again is not None:
                again.setFocus()

    def _on_escape(self) -> None:
        carrying = self._gesture.phase is Phase.CARRYING
        self._end_carrying()
        self._set(gesture.cancel(self._gesture))
        if carrying:
            self._give_up()

    def _give_up(self) -> None:
        self.noted.emit("")
        self.previewed.emit(None, "")
        self._settle()

    def _settle(self) -> None:
        """Back to what the owner wants shown, with what came in meanwhile."""
        self._draft = None
        state = self._waiting or self._state
        if state is not None:
            self.show_state(state)
        for block in self.blocks:
            block.set_target(False)

    def _end_carrying(self) -> None:
        self.unsetCursor()
        if self._ghost is not None:
            self._ghost.hide()
            self._ghost.deleteLater()
            self._ghost = None

    def _on_menu(self, block: StageBlock, at: QPoint) -> None:
        if self._state is None or self._state.rules is None:
            return
        chosen = self._gesture.selection
        run = chosen if chosen is not None and chosen.first in block.run and chosen.last in block.run else block.run
        self.menu = GiveMenu(self, self._state, run, block.segment.node, lambda node: self._give(run, node))
        self.menu.pin_wanted.connect(self.pin_wanted)
        self.menu.popup(at)

    def _weights(self, run: Run | None) -> int:
        if run is None or self._state is None or self._state.rules is None:
            return 0
        return self._state.rules.weights(run.first, run.last)

    def _scroll_to(self, at: QPointF) -> None:
        viewport = self.parentWidget()
        area = viewport.parent() if viewport is not None else None
        if isinstance(area, QScrollArea):
            local = viewport.mapFromGlobal(at)
            if 0 <= local.y() <= viewport.height():
                push = -24 if local.x() < 30 else 24 if local.x() > viewport.width() - 30 else 0
                area.horizontalScrollBar().setValue(area.horizontalScrollBar().value() + push)

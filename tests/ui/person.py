"""Somebody who knows the way around the window, and goes it by mouse and keys."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QPoint, QRect
from PySide6.QtWidgets import QWidget

from app.core.placement.placement import Placement
from app.core.snapshot import DeploymentState, NodeState
from app.ui.board.block import StageBlock
from app.ui.window import MainWindow
from tests.ui.hands import Hands
from tests.ui.house import House


class Person:
    """Knows its way around the window."""

    def __init__(self, hands: Hands, house: House, room: QRect) -> None:
        self.hands = hands
        self.house = house
        self.room = room
        self.window = hands.find(MainWindow)

    # -- what is there ------------------------------------------------------------------------------------------------

    @property
    def placement(self) -> Placement | None:
        """What is on the board."""
        draft = self.window.cluster.draft
        return draft.now.placement if draft else None

    @property
    def deployed(self) -> Placement | None:
        return self.window.bridge.snapshot.deployment.placement

    @property
    def ready(self) -> bool:
        deployment = self.window.bridge.snapshot.deployment
        return deployment.state is DeploymentState.READY and deployment.coming is None

    def states(self) -> dict[str, NodeState]:
        return {node.name: node.state for node in self.window.bridge.snapshot.nodes}

    def all_ready(self, *names: str) -> bool:
        states = self.states()
        return all(states.get(name) is NodeState.READY for name in names)

    def tokens(self) -> int:
        """Of the answer that is being written in the shown conversation."""
        writing = self.window.chat.desk.writing(self.window.chat.conversation.key)
        return len(writing.events) if writing else 0

    def note(self) -> str:
        """What the shown conversation's last answer says about itself."""
        chat = self.window.chat
        writing = chat.desk.writing(chat.conversation.key)
        return " ".join(writing.state.notes) if writing else chat.conversation.shown[-1].note

    # -- going about --------------------------------------------------------------------------------------------------

    def go(self, place: str) -> None:
        self.hands.click(lambda: self.window.side_bar.buttons[place], place)
        self.hands.until(lambda: self.window.place == place, place)

    def to_chat(self) -> None:
        if not self.hands.see(self.window.chat.isVisible):
            self.go("Chat")

    def to_board(self) -> None:
        if not self.hands.see(self.window.cluster.isVisible):
            self.go("Cluster")

    def say(self, text: str) -> None:
        """A message in the shown conversation."""
        chat = self.window.chat
        self.hands.click(lambda: chat.composer.edit, "the message")
        self.hands.until(chat.composer.edit.hasFocus, "the message's focus")
        self.hands.write(text)
        self.hands.until(lambda: chat.composer.draft == text, "what was typed")
        self.hands.until(chat.composer.send.isEnabled, "a model that answers")
        self.hands.press("Return")
        self.hands.until(lambda: chat.composer.draft == "", "the message to go")

    def pair(self, machine: str, code_field: Callable[[], QWidget]) -> None:
        """Types the code that the machine shows."""
        code = self.house.code(machine)
        self.hands.until(lambda: code_field().isVisible() and code_field().hasFocus(), "the code's field")
        self.hands.write(f"{code[:3]} {code[3:]}")

    # -- the board ----------------------------------------------------------------------------------------------------

    def give(self, first: int, last: int, node: str) -> None:
        """Chooses layers by dragging over their cells, and drags them onto the machine's card."""
        board, hands = self.window.cluster.board, self.hands

        def block() -> StageBlock:
            return next(each for each in board.strip.blocks if each.segment.first <= first <= each.segment.last)

        def cell(layer: int) -> QPoint:
            here = block()
            share = (layer - here.segment.first + 0.5) / here.segment.layers
            return here.mapToGlobal(QPoint(round(9 + share * (here.width() - 18)), here.height() - 16))

        hands.click(lambda: board.strip, "the strip", (0.5, 0.1))
        hands.drag(hands.see(lambda: cell(first)), hands.see(lambda: cell(last)))

        def chosen() -> bool:
            run = board.strip.selection
            return run is not None and (run.first, run.last) == (first, last)

        hands.until(chosen, f"layers {first} to {last} to be chosen")
        end = hands.see(lambda: self.window.cluster.card(node).mapToGlobal(QPoint(60, 40)))
        card = self.window.cluster.card(node)

        def carried() -> None:
            hands.until(lambda: card.property("drop") == "target", f"{node} to take the layers")
            hands.photograph("carried")

        hands.drag(hands.see(lambda: cell(first)), end, carried)

        def given() -> bool:
            stage = self.placement.stage_of(node) if self.placement else None
            return stage is not None and stage.first <= first and last <= stage.last

        hands.until(given, f"layers {first} to {last} on {node}")

    def move_boundary(self) -> None:
        """The first one, by a layer, to where there is room."""
        strip, hands = self.window.cluster.board.strip, self.hands

        def step() -> tuple[QPoint, QPoint, int]:
            left, right = strip.blocks[0], strip.blocks[1]
            grows = left.segment.layers <= right.segment.layers
            block = right if grows else left
            cell = (block.width() - 18) / block.segment.layers
            here = strip.handles[0].mapToGlobal(strip.handles[0].rect().center())
            return here, here + QPoint(round(cell if grows else -cell), 0), left.segment.last + (1 if grows else -1)

        begin, end, wanted = hands.see(step)
        hands.drag(begin, end)
        hands.until(lambda: self.placement is not None and self.placement.stages[0].last == wanted, "the boundary")

    def deploy(self) -> None:
        hands, header = self.hands, self.window.cluster.board.header
        hands.click(lambda: header.deploy, "Deploy")

    def deployed_as_placed(self) -> bool:
        return self.ready and self.deployed == self.placement

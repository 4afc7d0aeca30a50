"""The two acts of tests.ui.story: the window's first day, and its second start. Each is a process of its own."""

from __future__ import annotations

import asyncio
import sys
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QRect
from PySide6.QtWidgets import QApplication, QFileDialog

from app.cli.window import begin
from app.core.settings.store import first_start_due
from app.core.snapshot import NodeState
from app.ui.cluster.add_machine import AddMachineDialog
from app.ui.first_start import FirstStartDialog
from app.ui.main import run_window
from shardd.stage.orders import PipelineOptions
from tests.ui.hands import Hands, act
from tests.ui.house import MARGIN, REPO, read_house
from tests.ui.person import Person

if TYPE_CHECKING:
    from app.core.controller import Controller

OWN = "studio"
LAYER_DELAY_MS = 5.0  # an answer takes long enough to look at it
ENOUGH = 5  # tokens of an answer that is well under way
FACTS, SLOW = "What is a shard?", "Why is my answer slow?"
FOX, BOAT, RIVER = (f"Tell me a short story about a {thing}." for thing in ("fox", "boat", "river"))
EXPORTED = "river.md"


# -- the first act ----------------------------------------------------------------------------------------------------


def first_day(person: Person) -> None:
    first_start(person)
    add_machine(person)
    download(person)
    place(person)
    chat(person)
    move_while_answering(person)
    lose_a_machine(person)
    export(person)
    person.to_board()
    person.hands.press("ctrl+q")


def first_start(person: Person) -> None:
    hands, window = person.hands, person.window
    hands.see(lambda: window.setGeometry(person.room))  # as a window manager would
    dialog = hands.find(FirstStartDialog)
    hands.until(lambda: dialog.machine.name.text() == OWN and dialog.machine.memory.text(), "this machine")
    hands.photograph("first-start")
    hands.click(lambda: dialog.next, "Next")
    others, address = dialog.others, person.house.addresses["mini-1"]
    hands.click(lambda: others.address, "the address")
    hands.write(address)
    hands.click(lambda: others.look_button, "Look")
    person.pair("mini-1", lambda: others.rows[address].code)
    hands.photograph("pair-by-code")
    hands.press("Return")
    hands.until(lambda: person.all_ready(OWN, "mini-1") and not others.rows, "mini-1 to be paired")
    hands.photograph("paired")
    hands.click(lambda: dialog.next, "Next")
    hands.until(lambda: any(row.fits for row in dialog.model.rows.values()), "a model that fits")
    hands.photograph("a-model-that-fits")
    hands.click(lambda: dialog.skip, "Skip")
    hands.until(lambda: window.settings.chosen.now.first_start_done, "the first start to be over")


def add_machine(person: Person) -> None:
    hands, cluster = person.hands, person.window.cluster
    person.to_board()
    hands.click(lambda: cluster.add_button, "Add machine")
    dialog = hands.find(AddMachineDialog)
    hands.click(lambda: dialog.address, "the address")
    hands.write(person.house.addresses["mini-2"])
    hands.click(lambda: dialog.look_button, "Look")
    person.pair("mini-2", lambda: dialog.code)
    hands.photograph("add-machine")
    hands.click(lambda: dialog.add_button, "Pair")
    hands.until(lambda: person.all_ready(OWN, "mini-1", "mini-2"), "three machines")
    hands.until(lambda: all(node.memory for node in person.window.bridge.snapshot.nodes), "what they hold")
    hands.photograph("three-machines")


def download(person: Person) -> None:
    hands = person.hands
    person.go("Models")
    models = hands.see(lambda: person.window.models)  # made in the window's thread when it is first looked at
    hands.click(lambda: models.hub_tab, "On the hub")
    hands.click(lambda: models.search, "the search")
    hands.write("shardboard")
    hands.until(lambda: REPO in models.hub.cards and not models.hub.searching, "what the hub has")
    hands.click(lambda: models.hub.cards[REPO].check, "Does it fit?")
    hands.until(lambda: models.hub.cards[REPO].weighed is not None, "whether it fits")
    hands.click(lambda: models.hub.cards[REPO].pull, "Download")

    def under_way() -> bool:
        return any(each.total_bytes and each.done_bytes > each.total_bytes / 3 for each in models.view.downloads)

    hands.until(under_way, "the download")
    hands.photograph("download", at_once=True)
    hands.until(lambda: any(model.name == REPO for model in models.view.models), "the model")
    hands.click(lambda: models.disk_tab, "On this disk")
    hands.click(lambda: models.search, "the search")
    hands.press("ctrl+a", "BackSpace")
    hands.until(lambda: len(models.disk.cards) == 2, "the models on this disk")
    hands.until(lambda: models.disk.card(REPO).fit.text().startswith("Fits"), "whether it fits")
    hands.photograph("on-this-disk")
    hands.click(lambda: models.disk.card(REPO).use, "Place")
    hands.until(lambda: person.window.place == "Cluster" and person.placement is not None, "the board")


def place(person: Person) -> None:
    """By drag, until each machine holds layers: at least one range is carried and one boundary moved."""
    hands = person.hands
    machines = (OWN, "mini-1", "mini-2")

    def without() -> list[str]:
        assert person.placement is not None
        return [name for name in machines if person.placement.stage_of(name) is None]

    missing = hands.see(without) or [machines[-1]]
    for name in missing:
        stages = hands.see(lambda: person.placement.stages if person.placement else ())
        beside = [left for left, right in pairwise(stages) if right.node == name and left.layers > 1]
        giving = beside or [stage for stage in stages if stage.node != name]
        largest = max(giving, key=lambda stage: stage.layers)
        share = max(1, largest.layers // 3)
        person.give(largest.last - share + 1, largest.last, name)
    person.move_boundary()
    hands.until(lambda: not without(), "layers on every machine")
    hands.photograph("placed-by-drag")
    person.deploy()
    hands.until(person.deployed_as_placed, "the deployment")
    hands.photograph("deployed")


def chat(person: Person) -> None:
    """Two conversations; the second one is begun while the first is being answered."""
    hands, window = person.hands, person.window
    person.to_chat()
    person.say(FACTS)
    hands.until(lambda: person.tokens() >= ENOUGH, "an answer")
    first = hands.see(lambda: window.chat.conversation.key)
    hands.click(lambda: window.chat.header.new_button, "New chat")
    hands.click(lambda: window.chat.header.lane_button, "Latency lane")
    person.say(FOX)
    hands.until(lambda: person.tokens() >= 2 * ENOUGH, "another answer")
    hands.photograph("two-answers", at_once=True)
    hands.until(lambda: not window.chat.desk.busy, "both answers")
    kept = hands.see(lambda: window.chat.desk.load(first))
    assert kept is not None and "layer" in kept.turns[-1].text, kept
    hands.photograph("answered")


class Held:
    """Layers that were prepared elsewhere take over when told to: however slow the machine is, answers are being
    written then."""

    def __init__(self, person: Person) -> None:
        self._bridge = person.window.bridge
        self.prepared = False
        self._go: asyncio.Event | None = None
        person.hands.see(lambda: self._bridge.run(self._hold))

    async def _hold(self, controller: Controller) -> None:
        self._go = asyncio.Event()
        busy = controller._serving.busy  # type: ignore[reportPrivateUsage] # as tests/process/test_moving.py does
        while controller.snapshot().deployment.coming is None:
            await asyncio.sleep(0.02)
        async with busy:
            while controller.snapshot().deployment.coming is not None:
                await asyncio.sleep(0.02)
            self.prepared = True
            await self._go.wait()

    def let_go(self) -> None:
        go = self._go
        assert go is not None
        self._bridge.run(lambda _controller: go.set())


def move_while_answering(person: Person) -> None:
    hands, window = person.hands, person.window
    person.to_board()
    held = Held(person)
    person.move_boundary()
    hands.photograph("boundary-moved")
    person.deploy()
    hands.until(lambda: held.prepared, "layers that are prepared beside")
    person.to_chat()
    person.say(BOAT)
    hands.until(lambda: person.tokens() >= ENOUGH, "an answer")
    hands.see(held.let_go)
    hands.until(lambda: "the answer waited" in person.note(), "layers that move")
    hands.photograph("layers-moved", at_once=True)
    hands.until(lambda: person.ready and not window.chat.writing, "the answer's end")
    assert hands.see(person.deployed_as_placed)
    answer = hands.see(lambda: window.chat.conversation.shown[-1])
    assert "happily ever after" in answer.text, answer
    hands.photograph("moved-and-answered")


def lose_a_machine(person: Person) -> None:
    hands, window = person.hands, person.window
    person.to_chat()
    hands.click(lambda: window.chat.header.new_button, "New chat")
    person.say(RIVER)
    hands.until(lambda: person.tokens() >= ENOUGH, "an answer")
    person.house.kill("mini-2")
    person.to_board()
    hands.until(lambda: person.states()["mini-2"] is NodeState.LOST, "mini-2 to be lost")
    hands.photograph("machine-lost", at_once=True)
    hands.until(lambda: person.ready and person.deployed and not person.deployed.stage_of("mini-2"), "the recovery")
    person.to_chat()
    hands.until(lambda: not window.chat.writing, "the answer's end")
    hands.photograph("answer-went-on")
    answer = hands.see(lambda: window.chat.conversation.shown[-1])
    assert "happily ever after" in answer.text and "mini-2" in answer.note, answer
    person.to_board()
    hands.photograph("recovered")


def export(person: Person) -> None:
    hands, window = person.hands, person.window
    person.to_chat()
    hands.press("ctrl+s")
    hands.find(QFileDialog)
    target = Path.home() / EXPORTED
    hands.press("ctrl+a")
    hands.write(str(target))
    hands.photograph("export-dialog")
    hands.press("Return")
    hands.until(lambda: QApplication.activeModalWidget() is None and target.exists(), "the exported file")
    assert "happily ever after" in target.read_text("utf-8")
    hands.until(window.chat.banner.isVisible, "word of the export")
    hands.photograph("exported")


# -- the second act ---------------------------------------------------------------------------------------------------


def started_again(person: Person) -> None:
    hands, window = person.hands, person.window
    hands.until(lambda: window.bridge.started and person.all_ready(OWN, "mini-1"), "the machines")
    assert hands.see(lambda: window.place) == "Cluster" and hands.see(window.geometry) == person.room
    hands.until(lambda: person.ready, "what was deployed")
    assert hands.see(lambda: window.bridge.snapshot.deployment.model) == REPO.rpartition("/")[2]
    hands.photograph("found-again")
    person.to_chat()
    chats = window.chat.options.list
    hands.click(lambda: window.chat.header.list_button, "Conversations")
    hands.until(lambda: chats.isVisible() and chats.rows.count() == 3, "three conversations")
    hands.photograph("conversations")
    hands.write("piece of the model")
    hands.until(lambda: chats.rows.count() == 1, "the one that is searched")
    hands.press("Return")
    hands.until(lambda: FACTS in [turn.text for turn in window.chat.conversation.shown], "the conversation")
    person.say(SLOW)
    hands.until(lambda: window.chat.writing, "an answer")
    hands.until(lambda: not window.chat.writing, "the answer's end")
    assert "slowest stage" in hands.see(lambda: window.chat.conversation.shown[-1].text)
    hands.photograph("goes-on")
    person.to_board()
    views = window.cluster.views
    for name in ("Links", "Shards"):
        hands.click(lambda name=name: views.buttons[name], name)
        hands.until(lambda name=name: views.view == name, name)
        hands.photograph(name.lower())
    person.go("Settings")
    hands.photograph("settings")
    hands.press("ctrl+q")


PLAYS = {"first": first_day, "second": started_again}


def main(name: str, folder: Path, out: Path, size: str, scale: float) -> int:
    width, height = (int(number) for number in size.split("x"))
    house = read_house(folder)
    app = QApplication(sys.argv[:1])
    hands = Hands(app, out, scale)
    first = first_start_due(house.paths)

    def controller() -> Controller:
        from app.core.controller import Controller  # behind the window, as app.cli.window does

        return Controller(
            house.paths,
            local_agents=[OWN],
            agents_folder=house.paths.data / "agent",
            discover=False,
            options=PipelineOptions(layer_delay_ms=LAYER_DELAY_MS),
        )

    def play() -> None:
        PLAYS[name](Person(hands, house, QRect(MARGIN, MARGIN, width, height)))

    ended = act(app, hands, play)
    code = run_window(controller, house.paths, "Shardboard", begin, first)
    return code if not ended() else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4], float(sys.argv[5])))

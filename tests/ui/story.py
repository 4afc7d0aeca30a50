"""The story of the first five minutes in the real window, with real mouse and keyboard events from xdotool.

`python -m tests.ui.story OUT` needs a display (Xvfb will do). It opens the demo, drags a boundary and a range, deploys,
chats, and leaves a picture of every pane, light and dark, large and small, in OUT. Ends with code 0 when all went well.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QEventLoop, QPoint, QTimer
from PySide6.QtWidgets import QApplication, QWidget

from app.cli.window import demo_controller, deploy_built_in
from app.core.paths import ControllerPaths
from app.core.snapshot import DeploymentState
from app.ui.board.block import StageBlock
from app.ui.board.boundary import BoundaryHandle
from app.ui.main import opened
from app.ui.window import PLACES, MainWindow
from shardd.host import private_directory

LARGE, SMALL = (1440, 900), (1024, 700)


class Person:
    """Moves the real pointer and presses real keys."""

    def __init__(self, window: MainWindow, out: Path) -> None:
        self.window = window
        self._out = out

    def pause(self, ms: int) -> None:
        """Lets the window live for a while. (QTest.qWait keeps Python's lock and would starve the core's thread.)"""
        loop = QEventLoop()
        QTimer.singleShot(ms, loop.quit)
        loop.exec()

    def until(self, condition: Callable[[], bool], what: str, seconds: float = 40) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                raise AssertionError(f"waited in vain: {what}")
            self.pause(30)

    def move(self, at: QPoint) -> None:
        self._xdotool("mousemove", str(at.x()), str(at.y()))

    def drag(self, begin: QPoint, end: QPoint) -> None:
        self.move(begin)
        self._xdotool("mousedown", "1")
        for step in range(1, 13):
            self.move(begin + (end - begin) * step / 12)
        self._xdotool("mouseup", "1")
        self.pause(150)

    def click(self, widget: QWidget) -> None:
        self.move(centre(widget))
        self._xdotool("click", "1")
        self.pause(150)

    def write(self, text: str) -> None:
        self._xdotool("type", "--delay", "5", text)

    def press(self, key: str) -> None:
        self._xdotool("key", key)

    def photograph(self, name: str) -> None:
        self.pause(350)
        self.window.grab().save(str(self._out / f"{name}.png"))

    def _xdotool(self, *arguments: str) -> None:
        subprocess.run(["xdotool", *arguments], check=True, timeout=20)
        self.pause(25)


def centre(widget: QWidget, share: float = 0.5) -> QPoint:
    return widget.mapToGlobal(QPoint(round(widget.width() * share), widget.height() // 2))


def blocks(window: MainWindow) -> list[StageBlock]:
    found = [block for block in window.cluster.board.strip.findChildren(StageBlock) if block.isVisible()]
    return sorted(found, key=lambda block: block.x())


def handles(window: MainWindow) -> list[BoundaryHandle]:
    found = [handle for handle in window.cluster.board.strip.findChildren(BoundaryHandle) if handle.isVisible()]
    return sorted(found, key=lambda handle: handle.x())


def ranges(window: MainWindow) -> dict[str, tuple[int, int]]:
    draft = window.cluster.draft
    assert draft is not None
    return {stage.node: (stage.first, stage.last) for stage in draft.history.present.stages}


def ready(window: MainWindow) -> bool:
    return window.bridge.snapshot.deployment.state is DeploymentState.READY


def play(person: Person) -> None:
    window = person.window
    person.until(lambda: ready(window), "the demo's deployment")
    person.pause(500)
    assert ranges(window) == {"mini-1": (0, 3), "mini-2": (4, 7), "mini-3": (8, 11)}
    person.photograph("01-ready")

    # A boundary, with the mouse: mini-1 gives its last layers away.
    handle = handles(window)[0]
    cell = blocks(window)[0].width() // 4
    person.drag(centre(handle), centre(handle) - QPoint(round(cell * 1.6), 0))
    moved = ranges(window)
    assert moved["mini-1"][1] < 3 and moved["mini-2"][0] == moved["mini-1"][1] + 1, moved
    person.photograph("02-boundary-moved")
    person.click(window.cluster.board.header.undo)
    assert ranges(window)["mini-1"] == (0, 3)

    # A range, with the mouse: two layers of mini-2 are chosen and carried onto mini-3.
    block = blocks(window)[1]
    cells = block.mapToGlobal(QPoint(round(block.width() * 0.62), block.height() - 16))
    person.drag(cells, cells + QPoint(round(block.width() * 0.28), 0))
    assert window.cluster.board.strip.selection is not None
    person.drag(cells + QPoint(10, 0), centre(blocks(window)[2]))
    carried = ranges(window)
    assert carried["mini-3"][0] < 8 and carried["mini-2"][1] == carried["mini-3"][0] - 1, carried
    person.photograph("03-range-carried")

    # Deploy: what was staged becomes live.
    epoch = window.bridge.snapshot.deployment.epoch
    person.click(window.cluster.board.header.deploy)
    person.until(lambda: ready(window) and window.bridge.snapshot.deployment.epoch != epoch, "the new deployment")
    placement = window.bridge.snapshot.deployment.placement
    assert placement is not None and {s.node: (s.first, s.last) for s in placement.stages} == carried
    person.photograph("04-deployed")

    # Chat.
    person.click(window.chat.composer.edit)
    person.write("What is a shard?")
    person.press("Return")
    person.until(lambda: window.chat.writing, "an answer to begin")
    person.until(lambda: not window.chat.writing, "the answer's end")
    turns = window.chat.conversation.turns
    assert [turn.role for turn in turns] == ["user", "assistant"], turns
    assert "disk" in turns[1].text or "layer" in turns[1].text, turns[1].text
    assert turns[1].figures.tokens_per_s and turns[1].figures.first_token_ms
    person.until(lambda: all(n.stage and n.stage.compute_ms for n in window.bridge.snapshot.nodes), "measured times")
    print("answer:", turns[1].text)


def gallery(person: Person) -> None:
    """Every place, light and dark, large and small."""
    window = person.window
    for mode in ("dark", "light"):
        window.theme.set_mode(mode)
        for size, word in ((LARGE, "large"), (SMALL, "small")):
            window.resize(*size)
            for place in PLACES:
                window.go(place)
                person.photograph(f"{place.lower()}-{mode}-{word}")
    window.go("Cluster")


def main(out: Path) -> int:
    out.mkdir(parents=True, exist_ok=True)
    app = QApplication(sys.argv[:1])
    with tempfile.TemporaryDirectory() as folder:
        paths = ControllerPaths(private_directory(Path(folder) / "controller"))
        with opened(
            app, lambda: demo_controller(paths, 3), paths, "Shardboard demo", deploy_built_in, "dark"
        ) as window:
            window.resize(*LARGE)
            window.move(0, 0)
            window.show()
            window.activateWindow()
            person = Person(window, out)
            try:
                play(person)
                gallery(person)
            except AssertionError:
                person.photograph("failed")
                for entry in window.bridge.activity:
                    print(entry, file=sys.stderr)
                raise
    return 0


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1])))

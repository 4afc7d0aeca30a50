"""What the window costs: python -m tests.bench.window [start drag stream scroll hour] [--seconds N] [--minutes N]

    start    a cold process, from exec to the first paint of the whole window, and to the core being ready
    drag     a boundary dragged over 16 machines and 128 layers: the time that each frame takes
    stream   200 tokens/s and 4 Hz telemetry of 16 machines together: processor seconds a second of the process
    scroll   a conversation of about 200,000 tokens: opening, wheel turns and jumps
    hour     stream and scroll together for some minutes: the process's memory

The real MainWindow on a core that answers from a script, shown on whatever platform QT_QPA_PLATFORM says. A frame is
the processor time of the window's thread in a sixtieth of a second that begins with an event; 60 a second are possible
where it is below 16.7 ms. Nothing is asserted: figures depend on the machine.
"""

from __future__ import annotations

import argparse
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil
from PySide6.QtCore import QEvent, QEventLoop, QPoint, QPointF, Qt, QTimer
from PySide6.QtGui import QMouseEvent, QWheelEvent
from PySide6.QtWidgets import QApplication

from app.core.chat.conversation import Conversation, Turn, linear
from app.core.chat.shelf import StoreShelf
from app.core.chat.store import ConversationStore
from app.core.paths import ControllerPaths
from app.core.placement.placement import even_split
from app.core.snapshot import DeploymentState, DeploymentView, Snapshot
from app.ui.board.boundary import BoundaryHandle
from app.ui.main import opened
from app.ui.window import MainWindow
from shardd.host import private_directory
from tests.bench.window_core import ScriptedCore, machines, made_up_model
from tests.ui.chat.shots import ANSWER

NODES, LAYERS, CONTEXT = 16, 128, 8192
RATE, TELEMETRY_HZ = 200, 4
MESSAGES = 1000
FRAME_MS = 16
KINDS = ("start", "drag", "stream", "scroll", "hour")


def wait(ms: int) -> None:
    loop = QEventLoop()
    QTimer.singleShot(ms, loop.quit)
    loop.exec()


def spread(name: str, costs_ms: Sequence[float]) -> None:
    ordered = sorted(costs_ms)
    p50, p95 = (ordered[min(len(ordered) - 1, round(share * (len(ordered) - 1)))] for share in (0.5, 0.95))
    late = sum(cost > 1000 / 60 for cost in costs_ms)
    print(
        f"{name}: {len(costs_ms)} frames, p50 {p50:.1f} ms, p95 {p95:.1f} ms, worst {ordered[-1]:.1f} ms, "
        f"{late} longer than 16.7 ms",
        flush=True,
    )


def frame(act: Callable[[], object]) -> float:
    """Processor milliseconds of the window's thread in a sixtieth of a second that begins with an event."""
    began, at = time.thread_time(), time.perf_counter()
    act()
    QApplication.processEvents()
    wait(max(1, FRAME_MS - round((time.perf_counter() - at) * 1000)))
    return (time.thread_time() - began) * 1000


# -- start ------------------------------------------------------------------------------------------------------------


CHILD = """
import sys, time
came = time.time()
sys.argv = ["shardboard"]
from PySide6.QtCore import QEvent, QObject, QTimer
from PySide6.QtWidgets import QApplication
import app.cli.main as cli

class First(QObject):
    window = None
    def eventFilter(self, watched, event):
        if self.window is None and event.type() == QEvent.Type.Paint and watched.inherits("QMainWindow"):
            self.window = watched
            QTimer.singleShot(0, self.painted)
        return False
    def painted(self):
        print("painted", time.time(), came, time.process_time(), flush=True)
        bridge = self.window.bridge
        if bridge.started:
            self.ready()
        else:
            bridge.ready.connect(self.ready)
            bridge.start_failed.connect(lambda error: (print("failed", error, flush=True), self.end()))
    def ready(self):
        print("ready", time.time(), flush=True)
        self.end()
    def end(self):
        QTimer.singleShot(300, self.window.quit if hasattr(self.window, "quit") else QApplication.instance().quit)

app = QApplication(sys.argv)
first = First()
app.installEventFilter(first)
sys.exit(cli.main([]))
"""


def start(tries: int = 5) -> None:
    """The median of a few; each with an empty folder of data and the machine's own agent to start.

    Modules are compiled before, as an installation does it, also where this environment keeps nothing compiled.
    """
    load = os.getloadavg()[0]
    shown: list[float] = []
    ready: list[float] = []
    python: list[float] = []
    used: list[float] = []
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    compiled = tempfile.TemporaryDirectory()
    for number in range(tries + 1):
        with tempfile.TemporaryDirectory() as folder:
            began = time.time()
            child = subprocess.Popen(
                [sys.executable, "-c", CHILD],
                stdout=subprocess.PIPE,
                env={**environment, "SHARDBOARD_DATA": folder, "PYTHONPYCACHEPREFIX": compiled.name},
                text=True,
            )
            try:
                printed = child.communicate(timeout=90)[0]
            except subprocess.TimeoutExpired:
                child.terminate()
                printed = child.communicate()[0]
            for line in printed.splitlines() if number else ():
                word, *times = line.split()
                if word == "painted":
                    shown.append(float(times[0]) - began)
                    python.append(float(times[1]) - began)
                    used.append(float(times[2]))
                elif word == "ready":
                    ready.append(float(times[0]) - began)
    compiled.cleanup()
    if not shown:
        print("start: no window was shown")
        return
    print(
        f"start: first paint after {_middle(shown):.2f} s (of {len(shown)}: {min(shown):.2f} to {max(shown):.2f}; "
        f"Python itself {_middle(python):.2f}), with {_middle(used):.2f} processor seconds; the core ready after "
        f"{_middle(ready):.2f} s; load of this machine before {load:.1f}",
        flush=True,
    )


def _middle(found: Sequence[float]) -> float:
    return sorted(found)[len(found) // 2] if found else math.nan


# -- the window on a script -------------------------------------------------------------------------------------------


def snapshot(tick: int) -> Snapshot:
    nodes = machines(NODES, LAYERS, tick)
    model = made_up_model(LAYERS)
    placement = even_split([node.name for node in nodes], LAYERS, {})
    ready = DeploymentView(DeploymentState.READY, "Ready.", 1, model.name, placement, 300_000)
    return Snapshot(nodes=nodes, model=model, models=(model.name,), deployment=ready)


def drag(window: MainWindow) -> None:
    window.go("Cluster")
    wait(500)
    found = [handle for handle in window.cluster.findChildren(BoundaryHandle) if handle.isVisible()]
    handle = sorted(found, key=lambda each: each.mapToGlobal(QPoint(0, 0)).x())[len(found) // 2]
    middle = QPointF(handle.width() / 2, handle.height() / 2)
    begin = handle.mapToGlobal(middle)

    def mouse(kind: QEvent.Type, offset: float) -> None:
        held = Qt.MouseButton.NoButton if kind is QEvent.Type.MouseButtonRelease else Qt.MouseButton.LeftButton
        button = Qt.MouseButton.NoButton if kind is QEvent.Type.MouseMove else Qt.MouseButton.LeftButton
        at = begin + QPointF(offset, 0)
        local = handle.mapFromGlobal(at)
        event = QMouseEvent(kind, local, at, button, held, Qt.KeyboardModifier.NoModifier)
        QApplication.sendEvent(handle, event)

    places: set[int] = set()
    costs = [frame(lambda: mouse(QEvent.Type.MouseButtonPress, 0))]
    for number in range(240):
        offset = 40 * math.sin(number / 12)
        costs.append(frame(lambda offset=offset: mouse(QEvent.Type.MouseMove, offset)))
        places.add(handle.value())
    costs.append(frame(lambda: mouse(QEvent.Type.MouseButtonRelease, 0)))
    spread(f"drag, {NODES} machines, {LAYERS} layers, {len(places)} places of the boundary", costs)


def stream(window: MainWindow, core: ScriptedCore, seconds: float) -> None:
    window.go("Cluster")
    window.chat.new_chat()
    wait(1000)
    process = psutil.Process()

    def used(what: Callable[[], object], length: float) -> tuple[float, float]:
        before, own, at = process.cpu_times(), time.thread_time(), time.perf_counter()
        what()
        wait(round(length * 1000))
        after, wall = process.cpu_times(), time.perf_counter() - at
        whole = after.user - before.user + after.system - before.system
        return whole / wall, (time.thread_time() - own) / wall

    rest, _ = used(lambda: None, 3)
    core.telemetry(TELEMETRY_HZ, snapshot)
    told, _ = used(lambda: None, 5)
    whole, own = used(lambda: window.chat.send("Go"), seconds)
    tokens = core.sent
    core.telemetry(0, snapshot)
    window.chat.stop()
    wait(500)
    print(
        f"stream: {tokens / seconds:.0f} tokens/s and {TELEMETRY_HZ} Hz of {NODES} machines for {seconds:.0f} s: "
        f"{whole:.2f} processor seconds a second ({own:.2f} the window's thread); telemetry alone {told:.2f}, "
        f"at rest {rest:.2f}",
        flush=True,
    )


def long_conversation(key: str) -> Conversation:
    """About 200,000 tokens: 1,000 messages, 800 kB."""
    answer = (ANSWER * 2)[:1520]
    turns = [
        Turn("user", f"Question {number}: why is it so, and what follows from that for the placement?")
        if number % 2 == 0
        else Turn("assistant", f"Answer {number}.\n\n{answer}\n```\n", outcome="stop")
        for number in range(MESSAGES)
    ]
    return Conversation(key, "A long conversation", turns=linear(turns), leaf=MESSAGES - 1)


def scroll(window: MainWindow, shelf: StoreShelf, quiet: bool = False) -> None:
    window.go("Chat")
    window.chat.new_chat()
    wait(300)
    conversation = long_conversation("long")
    shelf.save(conversation)
    began, at = time.thread_time(), time.perf_counter()
    window.chat.open("long")
    QApplication.processEvents()
    opening, wall = time.thread_time() - began, time.perf_counter() - at
    wait(300)
    bar, area = window.chat.transcript.verticalScrollBar(), window.chat.transcript.viewport()

    def turn(down: int) -> None:
        middle = QPointF(area.width() / 2, area.height() / 2)
        event = QWheelEvent(
            middle, area.mapToGlobal(middle), QPoint(0, 0), QPoint(0, -down), Qt.MouseButton.NoButton,
            Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
        )  # fmt: skip
        QApplication.sendEvent(area, event)

    up = [frame(lambda: turn(-120)) for _ in range(400)]
    fast = [frame(lambda: turn(-600)) for _ in range(120)]
    down = [frame(lambda: turn(120)) for _ in range(200)]
    jumps = [frame(lambda share=number / 40: bar.setValue(round(bar.maximum() * share))) for number in range(40)]
    live = len(window.chat.transcript.live)
    if not quiet:
        size = sum(len(each.text) for each in conversation.turns)
        print(
            f"scroll: {MESSAGES} messages, {size:,} characters, opened in {opening * 1000:.0f} ms of processor time "
            f"({wall * 1000:.0f} ms), {live} widgets of messages at the end",
            flush=True,
        )
        spread("scroll, wheel up", up)
        spread("scroll, five steps at once", fast)
        spread("scroll, wheel down again", down)
        spread("scroll, jumps by the bar", jumps)


def hour(window: MainWindow, core: ScriptedCore, shelf: StoreShelf, minutes: float) -> None:
    process = psutil.Process()
    ends = time.monotonic() + 60 * minutes
    print(f"memory: {process.memory_info().rss / 1e6:.0f} MB before", flush=True)
    core.telemetry(TELEMETRY_HZ, snapshot)
    highest = 0.0
    while time.monotonic() < ends:
        window.go("Cluster")
        window.chat.new_chat()
        window.chat.send("Go")
        wait(20_000)
        highest = max(highest, process.memory_info().rss / 1e6)
        scroll(window, shelf, quiet=True)
        highest = max(highest, process.memory_info().rss / 1e6)
        window.chat.open("long")
        window.chat.delete("long")
        print(f"memory: {process.memory_info().rss / 1e6:.0f} MB", flush=True)
    core.telemetry(0, snapshot)
    print(
        f"memory: after {minutes:.0f} minutes {process.memory_info().rss / 1e6:.0f} MB, at most {highest:.0f} MB "
        f"(own memory {process.memory_full_info().uss / 1e6:.0f} MB)",
        flush=True,
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kinds", nargs="*", default=[*KINDS[:-1]], choices=KINDS)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--minutes", type=float, default=5.0)
    given = parser.parse_args()
    if "start" in given.kinds:
        start()
    if not {*given.kinds} - {"start"}:
        return 0
    app = QApplication([])
    with tempfile.TemporaryDirectory() as folder:
        paths = ControllerPaths(private_directory(Path(folder) / "controller"))
        core = ScriptedCore(snapshot(0), (ANSWER + "\n\n") * 400, RATE)
        store = ConversationStore(paths.conversations)
        try:
            with opened(app, lambda: core, paths, "Shardboard", None, "dark") as window:
                window.resize(1440, 900)
                window.show()
                wait(1000)
                for kind in given.kinds:
                    match kind:
                        case "drag":
                            drag(window)
                        case "stream":
                            stream(window, core, given.seconds)
                        case "scroll":
                            scroll(window, StoreShelf(store))
                        case "hour":
                            hour(window, core, StoreShelf(store), given.minutes)
        finally:
            store.close()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

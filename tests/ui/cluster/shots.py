"""Pictures of every state of the Cluster place, to be looked at: python -m tests.ui.cluster.shots DIRECTORY"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from app.core.controller import Controller, NodeMove
from app.core.paths import controller_paths
from app.core.placement.saved import SavedPlacement
from app.core.snapshot import (
    ActivityEntry,
    DeploymentState,
    Level,
    NodeState,
    Snapshot,
    SparesView,
    SpareView,
    TransferView,
)
from app.ui.bridge import CoreBridge
from app.ui.theme import Theme
from app.ui.window import MainWindow
from tests.ui.cluster.made_up import GB, cluster, node

THREE = ("studio-a", "mini-1", "mini-2")
SIXTEEN = tuple(f"mini-{number}" for number in range(1, 17))
SIZES = ((1440, 900), (1024, 700))


def show(window: MainWindow, snapshot: Snapshot) -> None:
    window.bridge.snapshot = snapshot
    window.bridge.snapshot_changed.emit(snapshot)
    QApplication.processEvents()


def lively(window: MainWindow, snapshot: Snapshot) -> None:
    """Five minutes of history on every card."""
    for name in [each.name for each in snapshot.nodes]:
        card = window.cluster.card(name)
        view = snapshot.node(name)
        assert view is not None
        for second in range(300):
            stage = view.stage
            if stage and stage.compute_ms:
                wave = 9 + (second * 7 % 11) / 4
                stage = replace(stage, compute_ms=replace(stage.compute_ms, p50=wave), sequences=int(second % 90 > 20))
            card.history.add(replace(view, stage=stage), float(second))
        card.memory_line.show_values(card.history.memory, 1.0)
        card.compute_line.show_values(card.history.compute_ms)
        card.hop_line.show_values(card.history.hop_ms)


def states(window: MainWindow) -> Iterator[str]:
    """Makes each state and names it."""
    page = window.cluster
    three = replace(
        cluster(THREE, 64),
        saved=(SavedPlacement("Both", "Qwen3-32B-4bit", cluster(THREE, 64).deployment.placement, 4096),),
    )  # type: ignore[arg-type]
    show(window, three)
    lively(window, three)
    yield "three-running"
    board = page.board
    handle = board.strip.handles[0]
    handle.setFocus()
    for _ in range(4):
        QTest.keyClick(handle, Qt.Key.Key_PageUp)
    page.toggle_pin("mini-1")
    page._moves = (NodeMove("mini-1", 4_100_000_000, 5 * GB, 0, 1),)
    page._moves_for = (three.model.name, page.draft.now.placement, {n.name: n.shards for n in three.nodes})  # type: ignore[union-attr]
    page.board.header.spares.click()
    page._show_board()
    yield "three-staged"
    block = board.strip.blocks[0]
    QTest.mousePress(block, Qt.MouseButton.LeftButton, pos=QPoint(20, 20))
    target = board.tray.target("mini-2")
    for spot in (QPoint(60, 40), block.mapFromGlobal(target.mapToGlobal(target.rect().center()))):
        QTest.mouseMove(block, spot)
        QApplication.processEvents()
    yield "three-carrying"
    QTest.keyClick(block, Qt.Key.Key_Escape)
    QTest.mouseRelease(block, Qt.MouseButton.LeftButton)
    page.views.show_view("Links")
    yield "three-links"
    spares = SparesView(True, "Spares are kept.", (SpareView("mini-1", 0, 31, "studio-a", GB, False),))
    moving = tuple(
        replace(each, transfer=TransferView("sending", 2_300_000_000, 4_100_000_000, 112e6))
        if each.name == "mini-2"
        else each
        for each in three.nodes
    )
    deploying = replace(
        three.deployment,
        state=DeploymentState.READY,
        text="Layers 28 to 31 move to mini-2. Answers go on meanwhile.",
        coming=three.deployment.placement,
    )
    show(window, replace(three, nodes=moving, deployment=deploying, spares=spares))
    page.views.show_view("Shards")
    yield "three-transfer"
    page.views.show_view("Activity")
    lost = tuple(node("mini-1", state=NodeState.LOST) if each.name == "mini-1" else each for each in three.nodes)
    recovering = replace(
        three.deployment,
        state=DeploymentState.DEPLOYING,
        text="Recovering. mini-1 does not answer at 192.0.2.7:8101. It may be asleep.",
    )
    show(window, replace(three, nodes=lost, deployment=recovering))
    yield "three-lost"
    sixteen = cluster(SIXTEEN, 128, model="DeepSeek-V3-4bit")
    show(window, sixteen)
    lively(window, sixteen)
    yield "sixteen-running"
    page.views.show_view("Links")
    yield "sixteen-links"
    page.views.show_view("Shards")
    yield "sixteen-shards"
    page.views.show_view("Activity")
    show(window, Snapshot())
    yield "empty"


def main(out: Path) -> int:
    out.mkdir(parents=True, exist_ok=True)
    app = QApplication.instance() or QApplication(sys.argv[:1])
    assert isinstance(app, QApplication)
    for mode in ("dark", "light"):
        theme = Theme(app, mode)  # type: ignore[arg-type]
        with tempfile.TemporaryDirectory() as folder:
            paths = controller_paths(Path(folder))
            bridge = CoreBridge(partial(Controller, paths))
            window = MainWindow(bridge, theme, paths, "Shardboard", lambda: "ab" * 32)
            for number, text in enumerate(("agent 0.1.0 ready, 64 GB", "mini-2 sends", "memory pressure, 0.6 GB left")):
                level = Level.WARNING if number == 2 else Level.INFO
                entry = ActivityEntry(number + 1, 1_700_000_000.0 + number, level, THREE[number], text)
                window.bridge.activity.append(entry)
                window.bridge.activity_added.emit(entry)
            window.show()
            for size in SIZES:
                window.resize(*size)
                QApplication.processEvents()
                for name in states(window):
                    QTest.qWait(30)
                    window.grab().save(str(out / f"{name}-{mode}-{size[0]}.png"))
                window.cluster._edited = False
            window.close()
    return 0


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1])))

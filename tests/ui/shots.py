"""Pictures of what the story (tests.ui.story) does not come by, to be looked at: every page, dialog and menu.

`python -m tests.ui.shots OUT [--light] [--size 1440x900] [--text 1.5]`; works offscreen. The machines and models are
made up, the window is the real one.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from PySide6.QtWidgets import QApplication, QMenu, QWidget

from app.core.chat.conversation import Attachment, Conversation, Figures, Problem, Turn
from app.core.library.conversions import Conversion
from app.core.library.models import FoundModel
from app.core.library.queue import Download
from app.core.library.view import LibraryView
from app.core.paths import controller_paths
from app.core.placement.saved import SavedPlacement
from app.core.snapshot import ActivityEntry, DeploymentState, DiscoveredAgent, Level, Snapshot
from app.ui.cluster.node_card import NodeCard
from app.ui.models.ask import ask
from app.ui.theme import Theme
from app.ui.window import MainWindow
from tests.made_up_models import GB
from tests.ui.cluster import shots as cluster_shots
from tests.ui.cluster.made_up import cluster
from tests.ui.scenes import pause, scenes
from tests.ui.states import made_up_window, show

FIVE = ("studio-a", "mini-1", "mini-2", "air-kit", "mini-in-the-kitchen")
SETTLED_MS = 60


def five() -> Snapshot:
    """Five machines that run a model, one of them with layers to spare; two agents that are not paired."""
    snapshot = cluster(FIVE, 64)
    placement = snapshot.deployment.placement
    assert placement is not None
    found = tuple(DiscoveredAgent(f"macbook-{n}", f"192.0.2.{n}:8101", f"{n}" * 64, "0.1.0") for n in (7, 8))
    kept = tuple(SavedPlacement(name, "Qwen3-32B-4bit", placement, 4096) for name in ("All five", "Without the air"))
    return replace(snapshot, discovered=found, saved=kept)


def library(folder: Path) -> LibraryView:
    """Downloads and copies in every state, and models of every source."""
    gigabytes = {"Qwen3-32B-4bit": 18.4, "Llama-3.2-3B-Instruct": 6.4, "gemma-3-27b-it-qat-4bit": 16.8}
    states = {
        "queued": "Waiting for its turn.",
        "running": "Downloading.",
        "waiting": "The hub does not answer. Trying again in 8 s.",
        "verifying": "Comparing what came with the hub's checksums.",
        "paused": "Paused. What came is kept.",
        "failed": "The disk is full: 3.1 GB are missing in this folder. Free some room, then press Resume.",
        "done": "It is here: 4.0 GB, 4.0 GB of it fetched now.",
    }
    downloads = tuple(
        Download(f"mlx-community/Mistral-Small-{n}", None, state, GB, 4 * GB, GB, 81e6, 38.0, text)
        for n, (state, text) in enumerate(states.items(), 1)
    )
    sources = ("Shardboard", "Hugging Face cache", "LM Studio")
    models = tuple(
        FoundModel(f"mlx-community/{name}", folder / name, round(size * GB), source)
        for (name, size), source in zip(gigabytes.items(), sources, strict=True)
    )
    copies = (
        Conversion("Llama-3.2-3B-Instruct-4bit", folder / "a", 4, "running", GB, 2 * GB, "Quantising layer 14 of 28."),
        Conversion("gemma-3-27b-it-8bit", folder / "b", 8, "failed", 0, 0, "Its process ended. It ran out of memory."),
    )
    return LibraryView(models, downloads, copies, (folder,), folder, 212 * GB, True)


def conversation() -> Conversation:
    shares = (("studio-a", 0.41), ("mini-1", 0.31), ("mini-2", 0.28))
    figures = Figures(21.3, 412.0, 186, 40, 3, shares)
    notes = Attachment("placement_notes_of_november.md", "words " * 900)
    problem = Problem("mini-1 ran out of memory while it computed layers 16 to 31.", "Move layers away from it.")
    words = "A pipeline splits a model **by depth**: each Mac holds a contiguous range of layers.\n\n"
    rows = (
        "| stage | layers | hop |",
        "| --- | --- | ---: |",
        "| studio-a | 0-15 | 0.4 ms |",
        "| mini-1 | 16-31 | 1.9 ms |",
    )
    turns = (
        Turn("user", "How does splitting a model across Macs change token latency?", follows=-1),
        Turn("assistant", words + "\n".join(rows), figures, "stop", follows=0),
        Turn("user", "What do my notes say of it?", follows=1, attachments=(notes,)),
        Turn("assistant", "They say that the slowest stage", figures, "error", problem, follows=2),
    )
    return Conversation("c1", "Pipeline stages", turns=turns, leaf=3)


def more_scenes(window: MainWindow) -> Iterator[tuple[str, QWidget]]:
    """What tests.ui.scenes has not: menus, errors, what is further down."""
    page = window.cluster
    window.go("Cluster")
    menus = {"saved placements": page.board.header.saved.menu_of_saved(), "chat": window.chat.header.menu()}
    card = page.findChildren(NodeCard)[0]
    menus["a machine"] = card.menu()
    menus |= {f"menu {each.text().replace('&', '')}": each.menu() for each in window.menuBar().actions()}
    for name, menu in menus.items():
        assert isinstance(menu, QMenu)
        menu.aboutToShow.emit()
        menu.popup(window.mapToGlobal(window.rect().center()))
        yield name, menu
        menu.close()
    page.board.banner.show_message("studio-a cannot hold layers 0 to 47.", "Move 3 layers to mini-1, or Balance.")
    yield "cluster error", window
    page.board.banner.hide()
    question = ask(
        window, "Delete Qwen3-32B-4bit?", "18.4 GB are deleted from this disk.", "Delete 18.4 GB", lambda: None
    )
    yield "a question of deletion", question
    question.close()
    window.go("Settings")
    bar = window.settings.findChildren(QWidget, "qt_scrollarea_viewport")[0].parent().verticalScrollBar()  # type: ignore[union-attr]
    for part in (1, 2):
        bar.setValue(bar.maximum() * part // 2)
        yield f"settings {part + 1}", window


def in_progress(snapshot: Snapshot) -> Iterator[tuple[str, Snapshot]]:
    text = "Layers 28 to 31 move to mini-2. Answers go on meanwhile."
    coming = replace(snapshot.deployment, text=text, coming=snapshot.deployment.placement)
    yield "beside", replace(snapshot, deployment=coming)
    failed = replace(snapshot.deployment, state=DeploymentState.FAILED, text="No placement fits: 4.1 GB are missing.")
    yield "failed", replace(snapshot, deployment=failed)
    yield "nothing", Snapshot()


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.ui.shots", description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--light", action="store_true")
    parser.add_argument("--size", default="1440x900", metavar="WIDTHxHEIGHT")
    parser.add_argument("--text", type=float, default=1.0, help="size of text, 1 being the usual")
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    width, height = (int(number) for number in options.size.split("x"))
    app = QApplication.instance() or QApplication(sys.argv[:1])
    assert isinstance(app, QApplication)
    theme = Theme(app, "light" if options.light else "dark")
    theme.set_scale(options.text)
    numbers: dict[str, int] = {}

    def keep(name: str, top: QWidget) -> None:
        pause(SETTLED_MS)
        plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
        numbers[plain] = numbers.get(plain, 0) + 1
        top.grab().save(str(options.out / (f"{plain}.png" if numbers[plain] == 1 else f"{plain}-{numbers[plain]}.png")))

    with (
        tempfile.TemporaryDirectory() as folder,
        made_up_window(app, controller_paths(Path(folder) / "w"), theme, conversation()) as window,
    ):
        window.resize(width, height)
        snapshot = five()
        show(window, snapshot)
        cluster_shots.lively(window, snapshot)
        for number, (node, text) in enumerate((("studio-a", "Ready: M4 Pro, shardd 0.1.0."), ("mini-2", LONG)), 1):
            entry = ActivityEntry(number, 1_700_000_000.0 + number, list(Level)[number - 1], node, text)
            window.bridge.activity.append(entry)
            window.bridge.activity_added.emit(entry)
        window.models.show_view(library(Path(folder)))
        window.chat.open("c1")
        for name, top, _close in scenes(window):
            keep(name, top)
        for name, top in more_scenes(window):
            keep(name, top)
        window.go("Cluster")
        for name, changed in in_progress(snapshot):
            show(window, changed)
            keep(f"cluster {name}", window)
    return 0


LONG = (
    "mini-2 has 0.6 GB of memory left, and the next answer may need 0.9 GB of it. Move layers away from it, or choose "
    "a smaller context."
)

if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

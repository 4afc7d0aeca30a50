"""The whole window without a core behind it: machines, models and conversations made by hand, in states that differ."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator
from dataclasses import replace
from pathlib import Path

from PySide6.QtWidgets import QApplication

from app.core.chat.conversation import Conversation, Figures, Problem, Turn
from app.core.chat.shelf import StoreShelf
from app.core.chat.store import ConversationStore
from app.core.cluster.node import explain_loss
from app.core.controller import Controller
from app.core.library.conversions import Conversion
from app.core.library.models import FoundModel
from app.core.library.queue import Download
from app.core.library.view import LibraryView
from app.core.paths import ControllerPaths
from app.core.snapshot import ActivityEntry, DeploymentState, DiscoveredAgent, Level, Snapshot, TransferView
from app.core.text import joined, phrase
from app.ui.bridge import CoreBridge
from app.ui.theme import Theme
from app.ui.window import MainWindow
from shardd.identity.probe import ProbeOutcome
from tests.made_up_models import GB
from tests.ui.cluster.made_up import cluster

NAMES = ("4711", "4712", "4713")  # no letters: what is data is told from words
MODEL = "1"
REPO = "0/1"


def nothing() -> Snapshot:
    return Snapshot()


def not_deployed() -> Snapshot:
    found = (DiscoveredAgent("4719", "10.0.0.9:8101", "ab" * 32, "0.1"),)
    return replace(cluster(NAMES, 12, deployed=False, model=MODEL), models=(MODEL,), discovered=found)


def deployed() -> Snapshot:
    snapshot = cluster(NAMES, 12, model=MODEL)
    runs = phrase("{model} runs on {stages} machines.", model=MODEL, stages=2)
    return replace(snapshot, models=(MODEL,), deployment=replace(snapshot.deployment, text=runs))


def busy() -> Snapshot:
    """Being deployed: something is sent to every machine."""
    snapshot = deployed()
    sending = TransferView("sending", GB, 4 * GB, 110e6)
    view = replace(snapshot.deployment, state=DeploymentState.DEPLOYING, text=phrase("Deploying."))
    return replace(snapshot, nodes=tuple(replace(each, transfer=sending) for each in snapshot.nodes), deployment=view)


def lost() -> Snapshot:
    """A machine is away, and the deployment with it."""
    snapshot = deployed()
    state, text = explain_loss(ProbeOutcome.SILENT, True, NAMES[0], "10.0.0.7:8101")
    gone = replace(snapshot.nodes[0], state=state, state_text=text, memory=None, stage=None)
    waits = phrase("The answer goes on when {node} is back or there is room.", node=NAMES[0])
    view = replace(snapshot.deployment, state=DeploymentState.FAILED, text=joined((text, waits)))
    return replace(snapshot, nodes=(gone, *snapshot.nodes[1:]), deployment=view)


STATES: dict[str, Callable[[], Snapshot]] = {
    "no machine": nothing,
    "nothing deployed": not_deployed,
    "deployed": deployed,
    "busy": busy,
    "a machine is lost": lost,
}


def library(folder: Path) -> LibraryView:
    """Models of every source, downloads and conversions in every state."""
    states = ("queued", "running", "waiting", "verifying", "paused", "failed", "done")
    models = tuple(
        FoundModel(f"{number}/1", folder / str(number), GB, source)
        for number, source in enumerate(("built-in", "Shardboard", "folder", "LM Studio"), 5)
    )
    downloads = tuple(Download(f"{n}/2", None, state, GB, 4 * GB, GB, 8e6, 40.0) for n, state in enumerate(states))
    copies = tuple(Conversion(f"{n}/3", folder / str(n), 4, s) for n, s in enumerate(("queued", "running", "failed")))
    return LibraryView(models=models, downloads=downloads, conversions=copies, looked=True, root=folder)


def conversation() -> Conversation:
    shares = ((NAMES[0], 0.4), (NAMES[1], 0.5))
    figures = Figures(21.0, 412.0, 186, 40, 2, shares)
    problem = Problem("4711: 4712.", "4713.")  # what was stored stays in the words it was told in
    turns = (
        Turn("user", "1 + 1?", follows=-1),
        Turn("assistant", "2", figures, "length", follows=0),
        Turn("user", "2 + 2?", follows=1),
        Turn("assistant", "4", figures, "error", problem, follows=2),
    )
    return Conversation("c1", "1 + 1?", turns=turns, leaf=3)


def _told(snapshot: Snapshot) -> Snapshot:
    """The sentences that the core would say, which know how they were made."""
    ready = phrase("Ready.")
    nodes = tuple(replace(each, state_text=ready) if each.state_text == ready else each for each in snapshot.nodes)
    return replace(snapshot, nodes=nodes)


def show(window: MainWindow, snapshot: Snapshot) -> None:
    window.bridge.snapshot = _told(snapshot)
    window.bridge.snapshot_changed.emit(window.bridge.snapshot)


def tell(window: MainWindow) -> None:
    """An entry of each level in the activity."""
    for number, level in enumerate(Level, 1):
        entry = ActivityEntry(number, 0.0, level, NAMES[0], phrase("{name} is unpaired.", name=NAMES[0]))
        window.bridge.activity.append(entry)
        window.bridge.activity_added.emit(entry)


@contextlib.contextmanager
def made_up_window(
    app: QApplication, paths: ControllerPaths, theme: Theme | None = None, kept: Conversation | None = None
) -> Generator[MainWindow]:
    """Its bridge is never started: what is asked of the core stays under way, as an answer that is being written."""
    store = ConversationStore(paths.conversations)
    StoreShelf(store).save(kept or conversation())
    store.close()
    theme = theme or Theme(app, "light")
    window = MainWindow(CoreBridge(lambda: Controller(paths)), theme, paths, "Shardboard", lambda: "7" * 64)
    try:
        window.resize(1440, 900)
        window.show()
        yield window
    finally:
        window.close()
        window.bridge.close()
        window.release()
        window.deleteLater()
        app.processEvents()

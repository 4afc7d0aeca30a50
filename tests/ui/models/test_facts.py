"""What the Models page says of a model, as tables."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.core.library.conversions import Conversion
from app.core.library.fits import Fit
from app.core.library.hub import HubModel
from app.core.library.library import Download, LibraryView
from app.core.library.models import FoundModel
from app.core.placement.budget import Needs
from app.core.placement.plan import PlannedStage
from app.core.placement.solver import NodeCapacity
from app.core.snapshot import DeploymentState, DeploymentView, NodeView, ShardView, Snapshot
from app.ui.bridge import CoreBridge
from app.ui.models import facts
from app.ui.models.disk_pane import DiskPane
from app.ui.models.facts import Cluster
from app.ui.models.outlook import Outlook
from tests.made_up_nodes import node

GB = 10**9
STAGES = tuple(PlannedStage(f"mini-{n}", 4 * n, 4 * n + 3, Needs(GB, GB // 10, GB // 10), GB) for n in range(3))
MODEL = HubModel("mlx-community/Qwen3-4bit", 1234, 5, "2026-05-01", GB, "4-bit", "mit", False)
FOUND = FoundModel("mlx-community/Qwen3-4bit", Path("models/mlx-community/Qwen3-4bit"), GB, "Shardboard")


@pytest.mark.parametrize(
    ("fit", "text", "tone"),
    [
        (None, facts.NO_MACHINES, "muted"),
        (Fit(8192, STAGES, 14.2), "Fits: 3 machines, 8k context, about 14 tokens/s", "success"),
        (Fit(8192, STAGES[:1], 3.14), "Fits: 1 machine, 8k context, about 3.1 tokens/s", "success"),
        (Fit(1500, STAGES), "Fits: 3 machines, 1,500-token context", "success"),
        (Fit(2048, why_not="12 GB are missing."), "Does not fit. 12 GB are missing.", "warning"),
    ],
)
def test_fit(fit: Fit | None, text: str, tone: str) -> None:
    said = facts.fit_said(fit)
    assert (said.text, said.tone) == (text, tone)
    assert (facts.NO_SPEED in said.tip) is bool(fit and fit.stages and not fit.tokens_per_s)


def holding(name: str, *shards: tuple[str, int, int, int]) -> NodeView:
    views = tuple(ShardView(str(n), model, *rest, loaded=False) for n, (model, *rest) in enumerate(shards))
    return node(name, shards=views)


def test_what_machines_hold() -> None:
    snapshot = Snapshot(
        nodes=(
            holding("ada", ("m", 0, 3, 2 * GB), ("m", 4, 5, GB)),
            holding("bob", ("m", 0, 3, 2 * GB), ("m", 2, 5, 2 * GB), ("other", 0, 1, GB)),
            holding("cyd"),
        )
    )
    held = facts.held(snapshot)
    assert facts.held_words(held["m"]) == "On machines: ada 3.0 GB, bob up to 4.0 GB"
    assert facts.held_words(held["other"]) == "On machines: bob 1.0 GB"
    assert facts.held_words(()) == "On no machine yet"


def deployed(model: str) -> Snapshot:
    return Snapshot(deployment=DeploymentView(DeploymentState.READY, "", 1, model, None, 4096))


@pytest.mark.parametrize(
    ("source", "snapshot", "why_not"),
    [
        ("Shardboard", Snapshot(), ""),
        ("folder", Snapshot(), ""),
        ("built-in", Snapshot(), "belongs to Shardboard"),
        ("LM Studio", Snapshot(), "another program (LM Studio)"),
        ("Shardboard", deployed("Qwen3-4bit"), "is deployed"),
        ("Shardboard", deployed("another"), ""),
    ],
)
def test_why_a_model_cannot_be_deleted(source: str, snapshot: Snapshot, why_not: str) -> None:
    said = facts.remove_why_not(replace(FOUND, source=source), snapshot, LibraryView())
    assert why_not in said and bool(said) is bool(why_not)


def test_a_model_that_is_being_copied_is_not_deleted() -> None:
    making = LibraryView(conversions=(Conversion(FOUND.name, FOUND.directory, 4),))
    assert "copy of it is being made" in facts.remove_why_not(FOUND, Snapshot(), making)


def test_models_that_only_machines_hold_are_listed(qtbot: QtBot, qapp: QApplication) -> None:
    outlook = Outlook(CoreBridge(lambda: None))  # type: ignore[arg-type, return-value]
    pane = DiskPane(outlook)
    qtbot.addWidget(pane)
    pane.show()
    pane.show_view(LibraryView(models=(FOUND,), looked=True))
    pane.show_snapshot(Snapshot(nodes=(holding("ada", ("gone", 0, 3, GB), ("Qwen3-4bit", 0, 3, 2 * GB)),)))
    assert pane.elsewhere.isVisible() and pane.elsewhere_text.text() == "gone: ada 1.0 GB"
    assert pane.card(FOUND.name).held.text() == "On machines: ada 2.0 GB"


@pytest.mark.parametrize(
    ("model", "view", "token", "word", "why_not"),
    [
        (MODEL, LibraryView(), False, "Download", ""),
        (MODEL, LibraryView(models=(FOUND,)), False, "On this disk", "on this disk"),
        (MODEL, LibraryView(downloads=(Download(MODEL.repo),)), False, "In the queue", "queued"),
        (MODEL, LibraryView(downloads=(Download(MODEL.repo, state="failed"),)), False, "In the queue", "failed"),
        (MODEL, LibraryView(downloads=(Download(MODEL.repo, state="done"),)), False, "Download", ""),
        (replace(MODEL, gated=True), LibraryView(), False, "Download", "gated"),
        (replace(MODEL, gated=True), LibraryView(), True, "Download", ""),
    ],
)
def test_what_the_download_button_says(
    model: HubModel, view: LibraryView, token: bool, word: str, why_not: str
) -> None:
    said = facts.download_why_not(model, view, token)
    assert facts.download_word(model, view) == word
    assert why_not in said and bool(said) is bool(why_not)


def test_why_a_model_cannot_be_converted() -> None:
    assert "not looked into" in facts.convert_why_not(FOUND, None, LibraryView(), 4)

    class Known:
        quantization = None

    known = Known()
    assert facts.convert_why_not(FOUND, known, LibraryView(), 4) == ""  # type: ignore[arg-type]
    making = LibraryView(conversions=(Conversion(FOUND.name, FOUND.directory, 4),))
    assert "is being made" in facts.convert_why_not(FOUND, known, making, 4)  # type: ignore[arg-type]
    assert facts.convert_why_not(FOUND, known, making, 8) == ""  # type: ignore[arg-type]
    here = LibraryView(models=(replace(FOUND, name="local/Qwen3-4bit-4bit"),))
    assert "is here already" in facts.convert_why_not(FOUND, known, here, 4)  # type: ignore[arg-type]
    known.quantization = "4-bit, groups of 64"  # type: ignore[assignment]
    assert "quantised already" in facts.convert_why_not(FOUND, known, LibraryView(), 8)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("room", "speed", "hops", "same"),
    [
        (10 * GB, 1e-11, (), True),
        (int(10.4 * GB), 1.1e-11, (), True),
        (8 * GB, 1e-11, (), False),
        (10 * GB, 2e-11, (), False),
        (10 * GB, None, (), False),
        (10 * GB, 1e-11, (("ada", 1.0),), False),
    ],
)
def test_small_changes_of_memory_change_nothing(
    room: int, speed: float | None, hops: tuple[tuple[str, float], ...], same: bool
) -> None:
    before = Cluster((NodeCapacity("ada", 10 * GB, 1e-11),), ())
    assert facts.about_same(before, Cluster((NodeCapacity("ada", room, speed),), hops)) is same

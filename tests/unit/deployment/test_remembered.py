"""What is kept of a deployment for the window's next start."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from app.core.deployment.remembered import Remembered, read_remembered, remembered_after, write_remembered
from app.core.library.models import built_in_model
from app.core.placement.placement import Placement, StageRange
from app.core.snapshot import DeploymentState, DeploymentView, ModelView, Snapshot, SparesView
from shardd.model.survey import survey

PLACEMENT = Placement(12, (StageRange("studio", 0, 3), StageRange("mini-1", 4, 11)))
KEPT = Remembered("models/tiny", PLACEMENT, 2048)
NOTHING = Snapshot()


def snapshot(state: DeploymentState, model: str = "tiny", **changes: object) -> Snapshot:
    view = DeploymentView(state, "", 1, "tiny", PLACEMENT, 2048)
    chosen = ModelView(model, f"models/{model}", survey(built_in_model()))
    return Snapshot(model=chosen, deployment=replace(view, **changes))  # type: ignore[arg-type]


READY = snapshot(DeploymentState.READY)


@pytest.mark.parametrize(
    ("known", "before", "now", "wanted"),
    [
        (None, None, NOTHING, None),
        (KEPT, None, NOTHING, KEPT),  # the program has just begun
        (None, NOTHING, READY, KEPT),
        (None, NOTHING, replace(READY, spares=SparesView(wanted=True)), replace(KEPT, spares=True)),
        (KEPT, READY, snapshot(DeploymentState.READY, coming=PLACEMENT), KEPT),
        (None, READY, snapshot(DeploymentState.READY, coming=PLACEMENT), None),
        (KEPT, READY, snapshot(DeploymentState.READY, model="other"), KEPT),  # only chosen, not deployed
        (KEPT, READY, snapshot(DeploymentState.DEPLOYING), KEPT),
        (KEPT, READY, snapshot(DeploymentState.FAILED), KEPT),  # it stays wanted
        (KEPT, READY, NOTHING, None),  # unloaded by its owner
        (KEPT, snapshot(DeploymentState.DEPLOYING), NOTHING, KEPT),  # cancelled
    ],
)
def test_what_is_kept(known: Remembered | None, before: Snapshot | None, now: Snapshot, wanted: object) -> None:
    assert remembered_after(known, before, now) == wanted


def test_kept_and_forgotten(tmp_path: Path) -> None:
    file = tmp_path / "deployment.json"
    assert read_remembered(file) is None
    write_remembered(file, KEPT)
    assert read_remembered(file) == KEPT
    write_remembered(file, None)
    write_remembered(file, None)
    assert not file.exists() and read_remembered(file) is None


@pytest.mark.parametrize(
    "change",
    [
        {"stages": [["studio", 0, 3]]},
        {"stages": [["studio", 0, 3], ["studio", 4, 11]]},
        {"stages": [["studio", 0, 11, 2]]},
        {"stages": 3},
        {"layer_count": 10**9},
        {"context": 0},
        {"context": True},
        {"directory": None},
    ],
)
def test_a_damaged_file_is_as_good_as_none(tmp_path: Path, change: dict[str, object]) -> None:
    file = tmp_path / "deployment.json"
    write_remembered(file, KEPT)
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    assert read_remembered(file) is None
    file.write_bytes(b"{")
    assert read_remembered(file) is None

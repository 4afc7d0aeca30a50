"""Saved placements: on disk, by name, and restored on the machines that are there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app.core.errors import ShardboardError
from app.core.placement.placement import Placement, StageRange
from app.core.placement.saved import SavedPlacement, SavedPlacements, read_saved, restore

PLACED = Placement(12, (StageRange("ada", 0, 3), StageRange("bob, of x=y", 4, 7), StageRange("cyd", 8, 11)))
SAVED = SavedPlacement("Three", "toy", PLACED, 2048, ("cyd",))


def written(**wrong: object) -> str:
    entry = {"name": "a", "model": "m", "layer_count": 1, "context": 1, "stages": [["n", 0, 0]], **wrong}
    return json.dumps({"placements": [entry]})


def test_it_is_there_after_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "placements.json"
    desk = SavedPlacements(file)
    desk.save(SAVED)
    desk.save(SavedPlacement("  one   only ", "toy", Placement(12, (StageRange("ada", 0, 11),)), 512))
    desk.save(SavedPlacement("Three", "other", Placement(2, (StageRange("ada", 0, 1),)), 512))
    again = SavedPlacements(file)
    assert again.problem == "" and again.of("toy")[1] == SAVED
    assert [each.name for each in again.of("toy")] == ["one only", "Three"]
    again.save(SavedPlacement("Three", "toy", PLACED, 4096))  # takes the other's place
    assert [each.context for each in SavedPlacements(file).of("toy")] == [512, 4096]
    again.delete("toy", "Three")
    assert [each.name for each in SavedPlacements(file).of("toy")] == ["one only"]
    assert len(SavedPlacements(file).of("other")) == 1
    with pytest.raises(ShardboardError, match='no saved placement "Three"'):
        again.delete("toy", "Three")


@pytest.mark.parametrize("name", ["", "   ", "x" * 61])
def test_a_name_is_needed(tmp_path: Path, name: str) -> None:
    with pytest.raises(ShardboardError, match="needs a name"):
        SavedPlacements(tmp_path / "p.json").save(SavedPlacement(name, "toy", PLACED, 512))


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        '{"placements": 3}',
        '{"placements": [{"name": "a"}]}',
        json.dumps(
            {"placements": [{"name": "a", "model": "m", "layer_count": 2, "context": 1, "stages": [["n", 0, 0]]}]}
        ),
        json.dumps(
            {"placements": [{"name": "a", "model": "m", "layer_count": 1, "context": 1, "stages": [["n", 0, "0"]]}]}
        ),
        json.dumps(
            {"placements": [{"name": 1, "model": "m", "layer_count": 1, "context": 1, "stages": [["n", 0, 0]]}]}
        ),
        "[" * 5000,
    ],
)
def test_a_damaged_file_is_told_and_set_aside(tmp_path: Path, content: str) -> None:
    file = tmp_path / "placements.json"
    file.write_text(content)
    desk = SavedPlacements(file)
    assert desk.of("m") == () and "could not be read" in desk.problem
    assert file.read_text() == content  # looking changes nothing
    desk.save(SAVED)
    assert desk.problem == "" and read_saved(file) == ((SAVED,), "")
    assert (tmp_path / "placements.json.damaged").read_text() == content


@pytest.mark.parametrize(
    ("nodes", "text", "pins", "told"),
    [
        (["ada", "bob, of x=y", "cyd", "dot"], "ada 0-3 bob, of x=y 4-7 cyd 8-11", {"cyd"}, []),
        (["ada", "cyd"], "ada 0-7 cyd 8-11", {"cyd"}, ["layers 4 to 7 went to ada."]),
        (["ada"], "ada 0-11", set(), ["layers 4 to 7 went to ada.", "layers 8 to 11 went to ada."]),
        (["cyd"], "cyd 0-11", set(), ["layers 0 to 3 went to bob, of x=y.", "layers 0 to 7 went to cyd."]),
    ],
)
def test_missing_machines_are_told(nodes: list[str], text: str, pins: set[str], told: list[str]) -> None:
    found = restore(SAVED, nodes, 12)
    assert " ".join(f"{s.node} {s.first}-{s.last}" for s in found.placement.stages) == text
    assert found.pins == pins and len(found.told) == len(told)
    assert all(
        line.endswith(end) and "is not among your machines now" in line
        for line, end in zip(found.told, told, strict=True)
    )


def test_what_cannot_be_restored() -> None:
    with pytest.raises(ShardboardError, match="None of the machines"):
        restore(SAVED, ["eve"], 12)
    with pytest.raises(ShardboardError, match="saved for 12 layers and toy has 16 now"):
        restore(SAVED, ["ada"], 16)

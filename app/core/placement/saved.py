"""Placements that a person keeps by name: on disk, one file for all models."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from app.core.errors import ShardboardError
from app.core.placement.placement import Placement, StageRange, layers_text, problems
from app.core.text import listed, phrase
from shardd.host import atomic_write, read_file

LARGEST_FILE = 1 << 20
LONGEST_NAME = 60
MOST = 200  # of one model; nobody finds anything among more


@dataclass(frozen=True, slots=True)
class SavedPlacement:
    """pins: nodes whose ranges Balance leaves alone."""

    name: str
    model: str
    placement: Placement
    context: int
    pins: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Restored:
    """told: what is different from what was saved, a sentence each."""

    placement: Placement
    pins: frozenset[str]
    told: tuple[str, ...]


def restore(saved: SavedPlacement, nodes: Collection[str], layer_count: int) -> Restored:
    """The saved placement on the machines that are there now: layers of missing ones go to their neighbours, in words.

    Raises ShardboardError where nothing of it is left or the model has another number of layers now.
    """
    placement = saved.placement
    if placement.layer_count != layer_count:
        raise ShardboardError(
            phrase(
                '"{name}" was saved for {layer_count} layers and {model} has {layer_count_2} now.',
                name=saved.name,
                layer_count=placement.layer_count,
                model=saved.model,
                layer_count_2=layer_count,
            ),
            "Place the layers anew and save them again.",
        )
    missing = [name for name in placement.nodes if name not in nodes]
    if len(missing) == len(placement.stages):
        raise ShardboardError(
            phrase('None of the machines of "{name}" is here: {missing}.', name=saved.name, missing=", ".join(missing)),
            "Add one of them, or place the layers anew.",
        )
    told: list[str] = []
    for name in missing:
        stage = placement.stage_of(name)
        assert stage is not None
        after = placement.remove(name)
        took = [each.node for each in after.stages if each.first <= stage.last and each.last >= stage.first]
        layers = layers_text(stage.first, stage.last)
        told.append(
            phrase(
                "{name} is not among your machines now: {layers} went to {took}.",
                name=name,
                layers=layers,
                took=listed(took),
            )
        )
        placement = after
    kept = frozenset(pin for pin in saved.pins if placement.stage_of(pin) == saved.placement.stage_of(pin))
    return Restored(placement, kept, tuple(told))


def read_saved(file: Path) -> tuple[tuple[SavedPlacement, ...], str]:
    """What a file holds, and what was wrong with it in a sentence ("" where nothing was)."""
    try:
        table: Any = json.loads(read_file(file, LARGEST_FILE))
        return tuple(_entry(each) for each in cast("list[Any]", table["placements"])), ""
    except FileNotFoundError:
        return (), ""
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return (), phrase(
            "The saved placements in {file} could not be read. They are set aside when you save one.", file=file
        )


def _entry(table: dict[str, Any]) -> SavedPlacement:
    count, context = table["layer_count"], table["context"]
    if type(count) is not int or type(context) is not int or not 0 < count < 100_000 or context < 1:
        raise ValueError("a number is out of range")
    name, model, pins = table["name"], table["model"], table.get("pins", [])
    if not (isinstance(name, str) and isinstance(model, str) and isinstance(pins, list)):
        raise ValueError("a name is missing")
    stages = tuple(_stage(row) for row in cast("list[Any]", table["stages"]))
    if problems(Placement(count, stages), {stage.node for stage in stages}):
        raise ValueError("it is no placement of all layers")
    return SavedPlacement(
        name, model, Placement(count, stages), context, tuple(str(pin) for pin in cast("list[Any]", pins))
    )


def _stage(row: Any) -> StageRange:
    node, first, last = row
    if not isinstance(node, str) or type(first) is not int or type(last) is not int:
        raise ValueError("a range is not one")
    return StageRange(node, first, last)


class SavedPlacements:
    """The saved placements, in memory and on disk. Blocking calls: small files."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._all, self.problem = read_saved(file)

    def of(self, model: str) -> tuple[SavedPlacement, ...]:
        """By name."""
        return tuple(sorted((each for each in self._all if each.model == model), key=lambda each: each.name.lower()))

    def save(self, saved: SavedPlacement) -> None:
        """Keeps it; one of the same name and model is replaced. Raises ShardboardError."""
        name = " ".join(saved.name.split())
        if not name or len(name) > LONGEST_NAME:
            raise ShardboardError(
                "A placement needs a name.",
                phrase("Choose one of at most {longest_name} letters.", longest_name=LONGEST_NAME),
            )
        if not saved.placement.stages:
            raise ShardboardError("No layer is placed.", "Place the layers first.")
        named = SavedPlacement(name, saved.model, saved.placement, saved.context, saved.pins)
        others = tuple(each for each in self._all if (each.name, each.model) != (name, saved.model))
        if sum(each.model == saved.model for each in others) >= MOST:
            raise ShardboardError(
                phrase("{most} placements of {model} are saved.", most=MOST, model=saved.model), "Delete one first."
            )
        self._write((*others, named))

    def delete(self, model: str, name: str) -> None:
        """Forgets it. Raises ShardboardError where there is none of this name."""
        left = tuple(each for each in self._all if (each.name, each.model) != (name, model))
        if len(left) == len(self._all):
            raise ShardboardError(phrase('There is no saved placement "{name}" of {model}.', name=name, model=model))
        self._write(left)

    def _write(self, entries: tuple[SavedPlacement, ...]) -> None:
        rows = [
            {
                "name": each.name,
                "model": each.model,
                "layer_count": each.placement.layer_count,
                "stages": [[stage.node, stage.first, stage.last] for stage in each.placement.stages],
                "context": each.context,
                "pins": list(each.pins),
            }
            for each in entries
        ]
        try:
            if self.problem:
                with contextlib.suppress(FileNotFoundError):
                    os.replace(self._file, self._file.with_name(self._file.name + ".damaged"))
            atomic_write(self._file, json.dumps({"placements": rows}, indent=1, ensure_ascii=False).encode())
        except OSError as error:
            cause = phrase(
                "The placements could not be written to {file}: {strerror}.",
                file=self._file,
                strerror=error.strerror or error,
            )
            raise ShardboardError(cause, "Nothing was changed.") from None
        self._all, self.problem = entries, ""

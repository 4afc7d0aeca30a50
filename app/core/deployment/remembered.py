"""What was deployed last, on disk: the window takes it up again when it is started again."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from app.core.placement.placement import Placement, StageRange, problems
from app.core.snapshot import DeploymentState, Snapshot
from shardd.host import atomic_write, read_file

LARGEST_FILE = 1 << 20
MOST_LAYERS = 100_000


@dataclass(frozen=True, slots=True)
class Remembered:
    """directory: the model's."""

    directory: str
    placement: Placement
    context_tokens: int
    spares: bool = False


def remembered_after(known: Remembered | None, before: Snapshot | None, now: Snapshot) -> Remembered | None:
    """What is to be kept after a change. What fails stays wanted; what its owner unloads is forgotten.

    known: what is kept by now. before: the snapshot before this one, None at the start.
    """
    deployment, model = now.deployment, now.model
    if deployment.state is DeploymentState.READY and deployment.placement is not None and deployment.coming is None:
        if model is None or model.name != deployment.model:
            return known  # another model is on the board: nothing new was deployed
        return Remembered(model.directory, deployment.placement, deployment.context_tokens, now.spares.wanted)
    ran = before is not None and before.deployment.state is DeploymentState.READY
    return None if ran and deployment.state is DeploymentState.NONE else known


def read_remembered(file: Path) -> Remembered | None:
    """None where nothing is kept, or nothing that can be read."""
    try:
        table = json.loads(read_file(file, LARGEST_FILE))
        return _from_table(cast("dict[str, Any]", table))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def write_remembered(file: Path, remembered: Remembered | None) -> None:
    """Raises OSError."""
    if remembered is None:
        with contextlib.suppress(FileNotFoundError):
            file.unlink()
        return
    table = {
        "directory": remembered.directory,
        "layer_count": remembered.placement.layer_count,
        "stages": [[stage.node, stage.first, stage.last] for stage in remembered.placement.stages],
        "context": remembered.context_tokens,
        "spares": remembered.spares,
    }
    atomic_write(file, json.dumps(table, indent=1, ensure_ascii=False).encode())


def _from_table(table: dict[str, Any]) -> Remembered:
    directory, count, context = table["directory"], table["layer_count"], table["context"]
    if not isinstance(directory, str) or type(count) is not int or type(context) is not int:
        raise ValueError("a value is of another kind")
    if not 0 < count < MOST_LAYERS or context < 1:
        raise ValueError("a number is out of range")
    stages = tuple(_stage(row) for row in cast("list[Any]", table["stages"]))
    if problems(Placement(count, stages), {stage.node for stage in stages}):
        raise ValueError("it is no placement of all layers")
    return Remembered(directory, Placement(count, stages), context, table.get("spares") is True)


def _stage(row: Any) -> StageRange:
    node, first, last = row
    if not isinstance(node, str) or type(first) is not int or type(last) is not int:
        raise ValueError("a range is not one")
    return StageRange(node, first, last)

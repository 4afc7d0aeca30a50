"""Taking an inventory in a process of its own, so that the controller never runs MLX itself.

`python -m shardd.model.survey DIRECTORY` prints one JSON object: an Inventory, or what is wrong with the model; with
`-` in the directory's place it reads a Description from stdin. MLX
keeps threads that end badly when they were started from a thread of a program that goes on; a child avoids that, starts
in a tenth of the time of a full import, and takes its memory with it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from shardd.host import format_bytes, rss_of
from shardd.model.checkpoint import Checkpoint, check_config
from shardd.model.errors import CheckpointError, ModelError, UnsupportedModel
from shardd.model.headers import ITEM_BYTES, TensorInfo
from shardd.model.inventory import Inventory, inspect, inspect_checkpoint
from shardd.model.units import Unit

DEADLINE_S = 120.0
LOOK_S = 0.05
MOST_BYTES = 1_500_000_000  # a model of 671 billion parameters takes a tenth of it
_ERRORS: dict[str, type[ModelError]] = {kind.__name__: kind for kind in (CheckpointError, UnsupportedModel, ModelError)}


@dataclass(frozen=True, slots=True)
class Description:
    """A model that is known without its files: config.json's content, and every tensor's name, safetensors dtype and
    shape."""

    name: str
    config: dict[str, Any]
    tensors: tuple[tuple[str, str, tuple[int, ...]], ...]


def survey(directory: Path) -> Inventory:
    """As inventory.inspect, in a child process. Blocks; raises the same errors."""
    return _ask(directory.name, str(directory), b"")


def survey_description(described: Description) -> Inventory:
    """The inventory of a model that is not here. Its tensors have no place. Blocks; raises as survey."""
    check_config(described.config, described.name)
    document = {"name": described.name, "config": described.config, "tensors": described.tensors}
    return _ask(described.name, "-", json.dumps(document).encode())


def _ask(name: str, argument: str, stdin: bytes) -> Inventory:
    with tempfile.TemporaryFile() as given:  # a pipe would have to be fed beside the looks at the process
        given.write(stdin)
        given.seek(0)
        with subprocess.Popen(
            [sys.executable, "-m", "shardd.model.survey", argument],
            stdin=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        ) as process:
            try:
                output, errors = _followed(process, name)
            except BaseException:
                process.kill()
                raise
    try:
        document = json.loads(output.splitlines()[-1])
    except (ValueError, IndexError):
        last = errors.decode(errors="replace").strip().splitlines()[-1:]
        raise ModelError(f"{name} could not be read: {' '.join(last) or 'the reader ended'}.") from None
    if "error" in document:
        raise _ERRORS[document["error"]](document["cause"], document["remedy"])
    return from_document(document)


def _followed(process: subprocess.Popen[bytes], name: str) -> tuple[bytes, bytes]:
    """What the child says until it ends. Raises ModelError where that takes too long or too much memory."""
    deadline = time.monotonic() + DEADLINE_S
    while True:
        try:
            return process.communicate(timeout=LOOK_S)
        except subprocess.TimeoutExpired:
            pass
        if (rss_of(process.pid) or 0) > MOST_BYTES:
            raise ModelError(
                f"{name} takes more than {format_bytes(MOST_BYTES)} only to be described, which no model does.",
                "Choose another model.",
            )
        if time.monotonic() > deadline:
            raise ModelError(f"{name} could not be read in {DEADLINE_S:.0f} s.", "Is its disk very slow?")


def to_document(inventory: Inventory) -> dict[str, Any]:
    """An Inventory as JSON can hold it: files and tensors by number."""
    files = sorted({str(tensor.file) for tensor in inventory.tensors})
    numbers = {tensor.name: number for number, tensor in enumerate(inventory.tensors)}
    document = {name: getattr(inventory, name) for name in inventory.__dataclass_fields__}
    document["files"] = files
    document["tensors"] = [
        [tensor.name, tensor.dtype, tensor.shape, files.index(str(tensor.file)), tensor.offset, tensor.nbytes]
        for tensor in inventory.tensors
    ]
    document["units"] = [[unit.name, [numbers[tensor.name] for tensor in unit.tensors]] for unit in inventory.units]
    document["readers"] = {name: sorted(phases) for name, phases in inventory.readers.items()}
    document["forbidden_cuts"] = list(inventory.forbidden_cuts.items())
    return document


def from_document(document: dict[str, Any]) -> Inventory:
    files = [Path(file) for file in document.pop("files")]
    tensors = tuple(
        TensorInfo(name, dtype, tuple(shape), files[file], offset, nbytes)
        for name, dtype, shape, file, offset, nbytes in document["tensors"]
    )
    document["tensors"] = tensors
    document["units"] = tuple(Unit(name, tuple(tensors[n] for n in numbers)) for name, numbers in document["units"])
    document["readers"] = {name: frozenset(phases) for name, phases in document["readers"].items()}
    document["forbidden_cuts"] = {int(cut): str(why) for cut, why in document["forbidden_cuts"]}
    for name in ("kv_bytes_per_token", "kv_limit_tokens", "fixed_cache_bytes"):
        document[name] = tuple(document[name])
    return Inventory(**document)


def _described() -> Inventory:
    document = json.load(sys.stdin)
    tensors: dict[str, TensorInfo] = {}
    for name, dtype, shape in document["tensors"]:
        if dtype not in ITEM_BYTES:
            raise UnsupportedModel(f"{document['name']} holds tensors of type {dtype}, which MLX cannot load.")
        size = ITEM_BYTES[dtype] * prod(shape)
        tensors[name] = TensorInfo(name, dtype, tuple(shape), Path(document["name"]), 0, size)
    return inspect_checkpoint(Checkpoint(Path(document["name"]), document["config"], tensors))


def main() -> int:
    from shardd.model.light import import_mlx_lm_light

    import_mlx_lm_light()
    try:
        document = to_document(_described() if sys.argv[1] == "-" else inspect(Path(sys.argv[1])))
    except ModelError as error:
        document = {"error": type(error).__name__, "cause": error.cause, "remedy": error.remedy}
    print(json.dumps(document))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

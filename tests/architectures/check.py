"""One architecture on trial: is every allowed cut exact, in every precision?

`python -m tests.architectures.check NAME` prints what came of it as JSON.
"""

from __future__ import annotations

import importlib
import json
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import mlx.core as mx
import mlx.nn as nn

from shardd.model.errors import ModelError
from shardd.model.inventory import Inventory, inspect
from shardd.model.light import contained_imports, import_mlx_lm_light
from shardd.model.stage import Stage, bytes_of, load_stage
from shardd.model.units import unit_pieces
from tests.architectures.configurations import Configuration, configurations
from tests.architectures.stand_ins import stand_ins

PRECISIONS = ("float32", "16-bit", "4-bit")
PASSES = ([1, 5, 7, 9, 3, 2, 8], [4, 6, 1], [2], [7], [5])
"""Token ids of a prefill in two chunks and of three steps."""
GROUP = 32
CANNOT = "cannot run here"
NO_CONFIGURATION = "no configuration: write one"
NO_EXPERTS = "GatherMM"
"""What MLX names when it is to multiply experts in 16 bits on a CPU."""
WIDE = "*"
"""After a result with experts that multiplied in 32 bits, whole and split."""


@dataclass
class Outcome:
    """results: precision to "exact", "WRONG …", or why the unsplit model does not run so."""

    name: str
    model_type: str
    origin: str
    layers: int = 0
    allowed: list[int] = field(default_factory=list[int])
    refused: dict[int, str] = field(default_factory=dict[int, str])
    results: dict[str, str] = field(default_factory=dict[str, str])
    note: str = ""


def try_model_type(model_type: str) -> list[Outcome]:
    """An outcome for each of its configurations; one that says so where there is none of which it can be built."""
    try:
        outcomes = [try_architecture(given) for given in configurations(model_type)]
        why = "its arguments are not known"
    except (Exception, SystemExit) as error:  # whatever a model file does where it cannot be imported
        outcomes, why = [], _words(error)
    guesses = [outcome.results["float32"] for outcome in outcomes if outcome.origin == "derived"]
    if outcomes and not (guesses and guesses[0].startswith(CANNOT)):
        return outcomes
    why = guesses[0].removeprefix(f"{CANNOT}: ") if guesses else why
    return [Outcome(model_type, model_type, "none", note=f"{NO_CONFIGURATION} ({why})")]


def try_architecture(given: Configuration, precisions: Iterable[str] = PRECISIONS) -> Outcome:
    """Split at every allowed cut at once, and in float32 also at each alone; compare with the unsplit model."""
    outcome = Outcome(given.name, given.module, given.origin)
    for precision in precisions:
        outcome.results[precision] = _try(given, precision, outcome)
        if NO_EXPERTS in outcome.results[precision]:
            outcome.results[precision] = _try(given, precision, outcome, wide=True)
    return outcome


def _try(given: Configuration, precision: str, outcome: Outcome, *, wide: bool = False) -> str:
    """The result in a precision; notes in `outcome` what is learnt of the architecture."""
    with tempfile.TemporaryDirectory() as folder, stand_ins(given.module, wide=wide) as note:
        outcome.note = outcome.note or note
        try:
            directory = write_checkpoint(given, precision, Path(folder) / "model")
            expected = whole_logits(directory)
        except (Exception, SystemExit) as error:  # whatever a model file does where it cannot run
            return f"{CANNOT}: {_words(error)}"
        try:
            inventory = inspect(directory)
        except ModelError as error:
            outcome.note = error.cause
            return "refused"
        outcome.layers = inventory.layer_count
        outcome.refused = dict(inventory.forbidden_cuts)
        outcome.allowed = [cut for cut in range(1, outcome.layers) if cut not in outcome.refused]
        result = _compare(inventory, expected, Path(folder), alone=precision == "float32")
    return f"{result}{WIDE}" if wide else result


def _compare(inventory: Inventory, expected: list[mx.array], folder: Path, *, alone: bool) -> str:
    """ "exact", or at which cuts it is not."""
    cuts = [cut for cut in range(1, inventory.layer_count) if cut not in inventory.forbidden_cuts]
    files = write_units(inventory, folder / "units")
    splits = [cuts, *([cut] for cut in cuts if alone and len(cuts) > 1)]
    wrong = [split for split in splits if not _equal(_split_logits(_load(inventory, files, split)), expected)]
    return f"WRONG at {wrong}" if wrong else "exact"


def write_checkpoint(given: Configuration, precision: str, directory: Path) -> Path:
    """Random weights of the configuration, as mlx-lm itself would save them."""
    mx.random.seed(0)
    with contained_imports():
        utils: Any = importlib.import_module("mlx_lm.utils")
        model_class, arguments = utils._get_classes(dict(given.config))
    model: Any = model_class(arguments.from_dict(given.config))
    config = dict(given.config)
    dtype = mx.float32 if precision == "float32" else mx.bfloat16

    def vary(path: str, weight: mx.array) -> mx.array:
        if not mx.issubdtype(weight.dtype, mx.floating) or "sign" in path:
            return weight
        return (weight + 0.05 * mx.random.normal(weight.shape)).astype(
            dtype if weight.dtype == mx.float32 else weight.dtype
        )

    tree: Any = importlib.import_module("mlx.utils")
    model.update(tree.tree_map_with_path(vary, model.parameters()))
    if precision == "4-bit":
        if "quantization" in config:
            raise ValueError("its weights are quantised in another way already")
        model, config = utils.quantize_model(model, config, group_size=GROUP, bits=4)
    directory.mkdir(parents=True)
    (directory / "config.json").write_text(json.dumps(config))
    tensors: dict[str, mx.array] = nn.utils.tree_flatten(model.parameters(), destination={})
    mx.save_safetensors(str(directory / "model.safetensors"), tensors)
    return directory


def whole_logits(directory: Path) -> list[mx.array]:
    """Logits of a prefill and of each cached step from mlx-lm in one process."""
    with contained_imports():
        utils: Any = importlib.import_module("mlx_lm.utils")
        caches: Any = importlib.import_module("mlx_lm.models.cache")
    model, _ = utils.load_model(directory)
    cache = caches.make_prompt_cache(model)
    results: list[mx.array] = []
    for tokens in PASSES:
        results.append(model(mx.array([tokens], mx.int32), cache=cache))
        mx.eval(results)
    if any(bool(mx.isnan(each).any().item()) for each in results):
        raise ValueError("it computes values that are not numbers")
    return results


def _split_logits(stages: list[Stage]) -> list[mx.array]:
    caches = [stage.make_cache() for stage in stages]
    results: list[mx.array] = []
    for tokens in PASSES:
        arrays: Any = mx.array([tokens], mx.int32)
        for stage, cache in zip(stages, caches, strict=True):
            if len(tokens) == 1 and len(results) % 2 and stage.buildable:  # every other step, as the engine does it
                places, built = stage.build(1, cache)
                places.fill([bytes_of(array) for array in ([arrays] if stage.is_head else arrays)])
                arrays = built
            else:
                arrays = stage.forward(arrays, cache)
            mx.eval(arrays, stage.cache_arrays(cache))
        results.append(arrays[0])
    return results


def _load(inventory: Inventory, files: dict[str, Path], cuts: list[int]) -> list[Stage]:
    starts, ends = [0, *cuts], [*cuts, inventory.layer_count]
    blueprint = inventory.blueprint()
    return [
        load_stage(blueprint, [files[unit.name] for unit in inventory.units_for(first, end - 1)], first, end - 1)
        for first, end in zip(starts, ends, strict=True)
    ]


def write_units(inventory: Inventory, directory: Path) -> dict[str, Path]:
    directory.mkdir()
    files = {unit.name: directory / unit.name for unit in inventory.units}
    for unit in inventory.units:
        with files[unit.name].open("wb") as stream:
            stream.writelines(unit_pieces(unit))
    return files


def _equal(some: list[mx.array], others: list[mx.array]) -> bool:
    return all(bool(mx.array_equal(one, other).item()) for one, other in zip(some, others, strict=True))


def _words(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:120].rstrip(".")


def main() -> int:
    import_mlx_lm_light()
    for outcome in try_model_type(sys.argv[1]):
        print(json.dumps(asdict(outcome)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

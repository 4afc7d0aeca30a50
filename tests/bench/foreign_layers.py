"""What layers that are elsewhere cost a stage at each step: `python -m tests.bench.foreign_layers [MODEL_TYPE …]`.

Each architecture is built as it is and several times as deep. In both, a stage of one layer is timed from the start of
a step to that layer (the layers before it are elsewhere), and a head's from that layer to its end (some architectures
go on to layers after it, for what only the head can compute). The difference, by the difference in layers, is what one
of them costs, the model file's own loop included. "own layer" is what one layer of the stage costs in the same run,
from call to evaluated result. "loop" is what is left of "before" with layers that do nothing at all: the model file's.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import mlx.core as mx

from shardd.model.build import LAYER_KEYS
from shardd.model.errors import ModelError
from shardd.model.inventory import Inventory, inspect
from shardd.model.leaves import class_of
from shardd.model.light import import_mlx_lm_light
from shardd.model.stage import Stage, load_stage
from shardd.model.trace import spy_class
from tests.architectures.check import write_checkpoint, write_units
from tests.architectures.configurations import Configuration, configurations, model_types
from tests.architectures.stand_ins import stand_ins

TIMES_DEEPER = 8
STEPS = 200
ROUNDS = 7
GOAL_US = 0.8
DEPTH_KEYS = (*LAYER_KEYS, "num_transformer_layers")


class _Reached(Exception):
    """The stage's own layer was called."""


def deeper(config: dict[str, Any], times: int) -> dict[str, Any]:
    """The same configuration with so many times the layers; lists with an entry a layer are repeated."""
    depths = {config[key] for key in DEPTH_KEYS if isinstance(config.get(key), int)}
    depths |= {len(config[key]) for key in ("hybrid_override_pattern",) if not depths and key in config}
    if len(depths) != 1:
        return {key: deeper(value, times) if isinstance(value, dict) else value for key, value in config.items()}
    (depth,) = depths
    made: dict[str, Any] = {}
    for key, value in config.items():
        each_layer = isinstance(value, list) or (isinstance(value, str) and "pattern" in key)
        repeated = key in DEPTH_KEYS or (each_layer and len(value) == depth)
        made[key] = value * times if repeated else value
    return made


def measure(given: Configuration) -> dict[str, Any]:
    """Microseconds for each layer before and after the stage's own."""
    with tempfile.TemporaryDirectory() as folder, stand_ins(given.module, wide=True):
        shallow = _times(given, Path(folder) / "shallow")
        deep = _times(replace(given, config=deeper(given.config, TIMES_DEEPER)), Path(folder) / "deep")
    more = deep["layers"] - shallow["layers"]
    if more <= 0:
        raise ValueError("it has no more layers before its last cut when it is deeper")
    return {
        "name": given.name,
        "layers": [shallow["layers"], deep["layers"]],
        **{key: max(0.0, deep[key] - shallow[key]) / more for key in ("before_us", "after_us", "loop_us")},
        "own_us": shallow["own_us"],
    }


def _times(given: Configuration, folder: Path) -> dict[str, Any]:
    inventory = inspect(write_checkpoint(given, "float32", folder / "model"))
    files = write_units(inventory, folder / "units")
    count = inventory.layer_count
    cuts = [cut for cut in range(1, count) if cut not in inventory.forbidden_cuts]
    if not cuts:
        raise ValueError("it has no allowed cut")
    last = _load(inventory, files, cuts[-1], count - 1)
    head = _load(inventory, files, 0, cuts[0] - 1)
    own = _time_own(head) / cuts[0]
    return {
        "layers": cuts[-1],  # those before the last stage's own
        "before_us": _time_before(last),
        "after_us": _time_after(head, count),
        "loop_us": _time_loop(last),
        "own_us": own,
    }


def _load(inventory: Inventory, files: dict[str, Path], first: int, last: int) -> Stage:
    paths = [files[unit.name] for unit in inventory.units_for(first, last)]
    return load_stage(inventory.blueprint(), paths, first, last)


def _time_before(stage: Stage) -> float:
    def reached(*_: Any, **__: Any) -> Any:
        raise _Reached

    layer: Any = list(stage._slice._model.layers)[stage.first]
    layer.__class__ = spy_class(class_of(layer), {"__call__": reached})
    return _steps_before(stage)


def _steps_before(stage: Stage) -> float:
    inputs, cache = stage._known_input(1), stage.make_cache()

    def step() -> None:
        try:
            stage.forward(inputs, cache)
        except _Reached:
            return
        raise AssertionError("the stage never came to its own layer")

    return _best(step)


def _time_loop(stage: Stage) -> float:
    """As before, with holes that only answer: `stage` comes from _time_before."""
    inner: Any = stage._slice
    inner._receive(stage._known_input(1))
    for layer, returned in zip(inner._model.layers, inner._returns[: stage.first], strict=False):
        layer.__class__ = spy_class(class_of(layer), {"__call__": _always(returned)})
    return _steps_before(stage)


def _time_after(stage: Stage, count: int) -> float:
    inner: Any = stage._slice
    if inner._leave_after == stage.last:
        return 0.0
    # The own layers give what they gave once: only the others are timed.
    cache = stage.make_cache()
    returned: dict[int, Any] = {}
    with inner.watched(returned.__setitem__):
        mx.eval(stage.forward(stage._known_input(1), cache))
    layers: list[Any] = list(inner._model.layers)
    for number in range(stage.last):
        layers[number].__class__ = spy_class(class_of(layers[number]), {"__call__": _always(returned[number])})
    tokens = stage._known_input(1)
    return _best(lambda: stage.forward(tokens, cache))


def _always(value: Any) -> Callable[..., Any]:
    return lambda *_, **__: value


def _time_own(stage: Stage) -> float:
    inputs, cache = stage._known_input(1), stage.make_cache()
    return _best(lambda: mx.eval(stage.forward(inputs, cache), stage.cache_arrays(cache)), STEPS // 10)


def _best(step: Callable[[], Any], steps: int = STEPS) -> float:
    """Microseconds of one step: the best of some rounds."""
    rounds: list[float] = []
    for _ in range(ROUNDS):
        began = time.thread_time()
        for _ in range(steps):
            step()
        rounds.append((time.thread_time() - began) / steps * 1e6)
    return min(rounds)


def main() -> int:
    if len(sys.argv) == 3 and sys.argv[1] == "--one":
        import_mlx_lm_light()
        for given in configurations(sys.argv[2]):
            try:
                print(json.dumps(measure(given)), flush=True)
            except (Exception, SystemExit) as error:  # refused, or not to be made deeper
                words = error.cause if isinstance(error, ModelError) else f"{type(error).__name__}: {error}"
                print(json.dumps({"name": given.name, "not": words}), flush=True)
        return 0
    print(f"{'architecture':<28} {'layers':>9} {'before':>7} {'loop':>7} {'after':>7} {'own layer':>10}  (µs a step)")
    found: list[dict[str, Any]] = []
    for model_type in sys.argv[1:] or model_types():
        done = subprocess.run(
            [sys.executable, "-m", "tests.bench.foreign_layers", "--one", model_type], capture_output=True, text=True
        )
        for each in (json.loads(text) for text in done.stdout.splitlines() if text.startswith("{")):
            print(_row(each), flush=True)
            if "not" not in each:
                found.append(each)
    worst = [max(each["before_us"], each["after_us"]) for each in found]
    ours = [each["before_us"] - each["loop_us"] for each in found]
    if worst:
        within = sum(one <= GOAL_US for one in worst)
        print(
            f"{within} of {len(worst)} within {GOAL_US} µs, median {statistics.median(worst):.2f}, "
            f"worst {max(worst):.2f};"
        )
        print(f"without the model files' own loops: median {statistics.median(ours):.2f}, worst {max(ours):.2f}.")
    return 0


def _row(each: dict[str, Any]) -> str:
    if "not" in each:
        return f"{each['name']:<28} {each['not'][:90]}"
    mark = "  above the goal" if max(each["before_us"], each["after_us"]) > GOAL_US else ""
    figures = " ".join(f"{each[key]:>7.2f}" for key in ("before_us", "loop_us", "after_us"))
    return f"{each['name']:<28} {each['layers'][0]:>4}/{each['layers'][1]:<4} {figures} {each['own_us']:>10.0f}{mark}"


if __name__ == "__main__":
    raise SystemExit(main())

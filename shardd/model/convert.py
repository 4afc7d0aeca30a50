"""Quantising a checkpoint, in a process of its own: `python -m shardd.model.convert SOURCE TARGET BITS GROUP_SIZE`.

mlx-lm's own quantisation, written file by file, so that memory holds one file's tensors at a time. Prints a JSON object
a line: {"done", "total"} in bytes of the result, at last {"bits_per_weight"}, or {"error", "cause", "remedy"}.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import mlx.core as mx

from shardd.model.build import build_model, parameters_of
from shardd.model.checkpoint import INDEX, Checkpoint, read_checkpoint
from shardd.model.errors import ModelError, UnsupportedModel
from shardd.model.leaves import evaluate
from shardd.model.light import import_mlx_lm_light

FILE_BYTES = 1 << 30
KEPT_SUFFIXES = (".json", ".jinja", ".txt", ".model", ".tiktoken", ".md", "LICENSE", "LICENCE")


def convert(source: Path, target: Path, bits: int, group_size: int, tell: Any) -> float:
    """Write the quantised model to `target`, which must not exist; bits per weight of the result.

    Raises:
        ModelError: the source is no checkpoint that mlx-lm can quantise.
        OSError: the disk refuses.
    """
    checkpoint = read_checkpoint(source)
    if "quantization" in checkpoint.config or "quantization_config" in checkpoint.config:
        raise UnsupportedModel(f"{source.name} is quantised already.", "Use it as it is.")
    model = build_model(checkpoint.config, _open(checkpoint))
    utils: Any = importlib.import_module("mlx_lm.utils")
    with contextlib.redirect_stdout(sys.stderr):  # mlx-lm says what it does; stdout is ours
        model, config = utils.quantize_model(model, dict(checkpoint.config), group_size, bits)
    target.mkdir(parents=True)
    _write(parameters_of(model), target, tell)
    (target / "config.json").write_text(json.dumps(config, indent=2))
    for file in source.iterdir():
        if file.is_file() and file.name.endswith(KEPT_SUFFIXES) and file.name not in ("config.json", INDEX):
            shutil.copyfile(file, target / file.name)
    return float(utils.compute_bits_per_weight(model))


def _open(checkpoint: Checkpoint) -> dict[str, mx.array]:
    arrays: dict[str, mx.array] = {}
    for file in sorted({info.file for info in checkpoint.tensors.values()}):
        content: Any = mx.load(str(file), format="safetensors")
        arrays |= {name: array for name, array in content.items() if name in checkpoint.tensors}
    return arrays


def _write(parameters: dict[str, mx.array], target: Path, tell: Any) -> None:
    groups: list[list[str]] = [[]]
    size = 0
    for name, array in parameters.items():
        if size and size + array.nbytes > FILE_BYTES:
            groups.append([])
            size = 0
        groups[-1].append(name)
        size += array.nbytes
    total, done = sum(array.nbytes for array in parameters.values()), 0
    weight_map: dict[str, str] = {}
    for number, names in enumerate(groups, 1):
        file = "model.safetensors" if len(groups) == 1 else f"model-{number:05}-of-{len(groups):05}.safetensors"
        part: dict[str, mx.array] = {}
        for name in names:
            part[name] = parameters[name]
            evaluate(part[name])
            done += part[name].nbytes
            tell({"done": done, "total": total})
        mx.save_safetensors(str(target / file), part, metadata={"format": "mlx"})
        weight_map |= dict.fromkeys(names, file)
        for name in names:  # what is written need not stay in memory
            del part[name]
            parameters[name] = mx.zeros((0,))
        mx.clear_cache()
    if len(groups) > 1:
        index = {"metadata": {"total_size": total}, "weight_map": weight_map}
        (target / INDEX).write_text(json.dumps(index, indent=2))


def main() -> int:
    pipe = os.fdopen(os.dup(1), "w", buffering=1)

    def tell(message: dict[str, Any]) -> None:
        pipe.write(json.dumps(message) + "\n")

    import_mlx_lm_light()
    source, target, bits, group_size = sys.argv[1:5]
    try:
        tell({"bits_per_weight": convert(Path(source), Path(target), int(bits), int(group_size), tell)})
    except ModelError as error:
        tell({"error": type(error).__name__, "cause": error.cause, "remedy": error.remedy})
        return 1
    except (OSError, RuntimeError, ValueError, MemoryError) as error:
        tell({"error": "ModelError", "cause": f"{Path(source).name} cannot be converted: {error}.", "remedy": ""})
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

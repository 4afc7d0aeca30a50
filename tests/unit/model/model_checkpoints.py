"""Makes random checkpoints in Hugging Face layout, stages of them, and the one-process reference."""

import importlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import mlx.core as mx
import mlx.nn as nn

from shardd.model.inventory import Inventory
from shardd.model.light import contained_imports
from shardd.model.stage import Stage, load_stage
from shardd.model.units import unit_pieces

SHARED = next((up / "shared" for up in Path(__file__).resolve().parents if (up / "shared").is_dir()), Path("shared"))
PROMPT = [1, 5, 7, 9, 3, 2, 8]
STEPS = [4, 6, 1]
LLAMA = {
    "model_type": "llama",
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "num_hidden_layers": 4,
    "rms_norm_eps": 1e-5,
    "vocab_size": 48,
    "max_position_embeddings": 512,
    "tie_word_embeddings": False,
}


def random_model(config: dict[str, Any], module: str, dtype: mx.Dtype, seed: int = 0) -> Any:
    """A model of `config` with varied weights."""
    mx.random.seed(seed)
    with contained_imports():
        architecture: Any = importlib.import_module(f"mlx_lm.models.{module}")
    model: Any = architecture.Model(architecture.ModelArgs.from_dict(config))

    def vary(weight: mx.array) -> mx.array:
        if not mx.issubdtype(weight.dtype, mx.floating):
            return weight
        varied = weight + 0.05 * mx.random.normal(weight.shape)
        return varied.astype(dtype if weight.dtype == mx.float32 else weight.dtype)

    model.apply(vary)
    return model


def write_model(model: Any, config: dict[str, Any], directory: Path, files: int = 1) -> Path:
    """Write the model's parameters by their own names."""
    parameters: dict[str, mx.array] = nn.utils.tree_flatten(model.parameters(), destination={})
    return write_tensors(parameters, config, directory, files)


def write_tensors(tensors: dict[str, mx.array], config: dict[str, Any], directory: Path, files: int = 1) -> Path:
    """Write tensors to `files` files, with an index if more than one, and config.json."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "config.json").write_text(json.dumps(config))
    names = list(tensors)
    if files == 1:
        mx.save_safetensors(str(directory / "model.safetensors"), tensors)
        return directory
    weight_map: dict[str, str] = {}
    for number in range(files):
        file = f"model-{number + 1:05}-of-{files:05}.safetensors"
        part = {name: tensors[name] for name in names[number::files]}
        mx.save_safetensors(str(directory / file), part)
        weight_map |= dict.fromkeys(part, file)
    (directory / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    return directory


def write_units(inventory: Inventory, directory: Path) -> dict[str, Path]:
    """The file of each unit, by the unit's name."""
    directory.mkdir(parents=True, exist_ok=True)
    files = {unit.name: directory / unit.name for unit in inventory.units}
    for unit in inventory.units:
        with files[unit.name].open("wb") as stream:
            stream.writelines(unit_pieces(unit))
    return files


def load_stages(inventory: Inventory, files: dict[str, Path], ranges: Iterable[tuple[int, int]]) -> list[Stage]:
    """A stage for each of the inclusive `ranges`, from nothing but its own units."""
    blueprint = inventory.blueprint()
    return [
        load_stage(blueprint, [files[unit.name] for unit in inventory.units_for(first, last)], first, last)
        for first, last in ranges
    ]


def ranges_of(layer_count: int, ends: Sequence[int]) -> list[tuple[int, int]]:
    """Inclusive ranges that are cut before each of `ends`."""
    starts = [0, *ends]
    return [(start, end - 1) for start, end in zip(starts, [*ends, layer_count], strict=True)]


def split_logits(stages: Sequence[Stage], prompt: Sequence[int], steps: Sequence[int]) -> list[mx.array]:
    """Logits of a prefill and of each cached step through all stages."""
    caches = [stage.make_cache() for stage in stages]
    results: list[mx.array] = []
    for tokens in (prompt, *([step] for step in steps)):
        arrays: Any = mx.array([list(tokens)], mx.int32)
        for stage, cache in zip(stages, caches, strict=True):
            arrays = stage.forward(arrays, cache)
            mx.eval(arrays, stage.cache_arrays(cache))
        results.append(arrays[0])
    return results


def whole_logits(directory: Path, prompt: Sequence[int], steps: Sequence[int]) -> list[mx.array]:
    """The same from mlx-lm in one process."""
    from mlx_lm.models.cache import make_prompt_cache
    from mlx_lm.utils import load_model

    with contained_imports():
        model, _ = load_model(directory)
    cache = make_prompt_cache(model)
    results: list[mx.array] = []
    for tokens in (prompt, *([step] for step in steps)):
        results.append(model(mx.array([list(tokens)], mx.int32), cache=cache))
        mx.eval(results)
    return results


def equal(some: Sequence[mx.array], others: Sequence[mx.array]) -> bool:
    """Whether all arrays are bit for bit equal."""
    return len(some) == len(others) and all(
        bool(mx.array_equal(one, other).item()) for one, other in zip(some, others, strict=True)
    )

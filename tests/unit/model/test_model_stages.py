"""Split equals whole: logits of a prompt and of cached steps, bit for bit, against mlx-lm in one process."""

import json
from pathlib import Path
from typing import Any

import mlx.core as mx
import mlx.nn as nn
import pytest
from model_checkpoints import (
    PROMPT,
    SHARED,
    STEPS,
    equal,
    load_stages,
    random_model,
    ranges_of,
    split_logits,
    whole_logits,
    write_model,
    write_tensors,
    write_units,
)

from shardd.model.inventory import inspect

pytestmark = [
    pytest.mark.skipif(not SHARED.is_dir(), reason="../shared is absent"),
]

DTYPES = {"f32": mx.float32, "f16": mx.float16, "bf16": mx.bfloat16}
SMALL = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "num_hidden_layers": 5,
    "vocab_size": 96,
}
OVERRIDES: dict[str, dict[str, Any]] = {
    "llama": SMALL | {"layer_types": ["full_attention"] * 5},
    "qwen2": SMALL,
    "qwen3": SMALL | {"head_dim": 32},
    "gpt2": {"n_embd": 64, "n_layer": 5, "vocab_size": 96},
    "gemma2": SMALL | {"head_dim": 32},
    "mixtral": SMALL,
}
ALWAYS_TIED = {"gpt2", "gemma2"}
CASES = [
    (module, precision, tied)
    for module in OVERRIDES
    for precision in ("f32", "f16", "bf16", "4-bit")
    for tied in (True, False)
    if (tied or module not in ALWAYS_TIED)
    # MLX on the CPU has no unquantised experts in half precision.
    and (module != "mixtral" or precision in ("f32", "4-bit"))
]
CUTS: list[list[int]] = [[], [2], [1, 3], [4], [1, 2, 3, 4]]


def hugging_face_layout(module: str, tensors: dict[str, mx.array]) -> dict[str, mx.array]:
    """The names and shapes that the model's authors publish, from those of mlx-lm."""
    published: dict[str, mx.array] = {}
    for name, array in tensors.items():
        if module == "gpt2":
            transposed = any(part in name for part in ("c_attn.weight", "c_proj.weight", "c_fc.weight"))
            published[name.removeprefix("model.")] = array.T if transposed else array
        elif module == "mixtral" and ".switch_mlp." in name:
            for part, letter in (("gate_proj", "w1"), ("down_proj", "w2"), ("up_proj", "w3")):
                if part in name:
                    for expert in range(array.shape[0]):
                        own = name.replace(f"switch_mlp.{part}", f"experts.{expert}.{letter}")
                        published[own] = array[expert]
        else:
            published[name] = array
    return {name: mx.contiguous(array) for name, array in published.items()}


def write_case(module: str, precision: str, tied: bool, directory: Path) -> Path:
    spec = json.loads((SHARED / "architectures" / f"{module}.json").read_text())
    config: dict[str, Any] = spec["config"] | OVERRIDES[module] | {"model_type": module}
    if module not in ALWAYS_TIED:
        config["tie_word_embeddings"] = tied
    model = random_model(config, module, DTYPES.get(precision, mx.float32))
    if precision == "4-bit":
        nn.quantize(model, group_size=32, bits=4)
        config["quantization"] = {"group_size": 32, "bits": 4}
        return write_model(model, config, directory, files=2)
    tensors: dict[str, mx.array] = nn.utils.tree_flatten(model.parameters(), destination={})
    return write_tensors(hugging_face_layout(module, tensors), config, directory, files=3)


@pytest.mark.in_turn
@pytest.mark.parametrize(("module", "precision", "tied"), CASES)
def test_random_model(tmp_path: Path, module: str, precision: str, tied: bool) -> None:
    directory = write_case(module, precision, tied, tmp_path / "model")
    reference = whole_logits(directory, PROMPT, STEPS)
    inventory = inspect(directory)
    assert inventory.tied == tied
    assert ("head" in [unit.name for unit in inventory.units]) != tied
    assert inventory.dtype == {"f32": "float32", "f16": "float16", "bf16": "bfloat16", "4-bit": "float32"}[precision]
    files = write_units(inventory, tmp_path / "units")
    for cuts in CUTS:
        ranges = ranges_of(inventory.layer_count, cuts)
        stages = load_stages(inventory, files, ranges)
        assert equal(split_logits(stages, PROMPT, STEPS), reference), ranges


MODELS = sorted(path.name for path in (SHARED / "models").glob("*")) if SHARED.is_dir() else []


@pytest.mark.in_turn
@pytest.mark.parametrize("name", MODELS)
def test_trained_model(tmp_path: Path, name: str) -> None:
    directory = SHARED / "models" / name
    case: dict[str, Any] = json.loads((directory / "golden.json").read_text())[0]
    prompt, answer = case["prompt_tokens"], case["output_tokens"][:8]
    reference = whole_logits(directory, prompt, answer[:-1])
    inventory = inspect(directory)
    files = write_units(inventory, tmp_path)
    count = inventory.layer_count
    for cuts in ([], [count // 2], [1, count - 1], list(range(1, count))):
        logits = split_logits(load_stages(inventory, files, ranges_of(count, cuts)), prompt, answer[:-1])
        assert equal(logits, reference), cuts
        assert [int(mx.argmax(step[0, -1]).item()) for step in logits] == answer


def test_the_comparison_can_fail(tmp_path: Path) -> None:
    """Text does not show a lost layer; log-probabilities do."""
    directory = SHARED / "models" / "tinychat-llama"
    inventory = inspect(directory)
    files = write_units(inventory, tmp_path)
    stages = load_stages(inventory, files, [(0, 2), (3, 3), (4, 7)])
    reference = whole_logits(directory, PROMPT, STEPS)
    assert equal(split_logits(stages, PROMPT, STEPS), reference)
    wrong = split_logits([stages[0], stages[2]], PROMPT, STEPS)

    def log_probabilities(logits: mx.array) -> mx.array:
        return logits - mx.logsumexp(logits, axis=-1, keepdims=True)

    worst = mx.abs(log_probabilities(wrong[-1]) - log_probabilities(reference[-1])).max()
    assert worst.item() > 0.1


def test_prompt_in_chunks_and_in_batches(tmp_path: Path) -> None:
    """Sequences do not touch each other, and a chunked prompt gives what a whole one gives."""
    inventory = inspect(SHARED / "models" / "tinychat-llama")
    stages = load_stages(inventory, write_units(inventory, tmp_path), [(0, 3), (4, 7)])

    def run(rows: list[list[int]], caches: list[Any]) -> mx.array:
        arrays: Any = mx.array(rows, mx.int32)
        for stage, cache in zip(stages, caches, strict=True):
            arrays = stage.forward(arrays, cache)
            mx.eval(arrays)
        return arrays[0]

    def fresh() -> list[Any]:
        return [stage.make_cache() for stage in stages]

    whole = run([PROMPT], fresh())
    caches, others = fresh(), fresh()
    run([PROMPT[:3]], caches)
    run([STEPS], others)
    assert mx.allclose(run([PROMPT[3:]], caches), whole[:, 3:], atol=1e-4)
    assert mx.allclose(run([PROMPT, PROMPT[::-1]], fresh())[:1], whole, atol=1e-4)


@pytest.mark.parametrize("name", ["tinychat-llama", "tinychat-gpt2"])
def test_trim_goes_back(tmp_path: Path, name: str) -> None:
    inventory = inspect(SHARED / "models" / name)
    count = inventory.layer_count
    stages = load_stages(inventory, write_units(inventory, tmp_path), ranges_of(count, [2]))
    caches = [stage.make_cache() for stage in stages]

    def step(token: int) -> mx.array:
        arrays: Any = mx.array([[token]], mx.int32)
        for stage, cache in zip(stages, caches, strict=True):
            arrays = stage.forward(arrays, cache)
            mx.eval(arrays)
        return arrays[0]

    step(3)
    before = [step(token) for token in (5, 6)]
    assert all(stage.trim(cache, 2) for stage, cache in zip(stages, caches, strict=True))
    assert equal([step(token) for token in (5, 6)], before)

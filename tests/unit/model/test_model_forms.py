"""Checkpoints in all forms that mlx-lm loads: a split from units equals mlx-lm on the same directory, bit for bit."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
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
    write_tensors,
    write_units,
)

from shardd.model.inventory import Inventory, inspect
from shardd.model.light import contained_imports
from tests.architectures.configurations import configurations

Tensors = dict[str, mx.array]
SWITCH = re.compile(r"^(.*)\.switch_mlp\.(\w+)\.(weight|bias)$")
W_NAMES = {"gate_proj": "w1", "down_proj": "w2", "up_proj": "w3"}
SMALL = {
    "model_type": "llama",
    "hidden_size": 128,
    "intermediate_size": 256,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "num_hidden_layers": 4,
    "rms_norm_eps": 1e-5,
    "vocab_size": 96,
    "tie_word_embeddings": False,
}
pytestmark = [
    pytest.mark.skipif(not SHARED.is_dir(), reason="../shared is absent"),
]


def split_experts(tensors: Tensors, names: Callable[[str], str] = str) -> Tensors:
    """One tensor an expert, as publishers have them."""
    raw: Tensors = {}
    for name, array in tensors.items():
        found = SWITCH.match(name)
        if found:
            for number in range(array.shape[0]):
                raw[f"{found[1]}.experts.{number}.{names(found[2])}.{found[3]}"] = array[number]
        else:
            raw[name] = array
    return raw


def w_experts(tensors: Tensors) -> Tensors:
    return split_experts(tensors, lambda name: W_NAMES[name])


def channels_first(tensors: Tensors) -> Tensors:
    """Convolutions as PyTorch has them."""
    return {
        name: mx.contiguous(mx.moveaxis(array, 2, 1))
        if "conv" in name and name.endswith("weight") and array.ndim == 3
        else array
        for name, array in tensors.items()
    }


RAW: list[tuple[str, Callable[[Tensors], Tensors]]] = [
    *((name, w_experts) for name in ("mixtral", "phimoe", "minimax")),
    *(
        (name, split_experts)
        for name in (
            "bailing_moe",
            "deepseek_v3",
            "deepseek_v32",
            "ernie4_5_moe",
            "exaone_moe",
            "glm4_moe",
            "hunyuan",
            "jamba",
            "kimi_vl",
            "lfm2_moe",
            "longcat_flash",
            "mellum",
            "mimo_v2_flash",
            "olmoe",
            "qwen2_moe",
            "qwen3_moe",
            "qwen3_next",
        )
    ),
    *(
        (name, channels_first)
        for name in (
            "falcon_h1",
            "granitemoehybrid",
            "jamba",
            "lfm2",
            "mamba",
            "mamba2",
            "nemotron_h",
            "olmo_hybrid",
            "plamo2",
            "qwen3_5",
            "recurrent_gemma",
        )
    ),
]


def assert_exact(directory: Path, folder: Path) -> Inventory:
    """One stage a layer equals the whole; the inventory, to look at."""
    expected = whole_logits(directory, PROMPT, STEPS)
    inventory = inspect(directory)
    count = inventory.layer_count
    cuts = [cut for cut in range(1, count) if cut not in inventory.forbidden_cuts]
    stages = load_stages(inventory, write_units(inventory, folder / "units"), ranges_of(count, cuts))
    assert equal(split_logits(stages, PROMPT, STEPS), expected)
    return inventory


def tensors_of(model: Any) -> Tensors:
    return nn.utils.tree_flatten(model.parameters(), destination={})


@pytest.mark.in_turn
@pytest.mark.parametrize(
    ("name", "publish"), RAW, ids=lambda value: value if isinstance(value, str) else value.__name__
)
def test_publishers_layouts(name: str, publish: Callable[[Tensors], Tensors], tmp_path: Path) -> None:
    """Experts apart or convolutions the other way round, over three files with layers interleaved."""
    given = configurations(name)[0]
    tensors = tensors_of(random_model(given.config, given.module, mx.float32))
    raw = publish(tensors)
    assert {key: array.shape for key, array in raw.items()} != {key: array.shape for key, array in tensors.items()}
    assert_exact(write_tensors(raw, given.config, tmp_path / "model", files=3), tmp_path)


AFFINE = [(bits, group) for bits in (2, 3, 4, 5, 6, 8) for group in (32, 64, 128)]
MODES = [
    *(({"bits": b, "group_size": g}, f"{b}-bit, groups of {g}") for b, g in AFFINE),
    ({"bits": 4, "group_size": 32, "mode": "mxfp4"}, "mxfp4 4-bit, groups of 32"),
    ({"bits": 8, "group_size": 32, "mode": "mxfp8"}, "mxfp8 8-bit, groups of 32"),
    ({"bits": 4, "group_size": 16, "mode": "nvfp4"}, "nvfp4 4-bit, groups of 16"),
]


@pytest.mark.parametrize(("settings", "words"), MODES, ids=lambda value: value if isinstance(value, str) else "")
def test_quantisations(settings: dict[str, Any], words: str, tmp_path: Path) -> None:
    with contained_imports():
        utils: Any = importlib.import_module("mlx_lm.utils")
    model, config = utils.quantize_model(random_model(SMALL, "llama", mx.float32), dict(SMALL), **settings)
    inventory = assert_exact(write_tensors(tensors_of(model), config, tmp_path / "model"), tmp_path)
    assert inventory.quantization == words
    assert inventory.total_bytes < 0.75 * sum(
        array.nbytes for array in tensors_of(random_model(SMALL, "llama", mx.float32)).values()
    )


def test_mixed_bits_and_some_layers_in_full(tmp_path: Path) -> None:
    with contained_imports():
        utils: Any = importlib.import_module("mlx_lm.utils")

    def choose(path: str, module: Any) -> bool | dict[str, Any]:
        if "layers.1" in path:
            return False
        bits = 8 if "lm_head" in path or "layers.3" in path else 4
        return {"bits": bits, "group_size": 64, "mode": "affine"}

    model, config = utils.quantize_model(
        random_model(SMALL, "llama", mx.float32), dict(SMALL), 64, 4, quant_predicate=choose
    )
    inventory = assert_exact(write_tensors(tensors_of(model), config, tmp_path / "model", files=2), tmp_path)
    assert inventory.quantization == "4-bit and 8-bit, groups of 64"
    sizes = {unit.name: unit.nbytes for unit in inventory.units}
    assert sizes["layer.0"] < sizes["layer.3"] < sizes["layer.1"]


@pytest.mark.parametrize("method", ["awq", "gptq"])
def test_awq_and_gptq_are_repacked_on_the_node(method: str, tmp_path: Path) -> None:
    group = 64
    raw: Tensors = {}
    mx.random.seed(1)
    for name, array in tensors_of(random_model(SMALL, "llama", mx.float32)).items():
        if ".layers." in name and name.endswith("proj.weight"):
            rows, columns = array.shape
            prefix = name.removesuffix(".weight")
            for part, height in (("qweight", columns), ("qzeros", columns // group)):
                raw[f"{prefix}.{part}"] = mx.random.randint(-(1 << 31), (1 << 31) - 1, (height, rows // 8))
            raw[f"{prefix}.scales"] = 0.01 + 0.01 * mx.random.uniform(shape=(columns // group, rows))
        else:
            raw[name] = array
    config = SMALL | {"quantization_config": {"quant_method": method, "bits": 4, "group_size": group}}
    inventory = assert_exact(write_tensors(raw, config, tmp_path / "model"), tmp_path)
    assert inventory.quantization == f"{method} 4-bit, groups of {group}"


@pytest.mark.parametrize(
    "name", ["gemma3", "kimi_vl", "llama4", "mistral3", "pixtral", "qwen2_vl", "qwen3_vl", "qwen3_5"]
)
def test_of_a_model_that_sees_only_the_text_part_travels(name: str, tmp_path: Path) -> None:
    given = configurations(name)[0]
    tensors = tensors_of(random_model(given.config, given.module, mx.float32))
    seen = {"gemma3": "vision_tower", "qwen2_vl": "visual", "qwen3_vl": "model.visual", "qwen3_5": "model.visual"}
    other = {f"{seen.get(name, 'vision_tower')}.blocks.0.weight": mx.ones((64, 64))}
    try:
        directory = write_tensors(tensors | other, given.config, tmp_path / "model")
        whole_logits(directory, PROMPT, STEPS)
    except ValueError:
        pytest.skip("mlx-lm itself does not drop a vision part of this name")
    inventory = assert_exact(directory, tmp_path)
    sent = {tensor.name for unit in inventory.units for tensor in unit.tensors}
    assert not sent & other.keys() and sent <= tensors.keys()


def test_a_tied_model_with_a_head_in_its_file_and_tensors_that_nobody_reads(tmp_path: Path) -> None:
    config = SMALL | {"tie_word_embeddings": True}
    tensors = tensors_of(random_model(config, "llama", mx.float32))
    more = {"lm_head.weight": mx.ones((96, 128)), "model.layers.0.self_attn.rotary_emb.inv_freq": mx.ones((16,))}
    inventory = assert_exact(write_tensors(tensors | more, config, tmp_path / "model"), tmp_path)
    assert inventory.tied
    sent = {tensor.name for unit in inventory.units for tensor in unit.tensors}
    assert not sent & more.keys()

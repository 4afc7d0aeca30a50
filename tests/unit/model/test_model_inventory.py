"""Inventories: units, sizes, caches, words; deterministic, from any thread, nothing kept."""

import gc
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import mlx.core as mx
import pytest
from model_checkpoints import LLAMA, SHARED, random_model, write_model

from shardd.model.checkpoint import read_checkpoint
from shardd.model.errors import CheckpointError, UnsupportedModel
from shardd.model.inventory import inspect

with_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="../shared is absent")


def write(directory: Path, **changes: Any) -> Path:
    config = LLAMA | changes
    return write_model(random_model(config, "llama", mx.float32), config, directory)


def test_units_of_an_untied_model(tmp_path: Path) -> None:
    inventory = inspect(write(tmp_path))
    names = ["embedding", "layer.0", "layer.1", "layer.2", "layer.3", "norm", "head"]
    assert [unit.name for unit in inventory.units] == names
    assert [tensor.name for tensor in inventory.units[-1].tensors] == ["lm_head.weight"]
    assert [tensor.name for tensor in inventory.units[-2].tensors] == ["model.norm.weight"]
    assert inventory.total_bytes == sum(info.nbytes for info in read_checkpoint(tmp_path).tensors.values())
    assert [unit.name for unit in inventory.units_for(0, 1)] == names[:3]
    assert [unit.name for unit in inventory.units_for(2, 2)] == names[3:4]
    assert [unit.name for unit in inventory.units_for(3, 3)] == names[4:]
    assert inventory.weights_bytes(0, 3) == inventory.total_bytes
    for wrong in ((-1, 2), (2, 1), (0, 4)):
        with pytest.raises(ValueError, match="not a range"):
            inventory.units_for(*wrong)


def test_facts(tmp_path: Path) -> None:
    layer_types = ["full_attention", "sliding_attention"] * 2
    inventory = inspect(write(tmp_path, layer_types=layer_types, sliding_window=6))
    assert (inventory.model_type, inventory.layer_count, inventory.context_length) == ("llama", 4, 512)
    assert (inventory.vocab_size, inventory.hidden_size, inventory.dtype) == (48, 32, "float32")
    assert inventory.kv_bytes_per_token == (2 * 2 * 8 * 4,) * 4
    assert inventory.kv_limit_tokens == (None, 6, None, 6)
    assert inventory.fixed_cache_bytes == (0,) * 4
    assert inventory.forbidden_cuts == {}
    assert inventory.quantization is None


def test_a_tied_embedding_is_needed_at_both_ends(tmp_path: Path) -> None:
    inventory = inspect(write(tmp_path, tie_word_embeddings=True))
    assert inventory.tied
    assert [unit.name for unit in inventory.units_for(3, 3)] == ["embedding", "layer.3", "norm"]
    assert [unit.name for unit in inventory.units_for(0, 0)] == ["embedding", "layer.0"]
    assert inventory.weights_bytes(0, 3) == inventory.total_bytes


@with_shared
def test_position_embeddings_are_in_the_embedding() -> None:
    inventory = inspect(SHARED / "models" / "tinychat-gpt2")
    assert [tensor.name for tensor in inventory.units[0].tensors] == ["wpe.weight", "wte.weight"]


@with_shared
@pytest.mark.parametrize(
    ("name", "dtype", "quantization"),
    [
        ("tinychat-llama", "float32", None),
        ("tinychat-llama-bf16-5files", "bfloat16", None),
        ("tinychat-llama-4bit", "float16", "4-bit, groups of 64"),
    ],
)
def test_words(name: str, dtype: str, quantization: str | None) -> None:
    inventory = inspect(SHARED / "models" / name)
    assert (inventory.dtype, inventory.quantization) == (dtype, quantization)


def test_blueprint_is_deterministic(tmp_path: Path) -> None:
    one, other = inspect(write(tmp_path / "a")), inspect(write(tmp_path / "b"))
    assert one.blueprint() == other.blueprint()
    value = json.loads(one.blueprint())
    assert value["config"] == LLAMA
    assert value["tensors"]["model.norm.weight"] == ["F32", [32]]


def test_many_threads_at_once(tmp_path: Path) -> None:
    write(tmp_path)
    expected = inspect(tmp_path)
    with ThreadPoolExecutor(3, thread_name_prefix="inspect") as pool:
        assert all(found == expected for found in pool.map(lambda _: inspect(tmp_path), range(12)))
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("inspect")]


def test_keeps_nothing(tmp_path: Path) -> None:
    write(tmp_path)
    inspect(tmp_path)
    gc.collect()
    before = mx.get_active_memory()
    for _ in range(5):
        inspect(tmp_path)
    gc.collect()
    assert mx.get_active_memory() - before < 10_000


@pytest.mark.parametrize(
    ("changes", "kind", "words"),
    [
        ({"model_type": "made_up"}, UnsupportedModel, "no 'made_up' models"),
        ({"model_type": "made_up", "auto_map": {"AutoModel": "x.Y"}}, UnsupportedModel, "never runs"),
        ({"model_type": "cache"}, UnsupportedModel, "no 'cache' models"),
        ({"model_type": "../utils"}, UnsupportedModel, "models"),
        ({"model_type": "olmo"}, UnsupportedModel, "no 'olmo' models"),
        ({"num_hidden_layers": 10**9}, UnsupportedModel, "layers"),
        ({"num_hidden_layers": 5}, CheckpointError, "do not fit config.json"),
        ({"vocab_size": 47}, CheckpointError, "do not fit config.json"),
        ({"hidden_size": "wide"}, UnsupportedModel, "cannot build"),
        ({"text_config": [1]}, None, ""),
    ],
)
def test_configurations(tmp_path: Path, changes: dict[str, Any], kind: type[Exception] | None, words: str) -> None:
    write(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(LLAMA | changes))
    if kind is None:
        assert inspect(tmp_path).layer_count == 4
        return
    with pytest.raises(kind, match=words):
        inspect(tmp_path)

"""Model directories: what is whole, and how it is said what is not."""

import json
from collections.abc import Callable
from pathlib import Path

import mlx.core as mx
import pytest
from model_checkpoints import write_tensors

from shardd.model.checkpoint import INDEX, read_checkpoint
from shardd.model.errors import CheckpointError, ModelError, UnsupportedModel

CONFIG = {"model_type": "llama"}


def tensors(count: int = 4) -> dict[str, mx.array]:
    return {f"t{number}": mx.full((number + 1,), number, mx.float32) for number in range(count)}


@pytest.mark.parametrize("files", [1, 3])
def test_finds_every_tensor(tmp_path: Path, files: int) -> None:
    checkpoint = read_checkpoint(write_tensors(tensors(), CONFIG, tmp_path, files))
    assert checkpoint.config == CONFIG
    assert {name: info.shape for name, info in checkpoint.tensors.items()} == {f"t{n}": (n + 1,) for n in range(4)}
    assert len({info.file for info in checkpoint.tensors.values()}) == files


def test_several_files_without_an_index(tmp_path: Path) -> None:
    write_tensors(tensors(), CONFIG, tmp_path, 2)
    (tmp_path / INDEX).unlink()
    assert len(read_checkpoint(tmp_path).tensors) == 4


def test_folds_in_the_quantisation_of_a_separate_file(tmp_path: Path) -> None:
    write_tensors(tensors(), CONFIG, tmp_path)
    (tmp_path / "hf_quant_config.json").write_text('{"quant_method": "modelopt"}')
    assert read_checkpoint(tmp_path).config["quantization_config"] == {"quant_method": "modelopt"}


def no_config(folder: Path) -> None:
    (folder / "config.json").unlink()


def bad_config(folder: Path) -> None:
    (folder / "config.json").write_text("{")


def list_config(folder: Path) -> None:
    (folder / "config.json").write_text("[]")


def no_type(folder: Path) -> None:
    (folder / "config.json").write_text('{"hidden_size": 3}')


def own_code(folder: Path) -> None:
    (folder / "config.json").write_text('{"model_type": "llama", "model_file": "evil.py"}')


def no_weights(folder: Path) -> None:
    for file in folder.glob("model*"):
        file.unlink()


def missing_file(folder: Path) -> None:
    (folder / "model-00002-of-00003.safetensors").unlink()


def truncated_file(folder: Path) -> None:
    file = folder / "model-00002-of-00003.safetensors"
    file.write_bytes(file.read_bytes()[:-1])


def file_outside(folder: Path) -> None:
    (folder / INDEX).write_text(json.dumps({"weight_map": {"t0": "../model.safetensors"}}))


def wrong_file(folder: Path) -> None:
    index = json.loads((folder / INDEX).read_text())
    index["weight_map"]["t9"] = "model-00001-of-00003.safetensors"
    (folder / INDEX).write_text(json.dumps(index))


def same_tensor_twice(folder: Path) -> None:
    first = folder / "model-00001-of-00003.safetensors"
    (folder / "model-00002-of-00003.safetensors").write_bytes(first.read_bytes())


@pytest.mark.parametrize(
    ("damage", "kind", "words"),
    [
        (no_config, CheckpointError, "no config.json"),
        (bad_config, CheckpointError, "not valid JSON"),
        (list_config, CheckpointError, "JSON object"),
        (no_type, CheckpointError, "names no model type"),
        (own_code, UnsupportedModel, "evil.py"),
        (no_weights, CheckpointError, "holds no weights"),
        (missing_file, CheckpointError, "model-00002-of-00003.safetensors is missing"),
        (truncated_file, CheckpointError, "incomplete"),
        (file_outside, CheckpointError, "impossible file"),
        (wrong_file, CheckpointError, "lacks the tensor t9"),
        (same_tensor_twice, CheckpointError, "in two files"),
    ],
)
def test_says_what_is_wrong(tmp_path: Path, damage: Callable[[Path], None], kind: type[ModelError], words: str) -> None:
    damage(write_tensors(tensors(), CONFIG, tmp_path, 3))
    with pytest.raises(kind, match=words) as caught:
        read_checkpoint(tmp_path)
    assert str(caught.value) == f"{caught.value.cause} {caught.value.remedy}".strip()

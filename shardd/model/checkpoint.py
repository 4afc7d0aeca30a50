"""A model directory in Hugging Face layout: its configuration, and where each of its tensors lies."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, cast

from shardd.model.bounds import parsing_bytes
from shardd.model.errors import CheckpointError, UnsupportedModel
from shardd.model.headers import FETCH_AGAIN, TensorInfo, read_header

INDEX = "model.safetensors.index.json"
CONFIG_LIMIT = 4 << 20
INDEX_LIMIT = 32 << 20
MOST_TENSORS = 400_000
MOST_LAYERS = 2000
MOST_EXPERTS = 16_384
CONFIG_MEMORY = 24 << 20
INDEX_MEMORY = 84 << 20
_COUNT = re.compile(r"(?:(?:\w+_)?(?:num|n)_(?:\w+_)?|(?:\w+_)?)(layer|block|expert)s?(?:_per_tok)?")


@dataclass(frozen=True)
class Checkpoint:
    """What a model directory holds, from its configuration and headers alone.

    Attributes:
        directory: the model directory.
        config: config.json as it stands, with `hf_quant_config.json` folded in as mlx-lm does.
        tensors: every tensor by name, in the order of files and of bytes within each.
    """

    directory: Path
    config: dict[str, Any]
    tensors: Mapping[str, TensorInfo]


def read_checkpoint(directory: Path) -> Checkpoint:
    """Read config.json and all safetensors headers of `directory`; no weights.

    Raises:
        CheckpointError: not a model directory, a file is missing or truncated, a header is malformed.
        UnsupportedModel: the model would run Python code of its own.
    """
    if not (directory / "config.json").is_file():
        raise CheckpointError(
            f"{directory} is not a model: it has no config.json.", "Choose the folder that holds config.json."
        )
    config = read_json(directory / "config.json", CONFIG_LIMIT)
    check_config(config, directory.name)
    quantization = directory / "hf_quant_config.json"
    if quantization.is_file() and "quantization_config" not in {**config, **text_config(config)}:
        config["quantization_config"] = read_json(quantization, CONFIG_LIMIT)
    return Checkpoint(directory, config, _read_tensors(directory))


def check_config(config: Mapping[str, Any], name: str) -> None:
    """Refuse a configuration that would have code run, or says nothing. Raises as read_checkpoint."""
    if config.get("model_file") is not None:
        raise UnsupportedModel(
            f"{name} brings its own program code ({config['model_file']!r}), which Shardboard never runs.",
            "Choose a version of the model without it.",
        )
    if not isinstance(config.get("model_type"), str):
        raise CheckpointError(f"The config.json of {name} names no model type.", FETCH_AGAIN)


def check_counts(config: Mapping[str, Any]) -> None:
    """Refuse numbers of layers and experts that no model has: each is an object before any weight is. Raises
    UnsupportedModel."""
    for name, value in config.items():
        if isinstance(value, dict):
            check_counts(cast("dict[str, Any]", value))
        elif (found := _COUNT.fullmatch(name)) and isinstance(value, int | float):
            most = MOST_EXPERTS if found[1] == "expert" else MOST_LAYERS
            if not 0 <= value <= most:
                raise UnsupportedModel(f"The config.json has the impossible {name} {value!r}"[:120] + ".", FETCH_AGAIN)


def text_config(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """The part of a multimodal model's configuration that is about text; empty where there is none."""
    part = config.get("text_config")
    return cast("dict[str, Any]", part) if isinstance(part, dict) else {}


def read_json(file: Path, limit: int, memory: int = CONFIG_MEMORY) -> dict[str, Any]:
    """The JSON object in `file`, which may have at most `limit` bytes and take about `memory` when parsed.

    Raises:
        CheckpointError: unreadable, too big, or not an object.
    """
    try:
        with file.open("rb") as stream:
            text = stream.read(limit + 1)
        if len(text) > limit or parsing_bytes(text) > memory:
            raise CheckpointError(f"{file.name} holds more than any model needs.", FETCH_AGAIN)
        value = json.loads(text)
    except OSError as error:
        raise CheckpointError(f"{file.name} cannot be read: {error.strerror or error}.") from error
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{file.name} is not valid JSON: {error}.", FETCH_AGAIN) from error
    if not isinstance(value, dict):
        raise CheckpointError(f"{file.name} does not hold a JSON object.", FETCH_AGAIN)
    return cast("dict[str, Any]", value)


def _read_tensors(directory: Path) -> dict[str, TensorInfo]:
    index = _read_index(directory)
    # Without an index every file counts that mlx-lm would load.
    names = sorted(set(index.values())) if index else sorted(file.name for file in directory.glob("model*.safetensors"))
    if not names:
        raise CheckpointError(f"{directory} holds no weights (no safetensors file).", FETCH_AGAIN)
    missing = [name for name in names if not (directory / name).is_file()]
    if missing:
        more = f" and {len(missing) - 1} more are" if len(missing) > 1 else " is"
        raise CheckpointError(f"{missing[0]}{more} missing from {directory}.", "Download the model again.")
    tensors: dict[str, TensorInfo] = {}
    for name in names:
        for tensor in read_header(directory / name).values():
            if tensor.name in tensors:
                twice = f"{tensors[tensor.name].file.name} and {name}"
                raise CheckpointError(f"The tensor {tensor.name} is in two files, {twice}.", FETCH_AGAIN)
            tensors[tensor.name] = tensor
        if len(tensors) > MOST_TENSORS:
            raise CheckpointError(f"{directory.name} has more than {MOST_TENSORS} tensors.", FETCH_AGAIN)
    for tensor_name, file_name in index.items():
        if tensor_name not in tensors or tensors[tensor_name].file.name != file_name:
            raise CheckpointError(f"{file_name} lacks the tensor {tensor_name} that {INDEX} promises.", FETCH_AGAIN)
    return tensors


def _read_index(directory: Path) -> dict[str, str]:
    """Tensor name to file name; empty where there is no index."""
    if not (directory / INDEX).is_file():
        return {}
    weight_map = read_json(directory / INDEX, INDEX_LIMIT, INDEX_MEMORY).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise CheckpointError(f"{INDEX} has no table of weights.", FETCH_AGAIN)
    entries = cast("dict[str, Any]", weight_map)
    for file_name in set(map(str, entries.values())):
        # The index comes from the net: it may not point out of the folder.
        if (
            PurePosixPath(file_name).name != file_name
            or len(file_name.encode(errors="replace")) > 200
            or not file_name.endswith(".safetensors")
        ):
            raise CheckpointError(f"{INDEX} names the impossible file {file_name[:80]!r}.", FETCH_AGAIN)
    return {name: str(file_name) for name, file_name in entries.items()}

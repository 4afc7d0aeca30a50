"""The blueprint: all that a node needs to know of a model besides its units.

Canonical JSON `{"config": config.json, "tensors": {name: [dtype, shape]}}`: equal models have equal bytes.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, cast

from shardd.model.bounds import parsing_bytes
from shardd.model.checkpoint import check_counts
from shardd.model.errors import CheckpointError
from shardd.model.headers import TensorInfo, check_name, tensor_form

SIZE_LIMIT = 32 << 20
MEMORY_LIMIT = 512 << 20
FETCH = "Send the model to this node again."


@dataclass(frozen=True)
class Blueprint:
    """A model's configuration and the form (safetensors dtype, shape) of each of its tensors."""

    config: dict[str, Any]
    forms: dict[str, tuple[str, tuple[int, ...]]]


def write_blueprint(config: dict[str, Any], tensors: Iterable[TensorInfo]) -> bytes:
    """The blueprint's bytes; a function of its content alone."""
    forms = {tensor.name: [tensor.dtype, tensor.shape] for tensor in tensors}
    return json.dumps({"config": config, "tensors": forms}, sort_keys=True, separators=(",", ":")).encode()


def read_blueprint(data: bytes) -> Blueprint:
    """Read bytes that came over the net.

    Raises:
        CheckpointError: they are not a blueprint.
        UnsupportedModel: of a model with impossible numbers of layers or experts.
    """
    try:
        if len(data) > SIZE_LIMIT or parsing_bytes(data) > MEMORY_LIMIT:
            raise ValueError(f"it has {len(data)} bytes")
        value = json.loads(data)
        match value:
            case {"config": {"model_type": str()}, "tensors": dict()} if len(value) == 2:
                pass
            case _:
                raise ValueError("it lacks the configuration or the tensors")
        forms: dict[str, tuple[str, tuple[int, ...]]] = {}
        for name, form in cast("dict[str, Any]", value["tensors"]).items():
            check_name(name)
            match form:
                case [dtype, shape]:
                    forms[name] = tensor_form(dtype, shape)
                case _:
                    raise ValueError(f"the tensor {name[:80]!r} has no form")
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"The model's description is malformed: {error}.", FETCH) from error
    if value["config"].get("model_file") is not None:
        raise CheckpointError("The model's description asks for program code, which is never run.")
    check_counts(value["config"])
    return Blueprint(value["config"], forms)

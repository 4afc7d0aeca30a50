"""What a model is: its units, what they weigh, what its caches take, where it can be cut."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from shardd.model.blueprint import write_blueprint
from shardd.model.checkpoint import Checkpoint, check_counts, read_checkpoint, text_config
from shardd.model.headers import TensorInfo
from shardd.model.leaves import Form, flatten
from shardd.model.plan import Plan, make_plan, stage_phases
from shardd.model.units import Unit

CONTEXT_KEYS = ("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len", "max_sequence_length", "seq_length")


@dataclass(frozen=True)
class Inventory:
    """Everything the controller knows of a model without loading it.

    Attributes:
        model_type: as config.json names it.
        layer_count: transformer layers; they are numbered from 0.
        units: embedding, layers in order, units of tensors that several layers read, norm, head (if it has its own).
        config: config.json.
        context_length: tokens it was made for, if config.json says so.
        vocab_size, hidden_size: V of the logits and D of the hidden state.
        dtype: of activations: "float32", "bfloat16" or "float16".
        quantization: in words ("4-bit, groups of 64"), None for full precision.
        tied: whether the LM head is the embedding, so that head and tail both hold it.
        kv_bytes_per_token: for each layer, bytes its cache grows with each token of one sequence.
        kv_limit_tokens: for each layer, after how many tokens it grows no more (a sliding window), or None.
        fixed_cache_bytes: for each layer, bytes that its cache takes for one sequence from the start.
        forbidden_cuts: c: why there can be no boundary between layers c-1 and c.
        readers: unit name to the phases that need it: -1 embedding, a layer's number, `layer_count` norm and head.
        tensors: every tensor of the checkpoint.
    """

    model_type: str
    layer_count: int
    units: tuple[Unit, ...]
    config: dict[str, Any]
    context_length: int | None
    vocab_size: int
    hidden_size: int
    dtype: str
    quantization: str | None
    tied: bool
    kv_bytes_per_token: tuple[int, ...]
    kv_limit_tokens: tuple[int | None, ...]
    fixed_cache_bytes: tuple[int, ...]
    forbidden_cuts: Mapping[int, str]
    readers: Mapping[str, frozenset[int]]
    tensors: tuple[TensorInfo, ...]

    @property
    def total_bytes(self) -> int:
        """Bytes of all units' tensors, each once."""
        return sum(unit.nbytes for unit in self.units)

    def units_for(self, first: int, last: int) -> tuple[Unit, ...]:
        """What a stage of layers `first` to `last` (inclusive) needs, in the order of `units`.

        A tied embedding is needed by the head and by the tail.

        Raises:
            ValueError: there is no such range.
        """
        if not 0 <= first <= last < self.layer_count:
            raise ValueError(f"layers {first} to {last} are not a range of 0 to {self.layer_count - 1}")
        phases = stage_phases(first, last, self.layer_count)
        return tuple(unit for unit in self.units if self.readers[unit.name] & phases)

    def weights_bytes(self, first: int, last: int) -> int:
        """Bytes of the tensors that a stage of layers `first` to `last` (inclusive) needs."""
        return sum(unit.nbytes for unit in self.units_for(first, last))

    def blueprint(self) -> bytes:
        """All that a node needs besides units, as canonical bytes."""
        return write_blueprint(self.config, self.tensors)


def inspect(directory: Path) -> Inventory:
    """Take the inventory of the model in `directory`, in any thread, without reading weights.

    Raises:
        CheckpointError: it is not a whole and well-formed checkpoint.
        UnsupportedModel: mlx-lm does not know such models, or they cannot be split.
    """
    return inspect_checkpoint(read_checkpoint(directory))


def inspect_checkpoint(checkpoint: Checkpoint) -> Inventory:
    """As inspect, of a checkpoint whose configuration and tensors are known from elsewhere; raises the same."""
    check_counts(checkpoint.config)
    forms = {name: (info.dtype, info.shape) for name, info in checkpoint.tensors.items()}
    plan = make_plan(checkpoint.config, forms)
    return _inventory(checkpoint, plan)


def _inventory(checkpoint: Checkpoint, plan: Plan) -> Inventory:
    config, flow = checkpoint.config, plan.flow
    units, readers = _group(checkpoint, plan)
    hidden: Form = next(iter(flatten(flow.returned[0]).values()))
    return Inventory(
        model_type=config["model_type"],
        layer_count=flow.layer_count,
        units=units,
        config=config,
        context_length=_first_number(config, CONTEXT_KEYS),
        vocab_size=int(flow.logits.shape[-1]),
        hidden_size=int(hidden.shape[-1]),
        dtype=hidden.dtype,
        quantization=_quantization_words(config),
        tied=flow.layer_count in readers.get("embedding", ()),
        kv_bytes_per_token=tuple(cost.per_token for cost in plan.costs),
        kv_limit_tokens=tuple(cost.limit for cost in plan.costs),
        fixed_cache_bytes=tuple(cost.fixed for cost in plan.costs),
        forbidden_cuts=flow.forbidden,
        readers=readers,
        tensors=tuple(checkpoint.tensors.values()),
    )


def _group(checkpoint: Checkpoint, plan: Plan) -> tuple[tuple[Unit, ...], dict[str, frozenset[int]]]:
    """Units in order, and which phases need each."""
    count = plan.flow.layer_count
    members: dict[str, list[TensorInfo]] = {"embedding": [], **{f"layer.{number}": [] for number in range(count)}}
    readers = {name: frozenset[int]() for name in members}
    shared = {phases: f"shared.{number}" for number, phases in enumerate(_shared(plan))}
    for name in sorted(plan.tensors):
        phases = plan.tensors[name]
        unit = shared.get(phases) or _unit_name(phases, count, name in plan.head_tensors)
        members.setdefault(unit, []).append(checkpoint.tensors[name])
        readers[unit] = readers.get(unit, frozenset()) | phases
    order = [name for name in members if name not in ("norm", "head")]
    order += [name for name in ("norm", "head") if name in members]
    return tuple(Unit(name, tuple(members[name])) for name in order if members[name]), readers


def _unit_name(phases: frozenset[int], count: int, in_head: bool) -> str:
    if -1 in phases:
        return "embedding"
    if phases == frozenset({count}):
        return "head" if in_head else "norm"
    (layer,) = phases
    return f"layer.{layer}"


def _shared(plan: Plan) -> list[frozenset[int]]:
    """Sets of several phases that read one tensor, but for a tied embedding's."""
    tied = frozenset({-1, plan.flow.layer_count})
    return sorted({phases for phases in plan.tensors.values() if len(phases) > 1 and phases != tied}, key=sorted)


def _first_number(config: Mapping[str, Any], keys: tuple[str, ...]) -> int | None:
    for table in (config, text_config(config)):
        for key in keys:
            if isinstance(table.get(key), int):
                return table[key]
    return None


def _quantization_words(config: Mapping[str, Any]) -> str | None:
    table: Any = (
        config.get("quantization")
        or config.get("quantization_config")
        or text_config(config).get("quantization_config")
    )
    if not isinstance(table, Mapping):
        return None
    settings = cast("Mapping[str, Any]", table)
    method = str(settings.get("mode") or settings.get("quant_method") or "affine")
    widths = sorted({each["bits"] for each in (settings, *_tables(settings)) if "bits" in each})
    if not widths:
        return method
    words = " and ".join(f"{bits}-bit" for bits in widths)
    prefix = "" if method == "affine" else f"{method} "
    return f"{prefix}{words}" + (f", groups of {settings['group_size']}" if "group_size" in settings else "")


def _tables(settings: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The settings of single modules, where they differ from the rest's."""
    return [each for each in settings.values() if isinstance(each, Mapping)]

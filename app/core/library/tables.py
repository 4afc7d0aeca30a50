"""Models that are known by a table of what their tensors weigh, without a file of theirs.

A table is JSON: `{"model", "model_type", "variants": [{"bits", "outside_layers", "layer_kinds", "layers"}]}`, where
`outside_layers` and each of `layer_kinds` map tensor names to `{"shape", "dtype"}`, and `layers` says which kind each
layer is. A config.json beside it makes the figures for caches exact; without one they are taken from the shapes.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, cast

from app.core.errors import ShardboardError
from app.core.text import phrase
from shardd.model.headers import ITEM_BYTES, TensorInfo
from shardd.model.inventory import Inventory
from shardd.model.survey import Description, survey_description
from shardd.model.units import Unit

DTYPES = {
    "bfloat16": "BF16",
    "float16": "F16",
    "float32": "F32",
    "uint32": "U32",
    "uint8": "U8",
    "int8": "I8",
    "int32": "I32",
}
GROUP_SIZE = 64
LARGEST_TABLE = 64 << 20
LAYER_PREFIX = {"transformer.wte.weight": "transformer.h"}
USUAL_PREFIX = "model.layers"
KEY_ROWS = re.compile(r"(self_attn|attn|attention)\.(k_proj|v_proj)\.(weight|bias)$")


@dataclass(frozen=True, slots=True)
class TableModel:
    """note: which variant it is, and where the cache's figures come from, in words."""

    name: str
    inventory: Inventory
    note: str


def is_table(text: str) -> bool:
    """Whether a person names a table rather than a model."""
    return text.endswith(".json") and Path(text).is_file()


def read_table(path: Path, bits: int | None = None, config: Path | None = None) -> TableModel:
    """The model of a table. bits: which variant, the first where None. Blocks.

    Raises:
        ShardboardError: it is no such table, or lacks the variant.
        ModelError: mlx-lm has no such models, or they cannot be split.
    """
    try:
        return _read(path, bits, config)
    except (KeyError, TypeError, AttributeError, ValueError, ArithmeticError, LookupError, RecursionError) as error:
        raise ShardboardError(
            phrase(
                "{name} is not a table of a model's tensors ({name_2}: {error}).",
                name=path.name,
                name_2=type(error).__name__,
                error=str(error)[:80],
            ),
            "Name a model.",
        ) from error


def _read(path: Path, bits: int | None, config: Path | None) -> TableModel:
    try:
        if path.stat().st_size > LARGEST_TABLE:
            raise ValueError("it is larger than any table")
        table = json.loads(path.read_text())
        variants = {int(each["bits"]): each for each in table["variants"]}
        name, model_type = str(table["model"]), str(table["model_type"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ShardboardError(
            phrase("{name} is not a table of a model's tensors: {error}.", name=path.name, error=error), "Name a model."
        ) from None
    chosen = bits or next(iter(variants), 0)
    if chosen not in variants:
        known = ", ".join(str(each) for each in variants)
        raise ShardboardError(
            phrase("{name} has no variant of {chosen} bits.", name=path.name, chosen=chosen),
            phrase("It has: {known}.", known=known),
        )
    facts = _config_beside(path, config)
    tensors = _tensors(variants[chosen])
    if facts is None:
        inventory = _inventory_of_shapes(model_type, variants[chosen], tensors)
        return TableModel(name, inventory, f"{chosen}-bit; no config.json, so its cache is estimated from the shapes")
    if chosen < 16:
        facts |= {"quantization": {"bits": chosen, "group_size": GROUP_SIZE}}
    for key in ("quantization_config", "auto_map"):
        facts.pop(key, None)  # the table's tensors are as mlx-lm has them
    if chosen < 16:
        # What a table leaves in full precision is not quantised.
        plain = {each.removesuffix(".weight") for each, _, _ in tensors if each.endswith(".weight")}
        quantised = {each.removesuffix(".scales") for each, _, _ in tensors if each.endswith(".scales")}
        facts["quantization"] |= dict.fromkeys(plain - quantised, False)
    inventory = survey_description(Description(name, facts, tensors))
    return TableModel(name, inventory, f"{chosen}-bit")


def _config_beside(path: Path, config: Path | None) -> dict[str, Any] | None:
    """The named configuration, or one of the same name beside the table or in a folder `configs` next to its own."""
    places = [config] if config else [path.parent.parent / "configs" / path.name, path.with_suffix(".config.json")]
    for place in places:
        if place.is_file():
            try:
                return cast("dict[str, Any]", json.loads(place.read_text()))
            except (OSError, ValueError) as error:
                raise ShardboardError(
                    phrase("{name} is not a config.json: {error}.", name=place.name, error=error)
                ) from None
    if config:
        raise ShardboardError(phrase("{config} does not exist.", config=config))
    return None


def _tensors(variant: dict[str, Any]) -> tuple[tuple[str, str, tuple[int, ...]], ...]:
    outside: dict[str, Any] = variant["outside_layers"]
    prefix = next((places for first, places in LAYER_PREFIX.items() if first in outside), USUAL_PREFIX)
    named = dict(outside)
    for number, kind in enumerate(variant["layers"]):
        named |= {f"{prefix}.{number}.{name}": facts for name, facts in variant["layer_kinds"][kind].items()}
    try:
        return tuple((name, DTYPES[facts["dtype"]], tuple(map(int, facts["shape"]))) for name, facts in named.items())
    except (KeyError, TypeError, ValueError) as error:
        raise ShardboardError(phrase("The table holds a tensor that cannot be read: {error}.", error=error)) from None


def _inventory_of_shapes(
    model_type: str, variant: dict[str, Any], tensors: tuple[tuple[str, str, tuple[int, ...]], ...]
) -> Inventory:
    """Units by name and a cache of keys and values in 16 bits, for every layer that has projections for them."""
    count = len(variant["layers"])
    infos = [
        TensorInfo(name, dtype, shape, Path(model_type), 0, ITEM_BYTES[dtype] * prod(shape))
        for name, dtype, shape in tensors
    ]
    members: dict[str, list[TensorInfo]] = {"embedding": []}
    for info in infos:
        layer = re.search(r"\.(?:layers|h)\.(\d+)\.", info.name)
        outside = "head" if "lm_head" in info.name else "norm" if "norm" in info.name or "ln_f" in info.name else ""
        members.setdefault(f"layer.{layer[1]}" if layer else outside or "embedding", []).append(info)
    order = ["embedding", *(f"layer.{number}" for number in range(count)), "norm", "head"]
    tied = "head" not in members
    readers = {f"layer.{number}": frozenset({number}) for number in range(count)}
    readers |= {"norm": frozenset({count}), "head": frozenset({count})}
    readers["embedding"] = frozenset({-1, count}) if tied else frozenset({-1})
    rows = [
        sum(info.shape[0] for info in members[f"layer.{n}"] if KEY_ROWS.search(info.name) and len(info.shape) == 2)
        for n in range(count)
    ]
    embedding = max(members["embedding"], key=lambda info: info.nbytes)
    norm = members["norm"][0]
    return Inventory(
        model_type=model_type,
        layer_count=count,
        units=tuple(Unit(name, tuple(members[name])) for name in order if name in members),
        config={"model_type": model_type},
        context_length=None,
        vocab_size=embedding.shape[0],
        hidden_size=norm.shape[0],
        dtype="bfloat16",
        quantization=None if variant["bits"] >= 16 else f"{variant['bits']}-bit, groups of {GROUP_SIZE}",
        tied=tied,
        kv_bytes_per_token=tuple(2 * each for each in rows),
        kv_limit_tokens=(None,) * count,
        fixed_cache_bytes=(0,) * count,
        forbidden_cuts={},
        readers={name: readers[name] for name in order if name in members},
        tensors=tuple(infos),
    )

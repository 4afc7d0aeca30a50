"""What a shard consists of: pure values, and their one way to and from JSON."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import cast

from blake3 import blake3

from shardd.host.names import clean_name
from shardd.store.errors import ManifestError

LARGEST_MANIFEST = 1 << 20
"""Bytes of JSON beyond which nothing is parsed."""
MOST_UNITS = 4096
MOST_LAYERS = 10_000
LARGEST_UNIT = 1 << 44
LONGEST_MODEL_NAME = 128

_DIGEST = re.compile("[0-9a-f]{64}")
_UNIT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")
_REMEDY = "Deploy the model again."
_MANIFEST_KEYS = {"model", "blueprint", "first", "last", "layer_count", "units"}
_UNIT_KEYS = {"name", "digest", "bytes"}


def is_digest(text: str) -> bool:
    """Tell whether a text is a BLAKE3 digest in lower-case hex; nothing else may become a file name."""
    return _DIGEST.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class UnitReference:
    """One unit of a shard.

    Attributes:
        name: what the model calls it, such as `layer.3`; never a file name.
        digest: BLAKE3 of the content, 64 lower-case hex digits.
        bytes: the content's size.

    Raises:
        ManifestError: a field is malformed or out of bounds.
    """

    name: str
    digest: str
    bytes: int

    def __post_init__(self) -> None:
        _require(_UNIT_NAME.fullmatch(self.name) is not None, "a unit has an impossible name")
        _require(is_digest(self.digest), f"the digest of {self.name} is malformed")
        _require(0 < self.bytes <= LARGEST_UNIT, f"the size of {self.name} is impossible")


@dataclass(frozen=True)
class ShardManifest:
    """A range of layers and the units it is made of.

    Attributes:
        model: the model's name for people; cleaned on the way in.
        blueprint: digest of the unit that describes the model.
        first, last: the layers of the range, from 0, both inclusive.
        layer_count: of the whole model.
        units: each with its own name; two may share one digest (tied weights).

    Raises:
        ManifestError: a field is malformed or out of bounds.
    """

    model: str
    blueprint: str
    first: int
    last: int
    layer_count: int
    units: tuple[UnitReference, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "model", clean_name(self.model, LONGEST_MODEL_NAME))
        _require(bool(self.model), "the model has no name")
        _require(is_digest(self.blueprint), "the blueprint's digest is malformed")
        _require(0 < self.layer_count <= MOST_LAYERS, "the number of layers is impossible")
        _require(0 <= self.first <= self.last < self.layer_count, "the range of layers is impossible")
        _require(0 < len(self.units) <= MOST_UNITS, "the number of units is impossible")
        _require(len({unit.name for unit in self.units}) == len(self.units), "two units have the same name")
        sizes = {unit.digest: unit.bytes for unit in self.units}
        _require(all(sizes[unit.digest] == unit.bytes for unit in self.units), "one unit has two sizes")

    @cached_property
    def shard_id(self) -> str:
        """BLAKE3 of the manifest's JSON, 64 hex digits: the same content has the same name on every machine."""
        return blake3(self.to_json().encode()).hexdigest()

    @property
    def digests(self) -> frozenset[str]:
        """Every unit the shard needs on disk, the blueprint among them."""
        return frozenset({self.blueprint, *(unit.digest for unit in self.units)})

    @property
    def total_bytes(self) -> int:
        """Bytes of the units, each content once; the blueprint counts where it is one of them."""
        return sum({unit.digest: unit.bytes for unit in self.units}.values())

    def to_json(self) -> str:
        """Write the manifest in its one canonical form: sorted keys, no white space, ASCII."""
        record = {
            "model": self.model,
            "blueprint": self.blueprint,
            "first": self.first,
            "last": self.last,
            "layer_count": self.layer_count,
            "units": [{"name": unit.name, "digest": unit.digest, "bytes": unit.bytes} for unit in self.units],
        }
        return json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=True)

    @classmethod
    def from_json(cls, text: str | bytes) -> "ShardManifest":
        """Read a manifest; strict: every key once, none beyond, no value of another type.

        Raises:
            ManifestError: anything else, with what was wrong.
        """
        _require(len(text) <= LARGEST_MANIFEST, "it is too long")
        try:
            record = cast(object, json.loads(text, object_pairs_hook=_object_without_repeats))
        except (ValueError, RecursionError) as error:
            raise ManifestError("The shard's manifest is damaged: it is not JSON.", _REMEDY) from error
        fields = _object(record, _MANIFEST_KEYS)
        units = fields["units"]
        if not isinstance(units, list):
            raise _malformed("`units` is not a list")
        entries = cast(list[object], units)
        _require(len(entries) <= MOST_UNITS, "the number of units is impossible")
        return cls(
            model=_text(fields, "model"),
            blueprint=_text(fields, "blueprint"),
            first=_number(fields, "first"),
            last=_number(fields, "last"),
            layer_count=_number(fields, "layer_count"),
            units=tuple(_unit(entry) for entry in entries),
        )


def _unit(value: object) -> UnitReference:
    fields = _object(value, _UNIT_KEYS)
    return UnitReference(_text(fields, "name"), _text(fields, "digest"), _number(fields, "bytes"))


def _object_without_repeats(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    record = dict(pairs)
    if len(record) != len(pairs):
        raise ValueError("a key appears twice")
    return record


def _object(value: object, keys: set[str]) -> dict[str, object]:
    if not isinstance(value, dict) or set(cast(dict[str, object], value)) != keys:
        raise _malformed("it has other fields than it should")
    return cast(dict[str, object], value)


def _text(fields: dict[str, object], key: str) -> str:
    value = fields[key]
    if not isinstance(value, str):
        raise _malformed(f"`{key}` is not a text")
    return value


def _number(fields: dict[str, object], key: str) -> int:
    value = fields[key]
    # To Python, True is a number.
    if not isinstance(value, int) or isinstance(value, bool):
        raise _malformed(f"`{key}` is not a whole number")
    return value


def _malformed(problem: str) -> ManifestError:
    return ManifestError(f"The shard's manifest is malformed: {problem}.", _REMEDY)


def _require(condition: bool, problem: str) -> None:
    if not condition:
        raise _malformed(problem)

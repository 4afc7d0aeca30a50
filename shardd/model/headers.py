"""Safetensors headers, read strictly.

A safetensors file is: 8 bytes little-endian header size; the header, JSON of
`name: {"dtype", "shape", "data_offsets": [begin, end]}`; then the tensors' bytes, without gaps:

    | size: 8 | header: size | data: the offsets count from here ... |

`mlx.core.load` believes a header and may crash on a bad one, so every file is read here first.
"""

import json
import os
import struct
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, cast

from shardd.model.bounds import parsing_bytes
from shardd.model.errors import CheckpointError

HEADER_LIMIT = 16 << 20
HEADER_MEMORY = 64 << 20
NAME_LIMIT = 1024
DIMENSION_LIMIT = 8
FETCH_AGAIN = "Download it again."

ITEM_BYTES = {
    "BOOL": 1, "U8": 1, "I8": 1, "F8_E4M3": 1, "F8_E8M0": 1, "U16": 2, "I16": 2, "F16": 2, "BF16": 2,
    "U32": 4, "I32": 4, "F32": 4, "U64": 8, "I64": 8, "C64": 8,
}  # fmt: skip
"""Bytes of one element, for every dtype that MLX can load."""


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """Where one tensor lies. `offset` is absolute in `file`, `nbytes` the tensor's size there."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    file: Path
    offset: int
    nbytes: int


def read_header(file: Path) -> dict[str, TensorInfo]:
    """The tensors of one safetensors file, in the order of their bytes.

    Raises:
        CheckpointError: the file cannot be read, is truncated, or its header is not exactly well formed.
    """
    try:
        with file.open("rb") as stream:
            actual = os.fstat(stream.fileno()).st_size
            prefix = stream.read(8)
            if len(prefix) < 8:
                raise _malformed(file, f"it is {actual} bytes long, too short for a header")
            (size,) = struct.unpack("<Q", prefix)
            if size > HEADER_LIMIT:
                raise _malformed(file, f"its header claims {size} bytes, more than the {HEADER_LIMIT} allowed")
            if 8 + size > actual:
                raise _truncated(file, 8 + size, actual)
            text = stream.read(size)
    except OSError as error:
        raise CheckpointError(f"{file.name} cannot be read: {error.strerror or error}.") from error
    infos = parse_header(text, file, data_start=8 + size)
    promised = max((info.offset + info.nbytes for info in infos.values()), default=8 + size)
    if promised > actual:
        raise _truncated(file, promised, actual)
    if promised < actual:
        raise _malformed(file, f"{actual - promised} bytes follow the last tensor")
    return infos


def parse_header(text: bytes, file: Path, data_start: int) -> dict[str, TensorInfo]:
    """The tensors that a header's JSON `text` describes; their bytes begin at `data_start` of `file`.

    Raises:
        CheckpointError: anything but well-formed entries whose ranges follow each other without a gap.
    """
    if not text.startswith(b"{"):
        raise _malformed(file, "its header does not begin with a brace")
    if parsing_bytes(text) > HEADER_MEMORY:
        raise _malformed(file, "its header holds more than a file of any model")
    try:
        entries = json.loads(text, object_pairs_hook=_unique_keys)
    except (ValueError, RecursionError) as error:
        raise _malformed(file, f"its header is not valid JSON ({error})") from error
    metadata = entries.pop("__metadata__", {})
    if not isinstance(metadata, dict | None):  # MLX writes null
        raise _malformed(file, "its metadata is not a table")
    infos = sorted(
        (_tensor(name, entry, file, data_start) for name, entry in entries.items()),
        key=lambda info: (info.offset, info.nbytes),
    )
    end = data_start
    for info in infos:
        if info.offset != end:
            problem = "overlaps the one before it" if info.offset < end else "leaves a gap before it"
            raise _malformed(file, f"the tensor {info.name} {problem}")
        end += info.nbytes
    return {info.name: info for info in infos}


def tensor_form(dtype: object, shape: object) -> tuple[str, tuple[int, ...]]:
    """`dtype` and `shape` as they stand in JSON, checked: a known dtype, few and non-negative dimensions.

    Raises:
        ValueError: they are not so; the message says what is wrong.
    """
    if not isinstance(dtype, str) or dtype not in ITEM_BYTES:
        raise ValueError(f"has the unknown type {dtype!r}"[:80])
    if not isinstance(shape, list):
        raise ValueError("has no shape")
    dimensions = cast("list[Any]", shape)
    if len(dimensions) > DIMENSION_LIMIT:
        raise ValueError(f"has {len(dimensions)} dimensions")
    for dimension in dimensions:
        if type(dimension) is not int or not 0 <= dimension < 1 << 31:  # `type`: a bool is an int too
            raise ValueError(f"has the impossible dimension {dimension!r}"[:80])
    return dtype, tuple(dimensions)


def check_name(name: str) -> None:
    """Accepts printable names of sane length.

    Raises:
        ValueError: it is another; the message says what is wrong.
    """
    if not 0 < len(name) <= NAME_LIMIT or not name.isprintable():
        raise ValueError("has an empty, too long or unprintable name")


def _tensor(name: str, entry: object, file: Path, data_start: int) -> TensorInfo:
    try:
        check_name(name)
        if not isinstance(entry, dict):
            raise ValueError("is not described by a table")
        fields = cast("dict[str, Any]", entry)
        if fields.keys() != {"dtype", "shape", "data_offsets"}:
            raise ValueError("is not described by exactly dtype, shape and data_offsets")
        dtype, shape = tensor_form(fields["dtype"], fields["shape"])
        match fields["data_offsets"]:
            case [int() as begin, int() as end] if 0 <= begin <= end < 1 << 62:
                pass
            case _:
                raise ValueError("has impossible offsets")
        if end - begin != prod(shape) * ITEM_BYTES[dtype]:
            raise ValueError(f"spans {end - begin} bytes, which does not fit {dtype} {list(shape)}")
    except ValueError as error:
        raise _malformed(file, f"the tensor {name[:80]!r} {error}") from error
    return TensorInfo(name, dtype, shape, file, data_start + begin, end - begin)


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) != len(pairs):
        raise ValueError("a name appears twice")
    return table


def _truncated(file: Path, promised: int, actual: int) -> CheckpointError:
    return CheckpointError(f"{file.name} is incomplete: it should have {promised} bytes and has {actual}.", FETCH_AGAIN)


def _malformed(file: Path, problem: str) -> CheckpointError:
    return CheckpointError(f"{file.name} is not a sound safetensors file: {problem}.", FETCH_AGAIN)

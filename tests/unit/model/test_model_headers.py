"""Malformed safetensors headers, each refused in words; MLX is never asked to read them."""

import json
import struct
from pathlib import Path
from typing import Any

import pytest

from shardd.model.errors import CheckpointError
from shardd.model.headers import read_header


def tensor(begin: int = 0, end: int = 16, dtype: str = "F32", shape: Any = (4,)) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def write(directory: Path, header: object, data: int = 16, size: int | None = None) -> Path:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    file = directory / "model.safetensors"
    file.write_bytes(struct.pack("<Q", len(text) if size is None else size) + text + bytes(data))
    return file


def test_reads_what_is_there(tmp_path: Path) -> None:
    header = {"__metadata__": {"format": "mlx"}, "b": tensor(16, 20, "BF16", [2, 1]), "a": tensor()}
    infos = read_header(write(tmp_path, header, 20))
    start = 8 + len(json.dumps(header))
    assert [(info.name, info.dtype, info.shape, info.offset, info.nbytes) for info in infos.values()] == [
        ("a", "F32", (4,), start, 16),
        ("b", "BF16", (2, 1), start + 16, 4),
    ]


@pytest.mark.parametrize("header", [{}, {"__metadata__": None}, {"a": tensor(0, 0, shape=[0, 3])}])
def test_reads_empty_files_and_tensors(tmp_path: Path, header: dict[str, Any]) -> None:
    assert all(info.nbytes == 0 for info in read_header(write(tmp_path, header, 0)).values())


BAD: dict[str, tuple[object, str]] = {
    "not JSON": (b"{oops}", "not valid JSON"),
    "not an object": (b"[1, 2]", "brace"),
    "leading space": (b' {"a": 1}', "brace"),
    "nested too deep": (b'{"a":' * 100_000, "not valid JSON"),
    "not UTF-8": (b'{"\xff": 1}', "not valid JSON"),
    "name twice": (b'{"a":{"dtype":"U8","shape":[16],"data_offsets":[0,16]},"a":1}', "twice"),
    "metadata is a list": ({"__metadata__": [1], "a": tensor()}, "metadata"),
    "entry is a number": ({"a": 1}, "table"),
    "extra field": ({"a": tensor() | {"more": 1}}, "exactly"),
    "missing field": ({"a": {"dtype": "F32", "shape": [4]}}, "exactly"),
    "unknown dtype": ({"a": tensor(dtype="F31")}, "unknown type"),
    "dtype is a list": ({"a": tensor() | {"dtype": []}}, "unknown type"),
    "negative dimension": ({"a": tensor(shape=[-4])}, "dimension"),
    "boolean dimension": ({"a": tensor(shape=[True, 4])}, "dimension"),
    "huge dimension": ({"a": tensor(shape=[1 << 40])}, "dimension"),
    "fractional dimension": ({"a": tensor(shape=[4.0])}, "dimension"),
    "too many dimensions": ({"a": tensor(shape=[1] * 8 + [4])}, "dimensions"),
    "shape is a number": ({"a": tensor(shape=4)}, "shape"),
    "shape does not fit": ({"a": tensor(shape=[5])}, "does not fit"),
    "overflowing product": ({"a": tensor(shape=[1 << 30] * 8)}, "does not fit"),
    "offsets reversed": ({"a": tensor(16, 0)}, "offsets"),
    "offsets negative": ({"a": tensor(-16, 0)}, "offsets"),
    "offsets not numbers": ({"a": tensor() | {"data_offsets": ["0", "16"]}}, "offsets"),
    "three offsets": ({"a": tensor() | {"data_offsets": [0, 8, 16]}}, "offsets"),
    "overlap": ({"a": tensor(0, 8, shape=[2]), "b": tensor(4, 16, shape=[3])}, "overlaps"),
    "gap": ({"a": tensor(0, 4, shape=[1]), "b": tensor(8, 16, shape=[2])}, "gap"),
    "gap at the start": ({"a": tensor(4, 16, shape=[3])}, "gap"),
    "bytes left over": ({"a": tensor(0, 8, shape=[2])}, "follow"),
    "empty name": ({"": tensor()}, "name"),
    "control characters": ({"a\n": tensor()}, "name"),
    "long name": ({"a" * 2000: tensor()}, "name"),
}


@pytest.mark.parametrize(("header", "words"), BAD.values(), ids=BAD.keys())
def test_refuses(tmp_path: Path, header: object, words: str) -> None:
    with pytest.raises(CheckpointError, match=words):
        read_header(write(tmp_path, header))


@pytest.mark.parametrize(
    ("size", "words"), [(1 << 40, "more than"), (10_000, "incomplete"), (3, "not valid JSON")], ids=str
)
def test_refuses_a_wrong_header_size(tmp_path: Path, size: int, words: str) -> None:
    with pytest.raises(CheckpointError, match=words):
        read_header(write(tmp_path, {"a": tensor()}, size=size))


def test_a_truncated_file_tells_both_sizes(tmp_path: Path) -> None:
    file = write(tmp_path, {"a": tensor()}, 9)
    actual = file.stat().st_size
    with pytest.raises(CheckpointError) as caught:
        read_header(file)
    assert f"should have {actual + 7} bytes and has {actual}" in str(caught.value)
    assert caught.value.remedy == "Download it again."


@pytest.mark.parametrize("content", [b"", b"\x08\0\0"])
def test_refuses_a_stump(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(CheckpointError, match="too short"):
        read_header(tmp_path / "model.safetensors")


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="cannot be read"):
        read_header(tmp_path / "model.safetensors")

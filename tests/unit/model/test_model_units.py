"""Units as byte streams: valid safetensors files, the same from any offset, of the size that was told."""

import json
from pathlib import Path

import mlx.core as mx
import pytest
from model_checkpoints import equal, write_tensors

from shardd.model.checkpoint import read_checkpoint
from shardd.model.errors import CheckpointError
from shardd.model.headers import read_header
from shardd.model.units import Unit, unit_header, unit_pieces, unit_size

TENSORS = {
    "b.weight": mx.arange(35, dtype=mx.float32).reshape(5, 7),
    "a.weight": mx.arange(3, dtype=mx.bfloat16),
    "a.scales": mx.array([], mx.float16),
    "c": mx.arange(9, dtype=mx.uint8),
}


@pytest.fixture
def unit(tmp_path: Path) -> Unit:
    checkpoint = read_checkpoint(write_tensors(TENSORS, {"model_type": "llama"}, tmp_path, 2))
    return Unit("layer.0", tuple(checkpoint.tensors.values()))


def test_is_a_safetensors_file(unit: Unit, tmp_path: Path) -> None:
    file = tmp_path / "unit"
    file.write_bytes(b"".join(unit_pieces(unit)))
    assert file.stat().st_size == unit_size(unit) == len(unit_header(unit)) + unit.nbytes
    assert list(read_header(file)) == sorted(TENSORS)
    loaded = mx.load(str(file), format="safetensors")
    assert isinstance(loaded, dict)
    assert equal([loaded[name] for name in TENSORS], list(TENSORS.values()))


def test_header_is_padded_and_depends_on_content_alone(unit: Unit) -> None:
    header = unit_header(unit)
    assert len(header) % 8 == 0
    assert list(json.loads(header[8:])) == sorted(TENSORS)
    assert header == unit_header(Unit("another name", unit.tensors[::-1]))


@pytest.mark.parametrize("piece_bytes", [1, 7, 64, 1 << 20])
def test_resumes_anywhere(unit: Unit, piece_bytes: int) -> None:
    whole = b"".join(unit_pieces(unit))
    for start in range(len(whole) + 1):
        pieces = list(unit_pieces(unit, piece_bytes, start))
        assert b"".join(pieces) == whole[start:]
        assert all(len(piece) == piece_bytes for piece in pieces[:-1])
        assert all(pieces)


def test_a_vanished_or_shorter_file_is_told(unit: Unit) -> None:
    last = max(unit.tensors, key=lambda tensor: tensor.name)
    last.file.write_bytes(last.file.read_bytes()[: last.offset])
    with pytest.raises(CheckpointError, match="became shorter"):
        list(unit_pieces(unit))
    last.file.unlink()
    with pytest.raises(CheckpointError, match="cannot be read"):
        list(unit_pieces(unit))

"""Units as byte streams: each is a small safetensors file made of ranges of the checkpoint's own files."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from shardd.model.errors import CheckpointError
from shardd.model.headers import FETCH_AGAIN, TensorInfo


@dataclass(frozen=True, slots=True)
class Unit:
    """The smallest thing placed.

    Attributes:
        name: "embedding", "layer.0" ..., "norm" or "head"; "shared.0" ... for tensors that several layers read.
        tensors: where its tensors lie in the checkpoint, sorted by name.
    """

    name: str
    tensors: tuple[TensorInfo, ...]

    @property
    def nbytes(self) -> int:
        """Bytes of the tensors, without a header."""
        return sum(tensor.nbytes for tensor in self.tensors)


def unit_header(unit: Unit) -> bytes:
    """The first bytes of the unit's file: size and header, a function of the tensors' names and forms alone."""
    entries: dict[str, object] = {}
    end = 0
    for tensor in _in_order(unit):
        begin, end = end, end + tensor.nbytes
        entries[tensor.name] = {"dtype": tensor.dtype, "shape": tensor.shape, "data_offsets": [begin, end]}
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def unit_size(unit: Unit) -> int:
    """Bytes of the unit's file, header included."""
    return len(unit_header(unit)) + unit.nbytes


def unit_pieces(unit: Unit, piece_bytes: int = 1 << 20, start: int = 0) -> Iterator[bytes]:
    """The unit's file from byte `start` on, in pieces of `piece_bytes` (the last may be shorter).

    At most one piece is in memory. Any `start` gives the same bytes as skipping to it.

    Raises:
        CheckpointError: a checkpoint file vanished or shrank meanwhile.
    """
    pending = bytearray()
    for run in _runs(unit, piece_bytes, start):
        if not pending and len(run) == piece_bytes:
            yield run
            continue
        pending += run
        while len(pending) >= piece_bytes:
            yield bytes(pending[:piece_bytes])
            del pending[:piece_bytes]
    if pending:
        yield bytes(pending)


def _runs(unit: Unit, piece_bytes: int, start: int) -> Iterator[bytes]:
    """The same bytes in runs of at most `piece_bytes`, cut wherever a tensor ends."""
    header = unit_header(unit)
    for at in range(start, len(header), piece_bytes):
        yield header[at : at + piece_bytes]
    skip = max(0, start - len(header))
    opened: dict[Path, int] = {}
    try:
        for tensor in _in_order(unit):
            if skip >= tensor.nbytes:
                skip -= tensor.nbytes
                continue
            if tensor.file not in opened:
                opened[tensor.file] = os.open(tensor.file, os.O_RDONLY)
            at, end = tensor.offset + skip, tensor.offset + tensor.nbytes
            skip = 0
            while at < end:
                run = os.pread(opened[tensor.file], min(piece_bytes, end - at), at)
                if not run:
                    raise CheckpointError(f"{tensor.file.name} became shorter while it was read.", FETCH_AGAIN)
                yield run
                at += len(run)
    except OSError as error:
        raise CheckpointError(f"{error.filename or unit.name} cannot be read: {error.strerror}.") from error
    finally:
        for descriptor in opened.values():
            os.close(descriptor)


def _in_order(unit: Unit) -> list[TensorInfo]:
    return sorted(unit.tensors, key=lambda tensor: tensor.name)

"""Units as byte streams: each is a small safetensors file made of ranges of the checkpoint's own files."""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
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
    header = unit_header(unit)
    opened: dict[Path, int] = {}
    segments: list[tuple[int, Callable[[int, int], bytes]]] = [
        (len(header), lambda at, size: header[at : at + size]),
        *((tensor.nbytes, partial(_read, opened, tensor)) for tensor in _in_order(unit)),
    ]
    skip, parts, room = start, list[bytes](), piece_bytes
    try:
        for length, read in segments:
            at = min(skip, length)
            skip -= at
            while at < length:
                if not room:
                    yield b"".join(parts)
                    parts, room = [], piece_bytes
                # As a rule one read fills a piece, and joining it alone does not copy it.
                run = read(at, min(room, length - at))
                parts.append(run)
                at += len(run)
                room -= len(run)
        if parts:
            yield b"".join(parts)
    except OSError as error:
        raise CheckpointError(f"{error.filename or unit.name} cannot be read: {error.strerror}.") from error
    finally:
        for descriptor in opened.values():
            os.close(descriptor)


def _read(opened: dict[Path, int], tensor: TensorInfo, at: int, size: int) -> bytes:
    """At most `size` bytes of `tensor` from byte `at` on; its file stays open in `opened`."""
    if tensor.file not in opened:
        opened[tensor.file] = os.open(tensor.file, os.O_RDONLY)
    run = os.pread(opened[tensor.file], size, tensor.offset + at)
    if not run:
        raise CheckpointError(f"{tensor.file.name} became shorter while it was read.", FETCH_AGAIN)
    return run


def _in_order(unit: Unit) -> list[TensorInfo]:
    return sorted(unit.tensors, key=lambda tensor: tensor.name)

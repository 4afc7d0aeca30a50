"""Frames on a lane: bytes in, frames out, and back. No sockets here.

A frame on the wire is 4 bytes header length, 8 bytes payload length (big-endian), a FrameHeader (protos/shardd/v1/
lane.proto) and the payload: the raw bytes of the header's tensors one after the other. Every length is checked against
a limit before memory is taken for it.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeAlias

from shardd.rpc import lane_pb2

Buffer: TypeAlias = bytes | bytearray | memoryview

PREFIX = struct.Struct(">IQ")
MAX_HEADER_BYTES = 256 * 1024
MAX_PAYLOAD_BYTES = 1024 * 1024 * 1024
MAX_TENSORS = 256
MAX_RANK = 8
MAX_ROWS = 4096  # sequences in one step
MAX_TIMINGS = 4096
PACK_GROUP = 64  # values that share a scale and a bias where activations travel in 8 bits

ITEM_BYTES: dict[int, int] = {
    lane_pb2.FLOAT32: 4,
    lane_pb2.FLOAT16: 2,
    lane_pb2.BFLOAT16: 2,
    lane_pb2.INT32: 4,
    lane_pb2.UINT32: 4,
    lane_pb2.INT64: 8,
    lane_pb2.UINT8: 1,
    lane_pb2.BOOL: 1,
    lane_pb2.INT8: 1,
    lane_pb2.UINT16: 2,
    lane_pb2.INT16: 2,
}


class FrameError(Exception):
    """A frame that breaks the rules; the lane it came by is closed. The message names the mismatch."""


class Frame(NamedTuple):
    """One received frame. arrived_ns is the receiver's monotonic clock when the last byte was read."""

    header: lane_pb2.FrameHeader
    payload: memoryview
    arrived_ns: int = 0
    hop_us: int = 0


def tensor_bytes(tensor: lane_pb2.Tensor) -> int:
    """Size of one tensor's raw bytes. Raises FrameError for an unknown type or an absurd shape."""
    item = ITEM_BYTES.get(tensor.dtype)
    if item is None:
        raise FrameError(f"a tensor of unknown type {tensor.dtype}")
    shape = tensor.shape[:]  # a list: protobuf's own end a loop over them with an exception
    if len(shape) > MAX_RANK:
        raise FrameError(f"a tensor of rank {len(shape)}, at most {MAX_RANK} are allowed")
    values = math.prod(shape)
    bits = tensor.bits
    if not bits:
        return item * values
    if bits != 8 or item not in (2, 4) or not shape or shape[-1] % PACK_GROUP:
        raise FrameError(f"a tensor packed into {bits} bits, which cannot be")
    return values + values // PACK_GROUP * 2 * item


def encode_prefix(header: lane_pb2.FrameHeader, payload_bytes: int) -> bytes:
    """Prefix and header of a frame whose payload follows."""
    body = header.SerializeToString()
    return PREFIX.pack(len(body), payload_bytes) + body


def encode(header: lane_pb2.FrameHeader, payload: Sequence[Buffer] = ()) -> bytes:
    """A whole frame as bytes; for small frames and for tests."""
    views = [memoryview(part).cast("B") for part in payload]
    return b"".join([encode_prefix(header, sum(len(view) for view in views)), *views])


def decode_prefix(data: Buffer, start: int = 0) -> tuple[int, int]:
    """Header and payload lengths from the PREFIX.size bytes at start. Raises FrameError over the limits."""
    header_bytes, payload_bytes = PREFIX.unpack_from(data, start)
    if header_bytes > MAX_HEADER_BYTES:
        raise FrameError(f"a header of {header_bytes} bytes, at most {MAX_HEADER_BYTES} are allowed")
    if payload_bytes > MAX_PAYLOAD_BYTES:
        raise FrameError(f"a payload of {payload_bytes} bytes, at most {MAX_PAYLOAD_BYTES} are allowed")
    return header_bytes, payload_bytes


def decode_header(data: Buffer, payload_bytes: int) -> lane_pb2.FrameHeader:
    """The header, checked against the payload length. Raises FrameError."""
    try:
        header = lane_pb2.FrameHeader.FromString(bytes(data))
    except Exception as error:
        raise FrameError("a header that cannot be read") from error
    tensors = header.tensors[:]
    if len(tensors) > MAX_TENSORS:
        raise FrameError(f"{len(tensors)} tensors in one frame, at most {MAX_TENSORS} are allowed")
    if len(header.rows) > MAX_ROWS or len(header.timings) > MAX_TIMINGS:
        raise FrameError(f"{len(header.rows)} rows and {len(header.timings)} timings in one frame")
    expected = 0
    for tensor in tensors:
        expected += tensor_bytes(tensor)
    if expected != payload_bytes:
        raise FrameError(f"tensors of {expected} bytes but a payload of {payload_bytes}")
    return header


def split_payload(header: lane_pb2.FrameHeader, payload: memoryview) -> list[memoryview]:
    """One view per tensor, no copy."""
    views: list[memoryview] = []
    start = 0
    for tensor in header.tensors:
        end = start + tensor_bytes(tensor)
        views.append(payload[start:end])
        start = end
    return views


class FrameReader:
    """Incremental decoder: give it bytes, it gives frames. Used where frames are small (the controller, tests)."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._header: lane_pb2.FrameHeader | None = None  # of the frame whose payload is still to come

    def feed(self, data: Buffer) -> list[Frame]:
        self._buffer += data
        frames: list[Frame] = []
        while True:
            frame = self._next()
            if frame is None:
                return frames
            frames.append(frame)

    def _next(self) -> Frame | None:
        if len(self._buffer) < PREFIX.size:
            return None
        header_bytes, payload_bytes = decode_prefix(self._buffer[: PREFIX.size])
        start = PREFIX.size + header_bytes
        if len(self._buffer) < start:
            return None
        if self._header is None:  # checked before the payload is collected
            self._header = decode_header(self._buffer[PREFIX.size : start], payload_bytes)
        end = start + payload_bytes
        if len(self._buffer) < end:
            return None
        header, self._header = self._header, None
        payload = memoryview(bytes(self._buffer[start:end]))
        del self._buffer[:end]
        return Frame(header, payload)


def token_ids_payload(token_ids: Iterable[int]) -> tuple[lane_pb2.Tensor, bytes]:
    """Token ids as one INT32 tensor."""
    ids = list(token_ids)
    return lane_pb2.Tensor(dtype=lane_pb2.INT32, shape=[len(ids)]), struct.pack(f"<{len(ids)}i", *ids)


def token_ids_from(frame: Frame) -> list[int]:
    """The ids of an OPEN frame. Raises FrameError when the payload is not one INT32 vector."""
    tensors = frame.header.tensors
    if len(tensors) != 1 or tensors[0].dtype != lane_pb2.INT32 or len(tensors[0].shape) != 1:
        raise FrameError("an OPEN frame whose payload is not one vector of token ids")
    return list(frame.payload.cast("i")) if len(frame.payload) else []

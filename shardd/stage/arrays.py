"""MLX arrays to raw bytes and back, with one copy at most."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import mlx.core as mx

from shardd.model.stage import PayloadSpec
from shardd.rpc import lane_pb2
from shardd.stage.frames import Frame, FrameError, split_payload

DTYPES: dict[lane_pb2.DataType, mx.Dtype] = {
    lane_pb2.FLOAT32: mx.float32,
    lane_pb2.FLOAT16: mx.float16,
    lane_pb2.BFLOAT16: mx.bfloat16,
    lane_pb2.INT32: mx.int32,
    lane_pb2.UINT32: mx.uint32,
    lane_pb2.INT64: mx.int64,
    lane_pb2.UINT8: mx.uint8,
    lane_pb2.BOOL: mx.bool_,
    lane_pb2.INT8: mx.int8,
    lane_pb2.UINT16: mx.uint16,
    lane_pb2.INT16: mx.int16,
}
WIRE_TYPES: dict[mx.Dtype, lane_pb2.DataType] = {dtype: wire for wire, dtype in DTYPES.items()}


def describe(array: mx.array) -> lane_pb2.Tensor:
    return lane_pb2.Tensor(dtype=WIRE_TYPES[array.dtype], shape=array.shape)


def raw(array: mx.array) -> mx.array:
    """The array's bytes as a lazy UINT8 vector; once evaluated, memoryview() of it copies nothing."""
    flat = mx.contiguous(array).reshape(-1)
    return flat if array.dtype == mx.uint8 else flat.view(mx.uint8)


def restore(frame: Frame, expected: Sequence[PayloadSpec], rows: int = 1) -> list[mx.array]:
    """The arrays of a STEP frame, checked against what the stage expects. Raises FrameError naming the mismatch."""
    tensors = frame.header.tensors
    if len(tensors) != len(expected):
        raise FrameError(f"{len(tensors)} arrays where {len(expected)} were expected")
    sides: dict[int | str, int | str] = {"B": rows, "L": frame.header.count}
    arrays: list[mx.array] = []
    for tensor, spec, view in zip(tensors, expected, split_payload(frame.header, frame.payload), strict=True):
        shape = tuple(tensor.shape)
        wanted = tuple(sides.get(side, side) for side in spec.shape)
        dtype = DTYPES[tensor.dtype]
        if shape != wanted or str(dtype).removeprefix("mlx.core.") != spec.dtype:
            raise FrameError(f"an array of {dtype} {shape} where {spec.dtype} {wanted} was expected")
        flat = mx.array(cast(Any, view))  # mlx takes any buffer; its stubs do not say so
        arrays.append((flat if dtype == mx.uint8 else flat.view(dtype)).reshape(shape))
    return arrays

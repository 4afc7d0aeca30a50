"""MLX arrays to raw bytes and back, with one copy at most."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, cast

import mlx.core as mx

from shardd.model.stage import PayloadSpec
from shardd.rpc import lane_pb2
from shardd.stage.frames import PACK_GROUP as GROUP
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


def describe(array: mx.array, bits: int = 0) -> lane_pb2.Tensor:
    """How an array travels. bits: 8 packs it where it can be packed."""
    packs = bits == 8 and packable(array.shape, array.dtype)
    return lane_pb2.Tensor(dtype=WIRE_TYPES[array.dtype], shape=array.shape, bits=8 if packs else 0)


def packable(shape: Sequence[int], dtype: mx.Dtype) -> bool:
    return mx.issubdtype(dtype, mx.floating) and len(shape) > 1 and shape[-1] % GROUP == 0


def raw(array: mx.array, bits: int = 0) -> mx.array:
    """The array's bytes as a lazy UINT8 vector; once evaluated, memoryview() of it copies nothing.

    With 8 bits: a byte for each value, then for each group of 64 a scale, then for each a bias (mx.quantize).
    """
    if bits == 8 and packable(array.shape, array.dtype):
        parts: Sequence[mx.array] = mx.quantize(array, group_size=GROUP, bits=8)
        return mx.concatenate([raw(part) for part in parts])
    flat = mx.contiguous(array).reshape(-1)
    return flat if array.dtype == mx.uint8 else flat.view(mx.uint8)


def unpacked(flat: mx.array, shape: tuple[int, ...], dtype: mx.Dtype) -> mx.array:
    """What `raw` packed into 8 bits."""
    values = prod(shape)
    scales = values // GROUP * dtype.size
    sides = shape[:-1]
    return mx.dequantize(
        flat[:values].view(mx.uint32).reshape(*sides, shape[-1] // 4),
        flat[values : values + scales].view(dtype).reshape(*sides, shape[-1] // GROUP),
        flat[values + scales :].view(dtype).reshape(*sides, shape[-1] // GROUP),
        group_size=GROUP,
        bits=8,
    )


def checked(frame: Frame, expected: Sequence[PayloadSpec], rows: int = 1) -> list[memoryview]:
    """The bytes of a STEP frame's arrays, which are what the stage expects. Raises FrameError naming the mismatch."""
    tensors = frame.header.tensors
    if len(tensors) != len(expected):
        raise FrameError(f"{len(tensors)} arrays where {len(expected)} were expected")
    sides: dict[int | str, int | str] = {"B": rows, "L": frame.header.count}
    for tensor, spec in zip(tensors, expected, strict=True):
        shape = tuple(tensor.shape)
        wanted = tuple(sides.get(side, side) for side in spec.shape)
        dtype = DTYPES[tensor.dtype]
        if shape != wanted or str(dtype).removeprefix("mlx.core.") != spec.dtype:
            raise FrameError(f"an array of {dtype} {shape} where {spec.dtype} {wanted} was expected")
    return split_payload(frame.header, frame.payload)


def restore(frame: Frame, expected: Sequence[PayloadSpec], rows: int = 1) -> list[mx.array]:
    """The arrays of a STEP frame. Raises FrameError naming a mismatch."""
    arrays: list[mx.array] = []
    for tensor, view in zip(frame.header.tensors, checked(frame, expected, rows), strict=True):
        flat = mx.array(cast(Any, view))  # mlx takes any buffer; its stubs do not say so
        dtype = DTYPES[tensor.dtype]
        if tensor.bits:
            arrays.append(unpacked(flat, tuple(tensor.shape), dtype))
            continue
        arrays.append((flat if dtype == mx.uint8 else flat.view(dtype)).reshape(tuple(tensor.shape)))
    return arrays

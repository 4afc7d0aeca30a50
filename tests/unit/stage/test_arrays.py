"""Arrays on the wire: as they are, and packed into 8 bits."""

from __future__ import annotations

from typing import Any, cast

import mlx.core as mx
import pytest

from shardd.model.leaves import Form
from shardd.model.places import Places
from shardd.rpc import lane_pb2
from shardd.stage.arrays import describe, raw, restore
from shardd.stage.frames import Frame, FrameError, tensor_bytes

NAMES = {mx.float32: "float32", mx.float16: "float16", mx.bfloat16: "bfloat16", mx.int32: "int32"}


def framed(array: mx.array, bits: int) -> Frame:
    flat = raw(array, bits)
    mx.eval(flat)
    payload = memoryview(cast(Any, flat)).cast("B")
    return Frame(lane_pb2.FrameHeader(kind=lane_pb2.STEP, count=3, tensors=[describe(array, bits)]), payload)


@pytest.mark.parametrize("dtype", list(NAMES))
@pytest.mark.parametrize("bits", [0, 8])
@pytest.mark.parametrize("width", [64, 128, 72])
def test_there_and_back(dtype: mx.Dtype, bits: int, width: int) -> None:
    mx.random.seed(1)
    array = (mx.random.normal((2, 3, width)) * 10).astype(dtype)
    frame = framed(array, bits)
    assert len(frame.payload) == tensor_bytes(frame.header.tensors[0])
    (back,) = restore(frame, [Form(NAMES[dtype], ("B", "L", width))], rows=2)
    assert back.shape == array.shape and back.dtype == dtype
    if not frame.header.tensors[0].bits:
        assert mx.array_equal(back, array)
        return
    assert bits == 8 and width % 64 == 0 and dtype != mx.int32
    assert len(frame.payload) < array.nbytes
    apart = mx.abs(back.astype(mx.float32) - array.astype(mx.float32)).max().item()
    # Half a step of 255 over what a group spans, and in 16 bits their own rounding.
    assert 0 < apart < 80 / 255 / 2 + (0.3 if dtype == mx.bfloat16 else 0.05)


def test_ids_are_never_packed() -> None:
    assert describe(mx.zeros((1, 1, 64), mx.int32), 8).bits == 0


@pytest.mark.parametrize(
    ("dtype", "shape", "bits"),
    [
        (lane_pb2.FLOAT32, [1, 1, 63], 8),
        (lane_pb2.FLOAT32, [1, 1, 64], 4),
        (lane_pb2.INT64, [1, 1, 64], 8),
        (lane_pb2.UINT8, [1, 64], 8),
        (lane_pb2.FLOAT32, [], 8),
    ],
)
def test_what_cannot_be_packed_is_refused(dtype: lane_pb2.DataType, shape: list[int], bits: int) -> None:
    with pytest.raises(FrameError, match="packed"):
        tensor_bytes(lane_pb2.Tensor(dtype=dtype, shape=shape, bits=bits))


def test_places_take_their_values_after_the_graph_was_built() -> None:
    places = Places([Form("bfloat16", ("B", "L", 4)), Form("int32", ("B", "L"))], 2, 1)
    total = places.arrays[0].sum() + places.arrays[1].sum()
    values = mx.arange(8).astype(mx.bfloat16).view(mx.uint8)
    mx.eval(values)
    places.fill([memoryview(cast(Any, values)), (3).to_bytes(4, "little") * 2])
    assert total.item() == sum(range(8)) + 6
    with pytest.raises(ValueError):
        places.fill([b"short", b""])

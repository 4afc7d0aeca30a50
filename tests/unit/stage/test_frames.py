"""Frames byte by byte: what comes back, and what is refused before memory is taken."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shardd.rpc import lane_pb2
from shardd.stage.frames import (
    MAX_HEADER_BYTES,
    MAX_PAYLOAD_BYTES,
    PREFIX,
    Frame,
    FrameError,
    FrameReader,
    decode_header,
    decode_prefix,
    encode,
    split_payload,
    token_ids_from,
    token_ids_payload,
)

Header = lane_pb2.FrameHeader


@given(st.integers(1, 40), st.integers(0, 3))
def test_frames_survive_any_cutting(piece: int, count: int) -> None:
    header = Header(kind=lane_pb2.STEP, tensors=[lane_pb2.Tensor(dtype=lane_pb2.FLOAT16, shape=[1, 2, 3])])
    frame = encode(header, [b"abcdefghijkl"])
    stream = frame * count
    reader = FrameReader()
    got: list[Frame] = []
    for start in range(0, len(stream), piece):
        got += reader.feed(stream[start : start + piece])
    assert [bytes(each.payload) for each in got] == [b"abcdefghijkl"] * count
    assert all(each.header == header for each in got)


def test_several_tensors_are_split_in_order() -> None:
    tensors = [lane_pb2.Tensor(dtype=lane_pb2.UINT8, shape=[2]), lane_pb2.Tensor(dtype=lane_pb2.INT32, shape=[1, 1])]
    header = Header(kind=lane_pb2.STEP, tensors=tensors)
    assert [bytes(view) for view in split_payload(header, memoryview(b"abcdef"))] == [b"ab", b"cdef"]


@pytest.mark.parametrize("ids", [[], [0], [1, 2, 3], [2**31 - 1]])
def test_token_ids(ids: list[int]) -> None:
    tensor, payload = token_ids_payload(ids)
    (frame,) = FrameReader().feed(encode(Header(kind=lane_pb2.OPEN, tensors=[tensor]), [payload]))
    assert token_ids_from(frame) == ids


@pytest.mark.parametrize(
    ("header", "payload", "words"),
    [
        (MAX_HEADER_BYTES + 1, 0, "header of"),
        (10, MAX_PAYLOAD_BYTES + 1, "payload of"),
        (2**32 - 1, 2**64 - 1, "header"),
    ],
)
def test_lengths_over_the_limits(header: int, payload: int, words: str) -> None:
    with pytest.raises(FrameError, match=words):
        decode_prefix(PREFIX.pack(header, payload))


@pytest.mark.parametrize(
    ("tensors", "payload", "words"),
    [
        ([lane_pb2.Tensor(dtype=lane_pb2.FLOAT32, shape=[2])], 4, "tensors of 8 bytes but a payload of 4"),
        ([lane_pb2.Tensor(shape=[2])], 8, "unknown type"),
        ([lane_pb2.Tensor(dtype=lane_pb2.FLOAT32, shape=[1] * 9)], 4, "rank 9"),
        ([lane_pb2.Tensor(dtype=lane_pb2.UINT8, shape=[0])] * 257, 0, "257 tensors"),
        ([lane_pb2.Tensor(dtype=lane_pb2.FLOAT32, shape=[2**31, 2**31, 2**31])], 4, "but a payload of 4"),
    ],
)
def test_headers_that_do_not_fit_their_payload(tensors: list[lane_pb2.Tensor], payload: int, words: str) -> None:
    with pytest.raises(FrameError, match=words):
        decode_header(Header(tensors=tensors).SerializeToString(), payload)


@given(st.binary(max_size=200))
def test_noise_is_refused_or_read(noise: bytes) -> None:
    try:
        decode_header(noise, 0)
    except FrameError:
        return

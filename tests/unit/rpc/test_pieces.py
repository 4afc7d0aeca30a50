"""Pieces of units are, byte for byte, what protobuf writes and reads."""

from __future__ import annotations

import pytest
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from shardd.rpc import agent_pb2
from shardd.rpc.pieces import data_of, decode_piece, encode_piece


@given(st.binary(max_size=70_000))
def test_the_wire_is_protobufs(data: bytes) -> None:
    wire = encode_piece(data)
    assert wire == agent_pb2.UnitPiece(data=data).SerializeToString() or not data
    assert agent_pb2.UnitPiece.FromString(wire).data == data
    assert bytes(data_of(decode_piece(wire))) == data


def test_headers_and_other_forms() -> None:
    header = agent_pb2.UnitPiece(header=agent_pb2.UnitPiece.Header(digest="d", bytes=5, offset=2))
    assert decode_piece(encode_piece(header)) == header
    twice = encode_piece(b"first") + encode_piece(b"last")  # protobuf: the last one counts
    assert bytes(data_of(decode_piece(twice))) == b"last"


@given(st.binary(max_size=40))
def test_hostile_bytes_are_refused_or_read_as_protobuf_reads_them(wire: bytes) -> None:
    try:
        expected = agent_pb2.UnitPiece.FromString(wire)
    except DecodeError:
        with pytest.raises(DecodeError):
            decode_piece(wire)
        return
    assert bytes(data_of(decode_piece(wire))) == expected.data

"""UnitPiece messages without protobuf's copies: a piece is a megabyte, and three copies of it cost more than TLS.

On the wire they are what agent.proto says. A message that holds nothing but `data` (field 2, a byte string) is

    0x12   length as a varint   the bytes

https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from shardd.rpc import agent_pb2

PUSH_UNIT = "/shardd.v1.Shards/PushUnit"
SERVE_UNIT = "/shardd.v1.Shards/ServeUnit"

Piece = agent_pb2.UnitPiece | memoryview
"""A message with a header, or the data of one without."""

_DATA_TAG = 0x12


def encode_piece(piece: agent_pb2.UnitPiece | bytes) -> bytes:
    """The wire form of a message, or of one that holds these data."""
    if isinstance(piece, agent_pb2.UnitPiece):
        return piece.SerializeToString()
    length, prefix = len(piece), bytearray([_DATA_TAG])
    while length > 0x7F:
        prefix.append(length & 0x7F | 0x80)
        length >>= 7
    prefix.append(length)
    return b"".join((prefix, piece))


def decode_piece(wire: bytes) -> Piece:
    """The data where there is nothing else, not copied; else the message. Raises as UnitPiece.FromString."""
    if wire[:1] == bytes([_DATA_TAG]):
        length = shift = 0
        for place in range(1, min(6, len(wire))):
            length |= (wire[place] & 0x7F) << shift
            shift += 7
            if wire[place] < 0x80:
                if len(wire) == place + 1 + length:
                    return memoryview(wire)[place + 1 :]
                break
    return agent_pb2.UnitPiece.FromString(wire)


def data_of(piece: Piece) -> memoryview | bytes:
    """The data of a piece; empty for a header."""
    return piece if isinstance(piece, memoryview) else piece.data


def push_call(channel: Any) -> Callable[[], Any]:
    """Shards.PushUnit, taking messages or plain data."""
    return channel.stream_unary(
        PUSH_UNIT, request_serializer=encode_piece, response_deserializer=agent_pb2.PushUnitReply.FromString
    )


def serve_call(channel: Any) -> Callable[[agent_pb2.ServeUnitRequest], Any]:
    """Shards.ServeUnit, giving pieces."""
    return channel.unary_stream(
        SERVE_UNIT,
        request_serializer=agent_pb2.ServeUnitRequest.SerializeToString,
        response_deserializer=decode_piece,
    )

"""Every place where bytes of others become values, with what it may raise and a few valid examples."""

from __future__ import annotations

import asyncio
import json
import ssl
import struct
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError, Message

from app.core.cluster.address import parse_address
from app.core.errors import ShardboardError, UsageError
from app.core.generation.limits import TokenizerRefused, check_tokenizer_config
from app.core.library.hub import repository_name
from app.core.library.tables import read_table
from app.core.placement.placement import parse_placement
from app.core.serve import guard
from app.core.serve.openai import chat_order, completion_order
from shardd.agent.mailbox import Mailbox
from shardd.host import SentenceError
from shardd.host.names import clean_name
from shardd.host.sizes import parse_size
from shardd.identity import IdentityError, parse_certificate
from shardd.identity.pairing import Exchange, PairingError, clean_code
from shardd.model.blueprint import read_blueprint, write_blueprint
from shardd.model.checkpoint import check_config, read_checkpoint, read_json
from shardd.model.errors import ModelError
from shardd.model.headers import TensorInfo, parse_header
from shardd.rpc import agent_pb2, lane_pb2, pairing_pb2
from shardd.rpc.limits import endpoint_problem
from shardd.rpc.pairing_wire import WireError, read_message
from shardd.rpc.pieces import decode_piece, encode_piece
from shardd.stage.door import hello, read_hello
from shardd.stage.frames import (
    PREFIX,
    FrameError,
    FrameReader,
    decode_header,
    decode_prefix,
    encode,
    split_payload,
    token_ids_from,
    token_ids_payload,
)
from shardd.stage.orders import (
    Connect,
    Failed,
    Grant,
    PipelineOptions,
    Place,
    Reading,
    Ready,
    Start,
    order_from,
    report_from,
    to_line,
)
from shardd.stage.shaping import parse_link
from shardd.store import ManifestError, ShardManifest, UnitReference


@dataclass(frozen=True)
class Decoder:
    """errors: what it is documented to raise. share: of the runs, 1 being usual; less where a run is costly."""

    name: str
    decode: Callable[[bytes], object]
    errors: tuple[type[Exception], ...]
    examples: tuple[bytes, ...]
    is_json: bool = False
    share: float = 1.0


class Scratch:
    """A folder for the decoders that read files."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="fuzz-")
        self.path = Path(self._folder.name)

    def close(self) -> None:
        self._folder.cleanup()

    def file(self, name: str, data: bytes) -> Path:
        path = self.path / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_bytes(data)
        return path


# -- lanes -----------------------------------------------------------------------------------------------------------


def _frames() -> tuple[bytes, ...]:
    tensor, ids = token_ids_payload([1, 2, 3, 31999])
    packed = lane_pb2.Tensor(dtype=lane_pb2.FLOAT16, shape=[1, 2, 64], bits=8)
    step = lane_pb2.FrameHeader(
        kind=lane_pb2.STEP,
        epoch=7,
        sequence=3,
        count=2,
        tensors=[packed, lane_pb2.Tensor(dtype=lane_pb2.BFLOAT16, shape=[2, 3])],
        timings=[lane_pb2.StepTiming(stage=0, compute_us=12)],
        rows=[lane_pb2.Row(sequence=3, position=9, tokens=[4, 5])],
    )
    opening = lane_pb2.FrameHeader(
        kind=lane_pb2.OPEN,
        sequence=1,
        tensors=[tensor],
        open=lane_pb2.Open(
            sampling=lane_pb2.Sampling(temperature=0.7, logit_bias={3: 1.0}, seed=9), max_tokens=9, stop_tokens=[2]
        ),
    )
    return (
        encode(step, [bytes(128 + 2 * 2 * 2), bytes(12)]),
        encode(opening, [ids]),
        hello(b"t" * 32, 7),
        encode(lane_pb2.FrameHeader(kind=lane_pb2.FAIL, message="no", reply_to="lane")),
        encode(lane_pb2.FrameHeader(kind=lane_pb2.DROP, dropped=[1, 2, 2**63], saved=[4])),
        encode(lane_pb2.FrameHeader(kind=lane_pb2.TOKEN, token=lane_pb2.Token(token=5, finish_reason="stop"))),
    )


def _prefix(data: bytes) -> object:
    return decode_prefix(data[: PREFIX.size].ljust(PREFIX.size, b"\0"))


def _header(data: bytes) -> object:
    (payload_bytes,) = struct.unpack(">Q", data[:8].ljust(8, b"\0"))
    return decode_header(data[8:], payload_bytes)


def _payload(data: bytes) -> object:
    """A header that fits its payload is split into parts that lie in it."""
    header_bytes, payload_bytes = _prefix(data)  # type: ignore[misc]
    header = decode_header(data[PREFIX.size : PREFIX.size + header_bytes], payload_bytes)
    payload = memoryview(data)[PREFIX.size + header_bytes :]
    if len(payload) >= payload_bytes:
        assert sum(map(len, split_payload(header, payload[:payload_bytes]))) == payload_bytes
    return header


def _reader(data: bytes) -> object:
    reader = FrameReader()
    half = len(data) // 2
    for frame in reader.feed(data[:half]) + reader.feed(data[half:]):
        if frame.header.kind == lane_pb2.OPEN:
            token_ids_from(frame)
    return reader


def _hello(data: bytes) -> object:
    at = 0

    def read(size: int) -> bytes:
        nonlocal at
        at += size
        if at > len(data):
            raise FrameError("the lane ended")
        return data[at - size : at]

    return read_hello(read)


def _lane_decoders() -> Iterable[Decoder]:
    frames = _frames()
    bodies = tuple(frame[4:12] + frame[12 : 12 + int.from_bytes(frame[:4], "big")] for frame in frames)
    yield Decoder("frame prefix", _prefix, (FrameError,), frames)
    yield Decoder("frame header", _header, (FrameError,), bodies)
    yield Decoder("frame payload", _payload, (FrameError,), frames)
    yield Decoder("frame reader", _reader, (FrameError,), (*frames, frames[0] + frames[1] + frames[2]))
    yield Decoder("lane hello", _hello, (FrameError,), (frames[2],))


# -- control plane ---------------------------------------------------------------------------------------------------


def _wire(kind: type[Message]) -> Callable[[bytes], object]:
    loop = asyncio.new_event_loop()

    def read(data: bytes) -> object:
        reader = asyncio.StreamReader(loop=loop)
        reader.feed_data(data)
        reader.feed_eof()
        coroutine = read_message(reader, kind)
        try:
            coroutine.send(None)  # everything is there: it never waits
        except StopIteration as done:
            return done.value
        raise AssertionError("it waits for bytes that will not come")

    loop.close()
    return read


def _framed(message: Message) -> bytes:
    data = message.SerializeToString()
    return len(data).to_bytes(2, "big") + data


def _element(data: bytes) -> object:
    return Exchange("agent", "123456", "a" * 64, "b" * 64, b"hello").finish(data)


def _endpoint(data: bytes) -> object:
    request = agent_pb2.ConnectStageRequest.FromString(data)
    return endpoint_problem(request.addresses, request.port)


def _certificate() -> bytes:
    from shardd.identity.certificates import make_certificate
    from shardd.identity.device import make_key

    return make_certificate(make_key(), "mini-1")


def _control_decoders() -> Iterable[Decoder]:
    begin = pairing_pb2.PairingBegin(name="studio", certificate=b"0" * 400, element=b"e" * 33)
    ended = pairing_pb2.PairingEnd(state=pairing_pb2.PAIRING_STATE_PAIRED, proof=b"p" * 32, tries_left=3)
    yield Decoder("pairing begin", _wire(pairing_pb2.PairingBegin), (WireError,), (_framed(begin),))
    yield Decoder("pairing end", _wire(pairing_pb2.PairingEnd), (WireError,), (_framed(ended),))
    own = Exchange("controller", "123456", "a" * 64, "b" * 64, b"hello").element
    yield Decoder("pairing element", _element, (PairingError,), (own,), share=0.001)
    yield Decoder("certificate in PEM", parse_certificate, (IdentityError,), (_certificate(),))
    yield Decoder("pairing code", _text(clean_code), (PairingError,), (b"123 456", b"000-000"))
    pieces = (
        encode_piece(b"some bytes of a unit"),
        encode_piece(agent_pb2.UnitPiece(header=agent_pb2.UnitPiece.Header(digest="a" * 64, bytes=9))),
    )
    yield Decoder("unit piece", decode_piece, (DecodeError,), pieces)
    where = agent_pb2.ConnectStageRequest(addresses=["10.0.0.7", "mini-1.local", "fe80::1%en0"], port=8102)
    yield Decoder("endpoint", _endpoint, (DecodeError,), (where.SerializeToString(),))


# -- files and lines -------------------------------------------------------------------------------------------------

_HEADER = json.dumps(
    {
        "__metadata__": {"format": "mlx"},
        "model.embed_tokens.weight": {"dtype": "F16", "shape": [4, 8], "data_offsets": [0, 64]},
        "model.layers.0.mlp.up_proj.weight": {"dtype": "U32", "shape": [2, 2], "data_offsets": [64, 80]},
        "model.norm.weight": {"dtype": "BF16", "shape": [8], "data_offsets": [80, 96]},
    }
).encode()
_CONFIG = json.dumps(
    {
        "model_type": "llama",
        "hidden_size": 8,
        "num_hidden_layers": 2,
        "quantization": {"group_size": 64, "bits": 4, "model.embed_tokens": False},
        "text_config": {"vocab_size": 4},
        "rope_theta": 1e4,
    }
).encode()
_INDEX = json.dumps({"metadata": {}, "weight_map": {"a": "model-00001-of-00001.safetensors"}}).encode()
_TABLE = json.dumps(
    {
        "model": "tiny",
        "model_type": "llama",
        "variants": [
            {
                "bits": 4,
                "outside_layers": {
                    "model.embed_tokens.weight": {"shape": [32, 8], "dtype": "bfloat16"},
                    "model.norm.weight": {"shape": [8], "dtype": "bfloat16"},
                },
                "layer_kinds": {"a": {"self_attn.k_proj.weight": {"shape": [8, 8], "dtype": "uint32"}}},
                "layers": ["a", "a"],
            }
        ],
    }
).encode()
_TOKENIZER_CONFIG = json.dumps(
    {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": {"content": "<s>", "special": True},
        "eos_token": "</s>",
        "added_tokens_decoder": {"0": {"content": "<s>", "special": True}},
        "chat_template": "{% for m in messages %}{{ m.content }}{% endfor %}",
        "model_max_length": 4096,
    }
).encode()


def _config(scratch: Scratch) -> Callable[[bytes], object]:
    def read(data: bytes) -> object:
        config = read_json(scratch.file("config.json", data), 1 << 20)
        check_config(config, "fuzz")
        return config

    return read


def _index(scratch: Scratch) -> Callable[[bytes], object]:
    def read(data: bytes) -> object:
        scratch.file("indexed/model.safetensors.index.json", data)
        return read_checkpoint(scratch.path / "indexed")

    scratch.file("indexed/config.json", _CONFIG)
    tensors = b'{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}'
    scratch.file("indexed/model-00001-of-00001.safetensors", struct.pack("<Q", len(tensors)) + tensors + b"ab")
    return read


def _mailbox(scratch: Scratch) -> Callable[[bytes], object]:
    box = Mailbox(scratch.path)

    def read(data: bytes) -> object:
        scratch.file("request.json", data)
        return box.take()

    return read


def _file_decoders(scratch: Scratch) -> Iterable[Decoder]:
    place = Path("model.safetensors")
    yield Decoder("safetensors header", lambda data: parse_header(data, place, 8), (ModelError,), (_HEADER,), True)
    yield Decoder("config.json", _config(scratch), (ModelError,), (_CONFIG,), True, share=0.3)
    yield Decoder("model index", _index(scratch), (ModelError,), (_INDEX,), True, share=0.1)
    infos = [TensorInfo("a", "F32", (2, 3), place, 0, 24), TensorInfo("b", "I8", (), place, 24, 1)]
    blueprint = write_blueprint(json.loads(_CONFIG), infos)
    yield Decoder("blueprint", read_blueprint, (ModelError,), (blueprint,), True)
    manifest = ShardManifest("tiny", "a" * 64, 0, 1, 4, (UnitReference("layer.0", "b" * 64, 9),)).to_json().encode()
    yield Decoder("shard manifest", ShardManifest.from_json, (ManifestError,), (manifest,), True)
    table = lambda data: read_table(scratch.file("table.json", data))  # noqa: E731
    yield Decoder("table of a model", table, (SentenceError,), (_TABLE,), True, 0.2)
    yield Decoder("tokenizer_config.json", check_tokenizer_config, (TokenizerRefused,), (_TOKENIZER_CONFIG,), True)
    yield Decoder("mailbox", _mailbox(scratch), (OSError,), (b'{"request":"a","action":"pair"}',), True, 0.2)
    start = Start(1, 0, 2, 0, 3, "/blueprint", ["/unit"], "127.0.0.1", "pem", "key", 512, 512)
    orders = tuple(
        map(to_line, (start, Connect(["10.0.0.7"], 1, "00", "pem"), Grant("00", "pem", True), Place(2, 0, 2, 512)))
    )
    yield Decoder("order line", order_from, (ValueError,), orders, True)
    reports = tuple(map(to_line, (Ready(1, 2), Failed("It broke."), Reading(1, 2, 3, 4, 5, [1.0, 2.0]))))
    yield Decoder("report line", report_from, (ValueError,), reports, True)
    assert PipelineOptions()


# -- what people and programs write ----------------------------------------------------------------------------------


def _text(parse: Callable[[str], object]) -> Callable[[bytes], object]:
    return lambda data: parse(data.decode(errors="surrogateescape"))


def _body(order: Callable[[Any, int], object]) -> Callable[[bytes], object]:
    def read(data: bytes) -> object:
        try:
            body = json.loads(data)
        except (ValueError, RecursionError):
            return None
        return order(body, 512) if isinstance(body, dict) else None

    return read


def _request_head(data: bytes) -> object:
    """Host, Origin and Authorization, a line each, as an HTTP server hands them on."""
    lines = [*data.decode("latin-1").split("\n"), "", "", ""]
    hosts = guard.own_hosts("0.0.0.0")
    return (
        guard.host_allowed(lines[0], hosts, "0.0.0.0"),
        guard.origin_allowed(lines[1], hosts, ()),
        guard.key_allowed(lines[2], "secret"),
    )


def _markdown(text: str) -> object:
    from app.ui.chat.blocks import split  # with the window, which takes a second to import

    return split(text)


def _text_decoders() -> Iterable[Decoder]:
    chat = {
        "model": "m",
        "messages": [{"role": "user", "content": "hi"}, {"role": "system", "content": [{"type": "text", "text": "a"}]}],
        "temperature": 0.5,
        "stop": ["a"],
        "seed": 4,
        "logit_bias": {"5": -100},
        "logprobs": True,
        "top_logprobs": 2,
        "stream_options": {"include_usage": True},
        "response_format": {"type": "text"},
        "n": 2,
    }
    completion = {"prompt": ["a", "b"], "max_tokens": 5, "logprobs": 3, "echo": True, "stop": "x"}
    ids = {"prompt": [[1, 2], [3]], "top_p": 0.5, "ignore_eos": True}
    yield Decoder("chat body", _body(chat_order), (UsageError,), (json.dumps(chat).encode(),), True)
    bodies = (json.dumps(completion).encode(), json.dumps(ids).encode())
    yield Decoder("completion body", _body(completion_order), (UsageError,), bodies, True)
    yield Decoder("request head", _request_head, (), (b"localhost:8100\nhttp://localhost\nBearer secret",), share=0.5)
    yield Decoder("address", _text(parse_address), (UsageError,), (b"mini-1.local:8101", b"[::1]:1", b"fe80::1%en0"))
    yield Decoder("link", _text(parse_link), (ValueError,), (b"latency=3ms,jitter=1ms,rate=200mbit",))
    names = ("a", "b", "c")
    placed = _text(lambda text: parse_placement(text, names, 12))
    yield Decoder("placement", placed, (UsageError,), (b"0-3,4-7,8-11", b"a=0-3,b=4-11"))
    yield Decoder("size", _text(parse_size), (SentenceError,), (b"8GB", b"512 MiB", b"7.5g"))
    yield Decoder("repository", _text(repository_name), (), (b"owner/name", b"https://huggingface.co/owner/name"))
    yield Decoder("name", _text(clean_name), (), ("mini-1 \u202e e\u0301".encode(),))
    markdown = (
        b"# Title\n\n* a\n* b\n\n```py\nx = 1\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n",
        b"> quote [link](http://example.org) ![image](http://example.org/a.png)\n\n1. one\n\n---\n\n<b>html</b> &amp;",
    )
    yield Decoder("markdown", _text(_markdown), (), markdown, share=0.03)


def _certificate_decoder() -> Decoder:
    """Changed as DER and put into PEM, so that changes reach what is inside."""

    def parse(der: bytes) -> object:
        return parse_certificate(ssl.DER_cert_to_PEM_cert(der).encode())

    return Decoder("certificate", parse, (IdentityError,), (ssl.PEM_cert_to_DER_cert(_certificate().decode()),))


def all_decoders(scratch: Scratch) -> tuple[Decoder, ...]:
    return (
        *_lane_decoders(),
        *_control_decoders(),
        *_file_decoders(scratch),
        *_text_decoders(),
        _certificate_decoder(),
    )


__all__ = ["Decoder", "Scratch", "ShardboardError", "all_decoders"]

"""OpenAI's objects and who may ask, as tables."""

from __future__ import annotations

from typing import Any

import pytest

from app.core.generation.request import GenerationResult, Message, TokenEvent
from app.core.serve.guard import host_allowed, key_allowed, origin_allowed, own_hosts
from app.core.serve.openai import (
    ApiError,
    Envelope,
    chat_order,
    completion_order,
    failure,
    finish_reason_of,
    logprobs_of,
    usage_of,
)
from shardd.rpc import lane_pb2

USER = {"role": "user", "content": "Hello"}


@pytest.mark.parametrize(
    ("refusal", "field", "code", "status"),
    [
        (lane_pb2.REFUSAL_UNSPECIFIED, None, "server_error", 500),
        (lane_pb2.CROWDED, None, "rate_limit_exceeded", 429),
        (lane_pb2.PROMPT_EMPTY, "prompt", None, 400),
        (lane_pb2.PROMPT_TOO_LONG, "prompt", "context_length_exceeded", 400),
        (lane_pb2.PROMPT_UNKNOWN_TOKENS, "prompt", None, 400),
        (lane_pb2.SAMPLING_WRONG, None, None, 400),
    ],
)
def test_an_answer_that_failed(refusal: lane_pb2.Refusal, field: str | None, code: str | None, status: int) -> None:
    error = failure("Why.", False, refusal)
    assert (error.cause, error.field, error.code, error.status) == ("Why.", field, code, status)
    assert failure("Why.", True, refusal).field == (field and "messages")


def test_a_whole_request() -> None:
    order = chat_order(
        {
            "model": "tiny",
            "messages": [
                {"role": "developer", "content": "Be kind."},
                {"role": "user", "content": [{"type": "text", "text": "Hel"}, {"type": "text", "text": "lo"}]},
            ],
            "temperature": 0,
            "max_completion_tokens": 5,
            "stop": "\n",
            "seed": 3,
            "n": 2,
            "stream": True,
            "stream_options": {"include_usage": True},
            "logit_bias": {"7": -100},
            "logprobs": True,
            "top_logprobs": 2,
            "user": "somebody",
        },
        512,
    )
    (request,) = order.requests
    assert request.messages == (Message("system", "Be kind."), Message("user", "Hello"))
    assert (request.max_tokens, request.stop, request.sampling.seed) == (5, ("\n",), 3)
    assert request.sampling.logit_bias == {7: -100.0} and request.sampling.top_logprobs == 2
    assert (order.model, order.choices, order.stream, order.usage, order.chat) == ("tiny", 2, True, True, True)
    assert chat_order({"messages": [USER]}, 512).requests[0].max_tokens == 512


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "messages"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages"),
        ({"messages": [USER], "temperature": 3}, "temperature"),
        ({"messages": [USER], "temperature": "hot"}, "temperature"),
        ({"messages": [USER], "max_tokens": 0}, "max_tokens"),
        ({"messages": [USER], "logit_bias": {"a": 1}}, "logit_bias"),
        ({"messages": [USER], "stop": [5]}, "stop"),
        ({"messages": [USER], "n": 1000}, "n"),
        ({"messages": [USER], "logprobs": 3}, "logprobs"),
        ({"messages": [USER], "tools": [{}]}, "tools"),
        ({"messages": [USER], "response_format": {"type": "json_schema"}}, "response_format"),
        ({"messages": [USER], "stream_options": 1}, "stream_options"),
    ],
)
def test_what_is_wrong_is_named(body: dict[str, Any], field: str) -> None:
    with pytest.raises(ApiError) as caught:
        chat_order(body, 512)
    assert caught.value.field == field and caught.value.status == 400


def test_completions() -> None:
    order = completion_order({"prompt": ["a", [1, 2]], "max_tokens": 3, "logprobs": 2, "echo": True}, 512)
    assert [request.prompt for request in order.requests] == ["a", ""]
    assert order.requests[1].prompt_ids == (1, 2) and order.requests[0].sampling.top_logprobs == 2
    assert not order.chat and order.echo
    assert completion_order({"prompt": [1, 2, 3]}, 512).requests[0].prompt_ids == (1, 2, 3)
    for wrong in ({"prompt": ""}, {"prompt": {}}, {"prompt": [[1.5]]}, {"prompt": "a", "logprobs": True}):
        with pytest.raises(ApiError):
            completion_order(wrong, 512)


def test_answers() -> None:
    result = GenerationResult("Hi", (1, 2), 3, 2, "length", 1.0, 1.0, 1.0, (), (), reused_tokens=1)
    usage = usage_of([result, result], 2)
    assert usage["prompt_tokens"] == 3 and usage["completion_tokens"] == 4 and usage["total_tokens"] == 7
    assert usage["prompt_tokens_details"] == {"cached_tokens": 1}
    assert finish_reason_of(result) == "length"
    chat, plain = Envelope("id-1", 0, "tiny", True), Envelope("id-1", 0, "tiny", False)
    whole = chat.whole([chat.choice(0, "Hi", "stop", None)], usage)
    assert whole["object"] == "chat.completion" and whole["choices"][0]["message"]["content"] == "Hi"
    assert plain.whole([plain.choice(0, "Hi", "stop", None)], usage)["choices"][0]["text"] == "Hi"
    assert chat.text(1, "x", None)["choices"][0]["delta"] == {"content": "x"}
    assert chat.last(0, "stop")["choices"][0]["finish_reason"] == "stop"


def test_logprobs() -> None:
    events = [TokenEvent(5, "a", (), 1.0, -0.5, ((5, -0.5), (6, -1.5))), TokenEvent(6, "b", (), 2.0, -0.1, ())]
    found = logprobs_of(events, ["a", "é"], [["a", "b"], []], chat=True)["content"]
    assert found[0]["top_logprobs"][1] == {"token": "b", "logprob": -1.5, "bytes": [98]}
    assert found[1]["bytes"] == [195, 169]
    old = logprobs_of(events, ["a", "é"], [["a", "b"], []], chat=False)
    assert old["token_logprobs"] == [-0.5, -0.1] and old["text_offset"] == [0, 1]
    assert old["top_logprobs"][0] == {"a": -0.5, "b": -1.5}


@pytest.mark.parametrize(
    ("header", "bound", "allowed"),
    [
        ("127.0.0.1:8100", "127.0.0.1", True),
        ("localhost", "127.0.0.1", True),
        ("[::1]:8100", "127.0.0.1", True),
        ("evil.example", "127.0.0.1", False),
        ("", "127.0.0.1", False),
        ("192.168.1.5:8100", "127.0.0.1", False),
        ("192.168.1.5:8100", "0.0.0.0", True),
        ("evil.example", "0.0.0.0", False),
        ("192.168.1.5", "192.168.1.5", True),
    ],
)
def test_hosts(header: str, bound: str, allowed: bool) -> None:
    assert host_allowed(header, own_hosts(bound), bound) is allowed


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        (None, True),
        ("http://localhost:3000", True),
        ("https://evil.example", False),
        ("null", False),
        ("https://mine.example", True),
    ],
)
def test_origins(origin: str | None, allowed: bool) -> None:
    assert origin_allowed(origin, own_hosts("127.0.0.1"), ("https://mine.example",)) is allowed


@pytest.mark.parametrize(
    ("header", "key", "allowed"),
    [(None, "", True), (None, "k", False), ("Bearer k", "k", True), ("Bearer x", "k", False), ("k", "k", False)],
)
def test_keys(header: str | None, key: str, allowed: bool) -> None:
    assert key_allowed(header, key) is allowed

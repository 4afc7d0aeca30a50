"""OpenAI's objects, as tables."""

from __future__ import annotations

from typing import Any

import pytest

from app.core.errors import UsageError
from app.core.generation.request import GenerationResult, Message
from app.core.serve.openai import completion, request_from

USER = {"role": "user", "content": "Hello"}


def test_a_whole_request() -> None:
    request = request_from(
        {"messages": [{"role": "developer", "content": "Be kind."}, USER], "temperature": 0, "max_tokens": 5,
         "stop": "\n", "seed": 3, "logit_bias": {"7": -100}}
    )  # fmt: skip
    assert request.messages == (Message("system", "Be kind."), Message("user", "Hello"))
    assert (request.max_tokens, request.stop, request.sampling.seed) == (5, ("\n",), 3)
    assert request.sampling.logit_bias == {7: -100.0}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, '"messages"'),
        ({"messages": []}, '"messages"'),
        ({"messages": [{"role": "robot", "content": "x"}]}, "Each message"),
        ({"messages": [{"role": "user", "content": 5}]}, "Each message"),
        ({"messages": [USER], "temperature": 3}, '"temperature"'),
        ({"messages": [USER], "temperature": "hot"}, '"temperature"'),
        ({"messages": [USER], "max_tokens": 0}, '"max_tokens"'),
        ({"messages": [USER], "logit_bias": {"a": 1}}, '"logit_bias"'),
    ],
)
def test_what_is_wrong_is_named(body: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        request_from(body)


def test_a_result() -> None:
    result = GenerationResult("Hi", (1, 2), 3, 2, "stop", 1.0, 1.0, 1.0, (), ())
    answer = completion(result, "tiny", "id-1", 0)
    assert answer["choices"][0]["message"]["content"] == "Hi"
    assert answer["usage"] == {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}

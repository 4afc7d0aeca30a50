"""OpenAI's chat completion objects, to our requests and from our results. Pure; no HTTP here.

Source: the OpenAI API reference, "Create chat completion".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.core.errors import UsageError
from app.core.generation.request import GenerationRequest, GenerationResult, Message, Sampling

ROLES = ("system", "developer", "user", "assistant")
DEFAULT_MAX_TOKENS = 512


def request_from(body: Mapping[str, Any]) -> GenerationRequest:
    """A chat completion's body as a request. Raises UsageError naming the field that is wrong."""
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise UsageError('"messages" must be a list with at least one message.')
    stop = body.get("stop") or ()
    sampling = Sampling(
        temperature=_number(body, "temperature", 1.0, 0.0, 2.0),
        top_p=_number(body, "top_p", 1.0, 0.0, 1.0),
        top_k=int(_number(body, "top_k", 0, 0, 1_000_000)),
        min_p=_number(body, "min_p", 0.0, 0.0, 1.0),
        presence_penalty=_number(body, "presence_penalty", 0.0, -2.0, 2.0),
        frequency_penalty=_number(body, "frequency_penalty", 0.0, -2.0, 2.0),
        seed=None if body.get("seed") is None else int(_number(body, "seed", 0, 0, 2**63 - 1)),
        logit_bias=_bias(body.get("logit_bias") or {}),
        logprobs=bool(body.get("logprobs")),
        top_logprobs=int(_number(body, "top_logprobs", 0, 0, 20)),
    )
    limit = "max_completion_tokens" if body.get("max_completion_tokens") is not None else "max_tokens"
    return GenerationRequest(
        messages=tuple(_message(each) for each in messages),
        sampling=sampling,
        max_tokens=int(_number(body, limit, DEFAULT_MAX_TOKENS, 1, 10**9)),
        stop=(stop,) if isinstance(stop, str) else tuple(str(each) for each in stop),
    )


def completion(result: GenerationResult, model: str, identifier: str, created: int) -> dict[str, Any]:
    """A finished answer as a chat.completion object. created: seconds since 1970."""
    return {
        "id": identifier,
        "object": "chat.completion",
        "created": created,
        "model": model,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": result.text},
                "finish_reason": "length" if result.finish_reason == "length" else "stop",
            }
        ],
        "usage": {
            "prompt_tokens": result.prompt_tokens,
            "completion_tokens": result.completion_tokens,
            "total_tokens": result.prompt_tokens + result.completion_tokens,
        },
    }


def error_object(message: str, kind: str = "invalid_request_error", code: str | None = None) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def _message(value: object) -> Message:
    if not isinstance(value, Mapping) or value.get("role") not in ROLES or not isinstance(value.get("content"), str):
        raise UsageError(f'Each message needs a "role" of {", ".join(ROLES)} and a "content" of text.')
    role = str(value["role"])
    return Message("system" if role == "developer" else role, str(value["content"]))


def _number(body: Mapping[str, Any], name: str, otherwise: float, low: float, high: float) -> float:
    value = body.get(name)
    if value is None:
        return otherwise
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise UsageError(f'"{name}" must be a number from {low:g} to {high:g}.')
    return value


def _bias(value: object) -> dict[int, float]:
    try:
        assert isinstance(value, Mapping)
        return {int(token): float(bias) for token, bias in value.items()}
    except (AssertionError, TypeError, ValueError):
        raise UsageError('"logit_bias" must map token ids to numbers.') from None

"""OpenAI's objects, to our requests and from our answers. Pure; no HTTP here.

Source: the OpenAI API reference, "Chat Completions" and "Completions". Fields that other servers know and OpenAI does
not (top_k, min_p, repetition_penalty, ignore_eos) are taken as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from app.core.errors import UsageError
from app.core.generation.request import GenerationRequest, GenerationResult, Message, Sampling, TokenEvent
from shardd.rpc import lane_pb2

ROLES = ("system", "developer", "user", "assistant")
MOST_CHOICES = 16
MOST_STOPS = 16
MOST_PROMPTS = 128
MOST_BIASES = 1024
REFUSED = {
    "tools": "Tools are not supported yet.",
    "functions": "Functions are not supported yet.",
    "suffix": '"suffix" is not supported.',
    "best_of": '"best_of" is not supported.',
}


class ApiError(UsageError):
    """A request that cannot be served. field: which one; code and status: as OpenAI has them."""

    def __init__(self, message: str, field: str | None = None, code: str | None = None, status: int = 400) -> None:
        super().__init__(message)
        self.field = field
        self.code = code
        self.status = status


def failure(cause: str, chat: bool, refusal: int = lane_pb2.REFUSAL_UNSPECIFIED) -> ApiError:
    """What to say of an answer that could not be written. refusal: why it was never begun, a lane_pb2.Refusal."""
    asked = "messages" if chat else "prompt"
    match refusal:
        case lane_pb2.PROMPT_TOO_LONG:
            return ApiError(cause, asked, "context_length_exceeded")
        case lane_pb2.PROMPT_EMPTY | lane_pb2.PROMPT_UNKNOWN_TOKENS:
            return ApiError(cause, asked)
        case lane_pb2.SAMPLING_WRONG:
            return ApiError(cause)
        case lane_pb2.CROWDED:
            return ApiError(cause, code="rate_limit_exceeded", status=429)
        case _:
            return ApiError(cause, code="server_error", status=500)


@dataclass(frozen=True, slots=True)
class Order:
    """A request as it is to be carried out: `choices` answers to each of `requests`."""

    model: str
    requests: tuple[GenerationRequest, ...]
    choices: int
    stream: bool
    usage: bool  # at the end of a stream, too
    chat: bool
    echo: bool = False


def chat_order(body: Mapping[str, Any], default_tokens: int) -> Order:
    """A chat completion's body. Raises ApiError naming the field that is wrong."""
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise ApiError('"messages" must be a list with at least one message.', "messages")
    logprobs = body.get("logprobs") or False
    if not isinstance(logprobs, bool):
        raise ApiError('"logprobs" must be true or false.', "logprobs")
    top = int(_number(body, "top_logprobs", 0, 0, 20))
    limit = "max_completion_tokens" if body.get("max_completion_tokens") is not None else "max_tokens"
    request = GenerationRequest(
        messages=tuple(_message(each) for each in cast("list[object]", messages)),
        sampling=_sampling(body, logprobs, top),
        max_tokens=int(_number(body, limit, default_tokens, 1, 10**9)),
        stop=_stops(body.get("stop")),
    )
    return _order(body, (request,), chat=True)


def completion_order(body: Mapping[str, Any], default_tokens: int) -> Order:
    """A completion's body, the older form: plain text, or token ids. Raises ApiError."""
    prompt = body.get("prompt", "")
    prompts: list[Any] = cast("list[Any]", prompt) if isinstance(prompt, list) else [prompt]
    if prompts and all(isinstance(each, int) for each in prompts):
        prompts = [prompts]
    if not prompts or not all(isinstance(each, str | list) and each for each in prompts):
        raise ApiError('"prompt" must be a text, a list of texts, or token ids.', "prompt")
    if len(prompts) > MOST_PROMPTS:
        raise ApiError(f"At most {MOST_PROMPTS} prompts can be sent at once.", "prompt")
    top = body.get("logprobs")
    if top is not None and (isinstance(top, bool) or not isinstance(top, int) or not 0 <= top <= 20):
        raise ApiError('"logprobs" must be a number from 0 to 20.', "logprobs")
    sampling = _sampling(body, top is not None, int(top or 0))
    count, stops = int(_number(body, "max_tokens", min(16, default_tokens), 1, 10**9)), _stops(body.get("stop"))
    requests: list[GenerationRequest] = []
    for each in prompts:
        if isinstance(each, str):
            requests.append(GenerationRequest(prompt=each, sampling=sampling, max_tokens=count, stop=stops))
        else:
            ids = cast("list[Any]", each)
            if not all(isinstance(token, int) and not isinstance(token, bool) for token in ids):
                raise ApiError("A prompt of token ids must hold whole numbers only.", "prompt")
            requests.append(GenerationRequest(prompt_ids=tuple(ids), sampling=sampling, max_tokens=count, stop=stops))
    return _order(body, tuple(requests), chat=False)


def _order(body: Mapping[str, Any], requests: tuple[GenerationRequest, ...], *, chat: bool) -> Order:
    for field, sentence in REFUSED.items():
        if body.get(field):
            raise ApiError(sentence, field, "unsupported_parameter")
    form = body.get("response_format")
    if isinstance(form, Mapping) and cast("Mapping[str, Any]", form).get("type") not in (None, "text"):
        raise ApiError("Only plain text can be answered yet.", "response_format", "unsupported_parameter")
    options = body.get("stream_options") or {}
    if not isinstance(options, Mapping):
        raise ApiError('"stream_options" must be an object.', "stream_options")
    return Order(
        model=str(body.get("model") or ""),
        requests=tuple(replace(each, ignore_end=body.get("ignore_eos") is True) for each in requests),
        choices=int(_number(body, "n", 1, 1, MOST_CHOICES)),
        stream=bool(body.get("stream")),
        usage=bool(cast("Mapping[str, Any]", options).get("include_usage")),
        chat=chat,
        echo=bool(body.get("echo")),
    )


def _sampling(body: Mapping[str, Any], logprobs: bool, top: int) -> Sampling:
    return Sampling(
        temperature=_number(body, "temperature", 1.0, 0.0, 2.0),
        top_p=_number(body, "top_p", 1.0, 0.0, 1.0),
        top_k=int(_number(body, "top_k", 0, 0, 1_000_000)),
        min_p=_number(body, "min_p", 0.0, 0.0, 1.0),
        repetition_penalty=_number(body, "repetition_penalty", 1.0, 0.0, 10.0),
        presence_penalty=_number(body, "presence_penalty", 0.0, -2.0, 2.0),
        frequency_penalty=_number(body, "frequency_penalty", 0.0, -2.0, 2.0),
        seed=None if body.get("seed") is None else int(_number(body, "seed", 0, -(2**63), 2**63 - 1)) & (2**63 - 1),
        logit_bias=_bias(body.get("logit_bias") or {}),
        logprobs=logprobs or top > 0,
        top_logprobs=top,
    )


def _message(value: object) -> Message:
    if isinstance(value, Mapping):
        fields = cast("Mapping[str, Any]", value)
        role, content = fields.get("role"), fields.get("content")
        if isinstance(content, list):
            content = _joined(cast("list[Any]", content))
        if role in ROLES and isinstance(content, str):
            return Message("system" if role == "developer" else str(role), content)
    raise ApiError(f'Each message needs a "role" of {", ".join(ROLES)} and a "content" of text.', "messages")


def _joined(parts: Sequence[Any]) -> str:
    texts: list[str] = []
    for part in parts:
        fields = cast("Mapping[str, Any]", part) if isinstance(part, Mapping) else {}
        if fields.get("type") != "text" or not isinstance(fields.get("text"), str):
            raise ApiError("Only text can be sent: this model sees no pictures and hears nothing.", "messages")
        texts.append(fields["text"])
    return "".join(texts)


def _stops(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    stops = [value] if isinstance(value, str) else value
    if not isinstance(stops, list) or len(stops) > MOST_STOPS or not all(isinstance(s, str) and s for s in stops):
        raise ApiError(f'"stop" must be a text or a list of at most {MOST_STOPS} texts.', "stop")
    return tuple(cast("list[str]", stops))


def _number(body: Mapping[str, Any], name: str, otherwise: float, low: float, high: float) -> float:
    value = body.get(name)
    if value is None:
        return otherwise
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise ApiError(f'"{name}" must be a number from {low:g} to {high:g}.', name)
    return value


def _bias(value: object) -> dict[int, float]:
    try:
        biases = {int(token): float(bias) for token, bias in cast("Mapping[Any, Any]", value).items()}
    except (AttributeError, TypeError, ValueError, OverflowError):
        raise ApiError('"logit_bias" must map token ids to numbers.', "logit_bias") from None
    if len(biases) > MOST_BIASES or not all(0 <= token < 2**31 and -100 <= biases[token] <= 100 for token in biases):
        words = f'"logit_bias" may name at most {MOST_BIASES} tokens, each with a number from -100 to 100.'
        raise ApiError(words, "logit_bias")
    return biases


# -- answers ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Envelope:
    """What all objects of one answer have in common. created: seconds since 1970."""

    identifier: str
    created: int
    model: str
    chat: bool

    def _object(self, kind: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "id": self.identifier,
            "object": kind,
            "created": self.created,
            "model": self.model,
            "choices": choices,
        }

    def whole(self, choices: list[dict[str, Any]], usage: dict[str, Any]) -> dict[str, Any]:
        return self._object("chat.completion" if self.chat else "text_completion", choices) | {"usage": usage}

    def chunk(self, choices: list[dict[str, Any]], usage: dict[str, Any] | None = None) -> dict[str, Any]:
        found = self._object("chat.completion.chunk" if self.chat else "text_completion", choices)
        return found if usage is None else found | {"usage": usage}

    def first(self, index: int) -> dict[str, Any]:
        """The chunk that names the role; chat only."""
        return self.chunk([{"index": index, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}])

    def text(self, index: int, text: str, logprobs: dict[str, Any] | None) -> dict[str, Any]:
        body: dict[str, Any] = {"delta": {"content": text}} if self.chat else {"text": text}
        return self.chunk([{"index": index, **body, "logprobs": logprobs, "finish_reason": None}])

    def last(self, index: int, finish_reason: str) -> dict[str, Any]:
        body: dict[str, Any] = {"delta": {}} if self.chat else {"text": ""}
        return self.chunk([{"index": index, **body, "logprobs": None, "finish_reason": finish_reason}])

    def choice(self, index: int, text: str, finish_reason: str, logprobs: dict[str, Any] | None) -> dict[str, Any]:
        body: dict[str, Any] = {"message": {"role": "assistant", "content": text}} if self.chat else {"text": text}
        return {"index": index, **body, "logprobs": logprobs, "finish_reason": finish_reason}


def finish_reason_of(result: GenerationResult) -> str:
    return "length" if result.finish_reason == "length" else "stop"


def usage_of(results: Sequence[GenerationResult], choices: int) -> dict[str, Any]:
    """A prompt counts once, however many choices there are."""
    prompts = sum(result.prompt_tokens for result in results) // choices
    completions = sum(result.completion_tokens for result in results)
    reused = sum(result.reused_tokens for result in results) // choices
    return {
        "prompt_tokens": prompts,
        "completion_tokens": completions,
        "total_tokens": prompts + completions,
        "prompt_tokens_details": {"cached_tokens": reused},
    }


def logprobs_of(events: Sequence[TokenEvent], words: Sequence[str], tops: Sequence[Sequence[str]], chat: bool) -> Any:
    """words: each token's own text; tops: that of its alternatives."""
    if chat:
        return {"content": [_entry(e, w, t) for e, w, t in zip(events, words, tops, strict=True)], "refusal": None}
    offsets: list[int] = []
    for word in words:
        offsets.append((offsets[-1] + len(word)) if offsets else 0)
    return {
        "tokens": list(words),
        "token_logprobs": [event.logprob for event in events],
        "top_logprobs": [
            {text: logprob for text, (_, logprob) in zip(names, event.top_logprobs, strict=True)}
            for event, names in zip(events, tops, strict=True)
        ],
        "text_offset": offsets,
    }


def _entry(event: TokenEvent, word: str, tops: Sequence[str]) -> dict[str, Any]:
    alternatives = [
        {"token": text, "logprob": logprob, "bytes": list(text.encode())}
        for text, (_, logprob) in zip(tops, event.top_logprobs, strict=True)
    ]
    return {"token": word, "logprob": event.logprob, "bytes": list(word.encode()), "top_logprobs": alternatives}


def error_object(
    message: str, kind: str = "invalid_request_error", code: str | None = None, field: str | None = None
) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": field, "code": code}}

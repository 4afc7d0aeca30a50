"""Choosing a token at the tail, in the order and with the arithmetic of mlx_lm.sample_utils.

The random key of a token follows from the sequence's seed and the token's position alone, so sequences that run side
by side do not disturb each other and a replayed sequence draws the same tokens again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import mlx.core as mx

from shardd.rpc import lane_pb2

MAX_LOGIT_BIAS = 4096
MAX_TOP_LOGPROBS = 20

LogitsProcessor = Callable[[mx.array, mx.array], mx.array]


@dataclass(frozen=True, slots=True)
class Choice:
    """One sampled token with what was asked about it."""

    token: int
    logprob: float | None
    top_logprobs: tuple[tuple[int, float], ...]


def check_sampling(sampling: lane_pb2.Sampling, vocab_size: int) -> str | None:
    """What is wrong with a request's sampling settings, or None."""
    rules = [
        (0 <= sampling.temperature <= 100, "temperature must be between 0 and 100"),
        (0 <= sampling.top_p <= 1, "top-p must be between 0 and 1"),
        (0 <= sampling.min_p <= 1, "min-p must be between 0 and 1"),
        (0 <= sampling.repetition_penalty <= 100, "the repetition penalty must be between 0 and 100"),
        (sampling.top_logprobs <= MAX_TOP_LOGPROBS, f"at most {MAX_TOP_LOGPROBS} top log-probabilities are given"),
        (len(sampling.logit_bias) <= MAX_LOGIT_BIAS, f"at most {MAX_LOGIT_BIAS} tokens can have a logit bias"),
        (all(token < vocab_size for token in sampling.logit_bias), "a logit bias names a token the model lacks"),
    ]
    return next((sentence for holds, sentence in rules if not holds), None)


@dataclass(frozen=True, slots=True)
class Drawn:
    """A token that is known once `arrays` are evaluated. logprobs: (1, V), where somebody wants to know them."""

    token: mx.array
    logprobs: mx.array | None

    @property
    def arrays(self) -> list[mx.array]:
        return [self.token] if self.logprobs is None else [self.token, self.logprobs]


class Sampler:
    """Samples one sequence. history: the prompt's token ids, to which every sampled token is added."""

    def __init__(self, sampling: lane_pb2.Sampling, history: Sequence[int], vocab_size: int) -> None:
        self._sampling = sampling
        self._history = list(history)
        self._processors = _processors(sampling)
        self._filters = _filters(sampling, vocab_size)

    def draw(self, logits: mx.array, position: int, before: Sequence[int] = ()) -> Drawn:
        """logits: (1, V) of the position's token, in the model's dtype. before: proposed tokens that come first.
        Evaluates nothing and changes nothing."""
        if self._processors:
            history = mx.array([*self._history, *before])
            for process in self._processors:
                logits = process(history, logits)
        logprobs = logits - mx.logsumexp(logits, keepdims=True)
        wanted = self._sampling.logprobs or self._sampling.top_logprobs
        return Drawn(self._draw(logprobs, position), logprobs if wanted else None)

    def settle(self, drawn: Drawn) -> Choice:
        """Books an evaluated token as the sequence's next."""
        (token,) = cast("list[int]", drawn.token.tolist())
        self._history.append(token)
        if drawn.logprobs is None:
            return Choice(token, None, ())
        flat = drawn.logprobs[0].astype(mx.float32)
        (logprob,) = cast("list[float]", flat[token : token + 1].tolist())
        return Choice(token, logprob, _top(flat, self._sampling.top_logprobs))

    def _draw(self, logprobs: mx.array, position: int) -> mx.array:
        if self._sampling.temperature == 0:
            return mx.argmax(logprobs, axis=-1)
        for keep in self._filters:
            logprobs = keep(logprobs)
        key = mx.random.key((self._sampling.seed * 0x9E3779B97F4A7C15 + position) & 0xFFFFFFFFFFFFFFFF)
        return mx.random.categorical(logprobs * (1.0 / self._sampling.temperature), key=key)


def _processors(sampling: lane_pb2.Sampling) -> list[LogitsProcessor]:
    from mlx_lm.sample_utils import make_logits_processors

    context = sampling.repetition_context or 20
    return make_logits_processors(
        logit_bias=dict(sampling.logit_bias) or None,
        repetition_penalty=sampling.repetition_penalty if sampling.repetition_penalty not in (0, 1) else None,
        repetition_context_size=context,
        presence_penalty=sampling.presence_penalty or None,
        presence_context_size=context,
        frequency_penalty=sampling.frequency_penalty or None,
        frequency_context_size=context,
    )


def _filters(sampling: lane_pb2.Sampling, vocab_size: int) -> list[Callable[[mx.array], mx.array]]:
    from mlx_lm.sample_utils import apply_min_p, apply_top_k, apply_top_p

    top_p, min_p, top_k = sampling.top_p, sampling.min_p, sampling.top_k
    filters: list[Callable[[mx.array], Any]] = []
    if 0 < top_p < 1:
        filters.append(lambda logprobs: apply_top_p(logprobs, top_p))
    if min_p > 0:
        filters.append(lambda logprobs: apply_min_p(logprobs, min_p))
    if 0 < top_k < vocab_size:
        filters.append(lambda logprobs: apply_top_k(logprobs, top_k))
    return filters


def _top(logprobs: mx.array, count: int) -> tuple[tuple[int, float], ...]:
    if not count:
        return ()
    best = mx.argsort(-logprobs)[:count]
    return tuple(zip(cast("list[int]", best.tolist()), cast("list[float]", logprobs[best].tolist()), strict=True))

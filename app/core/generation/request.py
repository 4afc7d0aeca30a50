"""What a generation is asked to do, and what comes back while it runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the tail chooses a token. Temperature 0: greedy; 0 switches top_k and min_p off, 1 top_p and the penalty."""

    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    repetition_context: int = 20
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    seed: int | None = None  # None: a random one
    logit_bias: Mapping[int, float] = field(default_factory=dict[int, float])
    logprobs: bool = False
    top_logprobs: int = 0
    speculate: bool = True  # the text stays the same, it only comes sooner


@dataclass(frozen=True, slots=True)
class Message:
    role: str  # "system", "user" or "assistant"
    content: str


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """Messages (rendered by the model's chat template), or a raw prompt, or token ids as they are.

    ignore_end: go on past the tokens that end an answer, for a bench of a fixed length.
    continue_last: the last message is the assistant's own and is to be gone on with, not answered.
    """

    messages: tuple[Message, ...] = ()
    prompt: str = ""
    prompt_ids: tuple[int, ...] = ()
    ignore_end: bool = False
    sampling: Sampling = Sampling()
    max_tokens: int = 512
    stop: tuple[str, ...] = ()
    continue_last: bool = False


class StageTiming(NamedTuple):
    """Where one token's time went in one stage, in milliseconds. As TokenEvent made for every token, hence no frozen
    dataclass, which takes five times as long to make."""

    stage: int
    hop_ms: float
    queue_ms: float
    compute_ms: float
    serialise_ms: float
    kv_bytes: int = 0  # the sequence's cache in the stage


@dataclass(frozen=True, slots=True)
class Queued:
    """The answer waits for memory. place: 1 is the next."""

    place: int


@dataclass(frozen=True, slots=True)
class PrefillProgress:
    """How much of the prompt is computed. The first one says what kept caches already held."""

    done_tokens: int
    total_tokens: int


class TokenEvent(NamedTuple):
    """One token. text is what became printable with it and may be empty.

    timings: empty where the token came with the one before it, in the same lap. shared: answers in that lap's steps.
    sent_ms: the tail's clock when the token left it; only differences mean something, 0 where it is not known.
    """

    token: int
    text: str
    timings: tuple[StageTiming, ...]
    at_ms: float  # since the request was made
    logprob: float | None = None
    top_logprobs: tuple[tuple[int, float], ...] = ()
    shared: int = 1
    sent_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class StageReport:
    """One stage over a whole answer, as `generate --json` shows it."""

    node: str
    first: int
    last: int
    weights_bytes: int
    kv_bytes: int
    compute_ms: tuple[float, float] | None  # p50, p95 over decode steps
    queue_ms: tuple[float, float] | None
    hop_ms: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class GenerationEventNote:
    """Something that happened to the answer, told when it happens and once more in the result.

    kind: "stage_lost"; "waiting" where nothing fits; "continued", with the parts of the time since the last token;
    "failed".

    replayed_tokens: of "continued", how many tokens each stage computed again; 0 where it still had its cache.
    refusal: of "failed", why the answer was never begun, a lane_pb2.Refusal; 0 where it was.
    """

    at_ms: float
    kind: str
    node: str
    message: str
    parts_ms: Mapping[str, float] = field(default_factory=dict[str, float])
    replayed_tokens: tuple[int, ...] = ()
    refusal: int = 0


@dataclass(frozen=True, slots=True)
class GenerationResult:
    """The whole answer. finish_reason: "stop", "length", "cancelled" or "error" (then events say why)."""

    text: str
    token_ids: tuple[int, ...]
    prompt_tokens: int
    completion_tokens: int
    finish_reason: str
    ttft_ms: float | None
    prefill_tokens_per_s: float | None
    decode_tokens_per_s: float | None
    stages: tuple[StageReport, ...]
    events: tuple[GenerationEventNote, ...]
    logprobs: tuple[float, ...] = ()
    reused_tokens: int = 0  # of the prompt, found in kept caches
    laps: int = 0  # around the ring; fewer than tokens where proposals were right


GenerationUpdate = Queued | PrefillProgress | TokenEvent | GenerationEventNote | GenerationResult

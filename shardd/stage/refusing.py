"""Why a sequence is not opened: pure, before anything is done for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from shardd.rpc import lane_pb2
from shardd.stage.sampling import check_sampling


class Refused(NamedTuple):
    refusal: lane_pb2.Refusal
    sentence: str


def refuse(
    opened: lane_pb2.Open,
    prompt: Sequence[int],
    context_tokens: int,
    vocab_size: int,
    *,
    open_already: bool,
    crowded: bool,
) -> Refused | None:
    """Why this sequence cannot be opened, or None."""
    if open_already:
        return Refused(lane_pb2.REFUSAL_UNSPECIFIED, "This sequence is open already.")
    if crowded:
        return Refused(lane_pb2.CROWDED, "Too many answers are waiting already. Try again when some have ended.")
    if not prompt:
        return Refused(lane_pb2.PROMPT_EMPTY, "The prompt is empty. Write something.")
    if len(prompt) >= context_tokens:
        return Refused(
            lane_pb2.PROMPT_TOO_LONG,
            f"The prompt has {len(prompt)} tokens and the context holds {context_tokens}. "
            "Shorten it or deploy with a longer context.",
        )
    if not all(0 <= token < vocab_size for token in prompt):
        return Refused(
            lane_pb2.PROMPT_UNKNOWN_TOKENS,
            "The prompt has token ids that the model does not know. Use the tokenizer that came with it.",
        )
    problem = check_sampling(opened.sampling, vocab_size)
    return Refused(lane_pb2.SAMPLING_WRONG, f"The sampling settings are wrong: {problem}.") if problem else None

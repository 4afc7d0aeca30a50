"""Why a sequence is not opened: pure, before anything is done for it."""

from __future__ import annotations

from collections.abc import Sequence

from shardd.rpc import lane_pb2
from shardd.stage.sampling import check_sampling


def refuse(
    opened: lane_pb2.Open,
    prompt: Sequence[int],
    context_tokens: int,
    vocab_size: int,
    *,
    open_already: bool,
    crowded: bool,
) -> str | None:
    """Why this sequence cannot be opened, as a sentence, or None."""
    if open_already:
        return "This sequence is open already."
    if crowded:
        return "Too many answers are waiting already. Try again when some have ended."
    if not prompt:
        return "The prompt is empty. Write something."
    if len(prompt) >= context_tokens:
        return (
            f"The prompt has {len(prompt)} tokens and the context holds {context_tokens}. "
            "Shorten it or deploy with a longer context."
        )
    if not all(0 <= token < vocab_size for token in prompt):
        return "The prompt has token ids that the model does not know. Use the tokenizer that came with it."
    problem = check_sampling(opened.sampling, vocab_size)
    return f"The sampling settings are wrong: {problem}." if problem else None

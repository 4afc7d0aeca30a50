"""What a range of layers needs on a node, and whether it is there. Bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from app.core.placement.placement import Placement, Problem
from app.core.text import phrase
from shardd.host import format_bytes
from shardd.stage.orders import DRAFTED_SEQUENCES

if TYPE_CHECKING:
    from shardd.model.inventory import Inventory

PROCESS_BYTES = 150_000_000  # a stage's process without weights: about 110 MB resident measured on Linux, and some air
CHUNK_TOKENS = 2048  # the largest that the head cuts a prompt into (shardd.stage.pacing)
CAPACITY_CONTEXTS = 64  # more full contexts at once than these are of no use to anybody
KV_STEP_TOKENS = 256  # mlx-lm's caches grow by so many tokens at a time
ITEM_BYTES = {"float32": 4, "float16": 2, "bfloat16": 2}


@dataclass(frozen=True, slots=True)
class Needs:
    weights_bytes: int
    kv_bytes: int
    overhead_bytes: int

    @property
    def total(self) -> int:
        return self.weights_bytes + self.kv_bytes + self.overhead_bytes


def layer_kv_bytes(inventory: Inventory, layer: int, context_tokens: int) -> int:
    """One layer's cache of one full sequence: bytes per token up to its window, and what it takes from the start."""
    limit = inventory.kv_limit_tokens[layer]
    tokens = context_tokens if limit is None else min(context_tokens, limit)
    return inventory.kv_bytes_per_token[layer] * tokens + inventory.fixed_cache_bytes[layer]


def layer_slack_bytes(inventory: Inventory, layer: int, context_tokens: int) -> int:
    """What mlx-lm allocates for that cache beyond what is counted: the rest of the last step of 256 tokens; for a
    sliding window the chunk that is appended before the oldest tokens are dropped."""
    limit = inventory.kv_limit_tokens[layer]
    if limit is None:
        tokens = -context_tokens % KV_STEP_TOKENS
    else:
        tokens = min(max(context_tokens - limit, 0), CHUNK_TOKENS - 1)
    return inventory.kv_bytes_per_token[layer] * tokens


def kv_bytes(inventory: Inventory, first: int, last: int, context_tokens: int) -> int:
    """Cache of one full sequence in layers first to last."""
    return sum(layer_kv_bytes(inventory, layer, context_tokens) for layer in range(first, last + 1))


def computing_bytes(inventory: Inventory, last: int, context_tokens: int) -> int:
    """The process, and what one prefill chunk takes while a layer computes it, an upper estimate:

    6 hidden states (residual, normed, queries, keys, values, attention), 3 inner ones (gate, up, their product; for
    a mixture of experts, of all experts that a token visits); at the tail, four float32 copies of a token's logits.
    """
    chunk = min(CHUNK_TOKENS, context_tokens)
    width = 6 * inventory.hidden_size + 3 * _inner_size(inventory)
    logits = 4 * inventory.vocab_size * 4 if last == inventory.layer_count - 1 else 0
    return PROCESS_BYTES + chunk * width * ITEM_BYTES.get(inventory.dtype, 4) + logits


def overhead_bytes(inventory: Inventory, first: int, last: int, context_tokens: int, sequences: int = 1) -> int:
    """computing_bytes, the caches' slack, and the largest layer's cache once more: it is copied when it grows."""
    layers = range(first, last + 1)
    slack = sum(layer_slack_bytes(inventory, layer, context_tokens) for layer in layers)
    copied = max(layer_kv_bytes(inventory, layer, context_tokens) for layer in layers)
    return computing_bytes(inventory, last, context_tokens) + slack * sequences + copied


def needs(inventory: Inventory, first: int, last: int, context_tokens: int, sequences: int = 1) -> Needs:
    """Of a stage of layers first to last with full sequences. Raises ValueError where there is no such range."""
    return Needs(
        inventory.weights_bytes(first, last),
        kv_bytes(inventory, first, last, context_tokens) * sequences,
        overhead_bytes(inventory, first, last, context_tokens, sequences),
    )


def draft_bytes(inventory: Inventory, context_tokens: int) -> int:
    """What a draft model takes in the head's process: its weights, its caches, and what it needs to compute."""
    last = inventory.layer_count - 1
    return needs(inventory, 0, last, context_tokens, DRAFTED_SEQUENCES).total - PROCESS_BYTES


def kv_capacity_tokens(
    placement: Placement,
    inventory: Inventory,
    available: Mapping[str, int | None],
    context_tokens: int,
    drafting: int = 0,
) -> int:
    """Tokens that the caches of all sequences together may hold: one full context, and more where memory is left.

    Half of what the tightest node has left beyond a full sequence is given; the rest stays for batches and others.
    drafting: bytes that a draft model takes on the head's node.
    """
    most = CAPACITY_CONTEXTS * context_tokens
    for stage in placement.stages:
        free = available.get(stage.node)
        per_token = sum(inventory.kv_bytes_per_token[stage.first : stage.last + 1])
        if free is None or not per_token:
            continue
        left = free - needs(inventory, stage.first, stage.last, context_tokens).total
        left -= drafting if stage.first == 0 else 0
        most = min(most, context_tokens + max(0, left // 2) // per_token)
    return max(context_tokens, most)


def memory_problems(
    placement: Placement,
    inventory: Inventory,
    available: Mapping[str, int | None],
    context_tokens: int,
    drafting: int = 0,
    *,
    beside: bool = False,
) -> tuple[Problem, ...]:
    """Stages that do not fit what their nodes have left. None: not known yet, so not judged.

    drafting: bytes that a draft model takes on the head's node. beside: what is left is so beside stages that run.
    """
    found: list[Problem] = []
    for stage in placement.stages:
        free = available.get(stage.node)
        if free is None or not 0 <= stage.first <= stage.last < inventory.layer_count:
            continue
        extra = drafting if stage.first == 0 else 0
        wanted = needs(inventory, stage.first, stage.last, context_tokens).total + extra
        if wanted > free:
            who = phrase("its layers and the draft model") if extra else phrase("its layers")
            figures = {
                "node": stage.node,
                "lacking": format_bytes(wanted - free),
                "who": who,
                "needed": format_bytes(wanted),
                "free": format_bytes(free),
            }
            if beside:
                sentence = phrase(
                    "{node} lacks {lacking} to load {who} while the present ones still run: they need {needed} and "
                    "{free} are free.",
                    **figures,
                )
            else:
                sentence = phrase(
                    "{node} lacks {lacking}: {who} need {needed} and {free} are free. Move layers to another machine "
                    "or choose a smaller context{without}.",
                    without=phrase(", or deploy without the draft model") if extra else "",
                    **figures,
                )
            found.append(Problem("memory", stage.node, sentence))
    return tuple(found)


def _inner_size(inventory: Inventory) -> int:
    """The widest feed-forward layer, by the names that configurations use; four hidden states where none is given."""
    text: Any = inventory.config.get("text_config")
    table = {**inventory.config, **(cast("dict[str, Any]", text) if isinstance(text, dict) else {})}

    def number(*names: str) -> int:
        found: list[object] = [table.get(name) for name in names]
        return max((value for value in found if type(value) is int and value > 0), default=0)

    dense = number("intermediate_size", "ffn_dim", "n_inner", "ffn_hidden_size")
    visited = number("num_experts_per_tok", "num_experts_per_token", "moe_topk", "top_k_experts")
    expert = number("moe_intermediate_size") or dense
    return max(dense, visited * expert) or 4 * inventory.hidden_size

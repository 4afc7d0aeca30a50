"""What a range of layers needs on a node, and whether it is there. Bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from app.core.placement.placement import Placement, Problem
from shardd.host import format_bytes
from shardd.model.inventory import Inventory

PROCESS_BYTES = 150_000_000  # a stage's process without weights: about 110 MB resident measured on Linux, and some air
CHUNK_TOKENS = 512
ITEM_BYTES = {"float32": 4, "float16": 2, "bfloat16": 2}


@dataclass(frozen=True, slots=True)
class Needs:
    weights_bytes: int
    kv_bytes: int
    overhead_bytes: int

    @property
    def total(self) -> int:
        return self.weights_bytes + self.kv_bytes + self.overhead_bytes


def kv_bytes(inventory: Inventory, first: int, last: int, context_tokens: int) -> int:
    """Cache of one full sequence: each layer's bytes per token up to its window, and what it takes from the start."""
    total = 0
    for layer in range(first, last + 1):
        limit = inventory.kv_limit_tokens[layer]
        tokens = context_tokens if limit is None else min(context_tokens, limit)
        total += inventory.kv_bytes_per_token[layer] * tokens + inventory.fixed_cache_bytes[layer]
    return total


def overhead_bytes(inventory: Inventory, last: int, context_tokens: int) -> int:
    """The process, and the activations of one prefill chunk: six hidden states wide, and logits at the tail."""
    chunk = min(CHUNK_TOKENS, context_tokens)
    item = ITEM_BYTES.get(inventory.dtype, 4)
    activations = 6 * chunk * inventory.hidden_size * item
    logits = 4 * inventory.vocab_size * 4 if last == inventory.layer_count - 1 else 0
    return PROCESS_BYTES + activations + logits


def needs(inventory: Inventory, first: int, last: int, context_tokens: int, sequences: int = 1) -> Needs:
    return Needs(
        inventory.weights_bytes(first, last),
        kv_bytes(inventory, first, last, context_tokens) * sequences,
        overhead_bytes(inventory, last, context_tokens),
    )


def memory_problems(
    placement: Placement, inventory: Inventory, available: Mapping[str, int | None], context_tokens: int
) -> tuple[Problem, ...]:
    """Stages that do not fit what their nodes have left. None: not known yet, so not judged."""
    found: list[Problem] = []
    for stage in placement.stages:
        free = available.get(stage.node)
        if free is None or not 0 <= stage.first <= stage.last < inventory.layer_count:
            continue
        wanted = needs(inventory, stage.first, stage.last, context_tokens).total
        if wanted > free:
            sentence = (
                f"{stage.node} lacks {format_bytes(wanted - free)}: its layers need {format_bytes(wanted)} and "
                f"{format_bytes(free)} are free. Move layers to another machine or choose a smaller context."
            )
            found.append(Problem("memory", stage.node, sentence))
    return tuple(found)

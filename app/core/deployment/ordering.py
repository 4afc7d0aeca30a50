"""What a deployment needs to know, put together: the model's blobs, the draft's, and the memory for caches."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from app.core.cluster.node import Node
from app.core.deployment import review
from app.core.deployment.deployment import DeployOrder
from app.core.deployment.drafting import DraftModel, DraftOrder
from app.core.deployment.source import model_source
from app.core.library.digests import DigestCache
from app.core.placement.budget import kv_capacity_tokens
from app.core.placement.placement import Placement
from app.core.snapshot import ModelView, TransferView
from shardd.stage.orders import PipelineOptions


async def make_order(
    model: ModelView,
    draft: DraftModel | None,
    placement: Placement,
    context_tokens: int,
    nodes: Mapping[str, Node],
    digests: DigestCache,
    options: PipelineOptions,
    prefill_chunk_tokens: int,
) -> DeployOrder:
    """Hashes what was never hashed before, which shows on the first node's card. Raises SentenceError."""
    loop = asyncio.get_running_loop()

    def prepare() -> DeployOrder:
        total = model.inventory.total_bytes
        first = nodes[placement.nodes[0]]

        def show(done: int) -> None:
            loop.call_soon_threadsafe(first.show_transfer, TransferView("preparing", done, total, None))

        source = model_source(model.inventory, digests, show)
        with contextlib.suppress(OSError):  # a full disk: they are hashed again some day
            digests.save(model.inventory.units)
        drafts = DraftOrder(draft, model_source(draft.inventory, digests, show)) if draft else None
        chosen = options
        if not chosen.kv_tokens:
            room = review.available_bytes(nodes)
            drafting = review.drafting_bytes(draft, context_tokens)
            capacity = kv_capacity_tokens(placement, model.inventory, room, context_tokens, drafting)
            chosen = replace(chosen, kv_tokens=capacity)
        name = Path(model.directory).name
        return DeployOrder(
            name, model.inventory, source, placement, context_tokens, chosen, prefill_chunk_tokens, drafts
        )

    return await asyncio.to_thread(prepare)

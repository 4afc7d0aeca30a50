"""A unit's writer for as long as its bytes arrive."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from shardd.store import Store, UnitWriter


@asynccontextmanager
async def arriving(store: Store, digest: str, size: int) -> AsyncGenerator[UnitWriter]:
    """Opens the writer beside the loop, and lets go of it whatever happens. Raises what Store.open_writer raises."""
    opening = asyncio.ensure_future(asyncio.to_thread(store.open_writer, digest, size))
    try:
        writer = await asyncio.shield(opening)
    except asyncio.CancelledError:
        # The thread goes on: what it opens for a caller that is gone would keep the unit busy for ever.
        opening.add_done_callback(_close)
        raise
    with writer:
        yield writer


def _close(opened: asyncio.Future[UnitWriter]) -> None:
    if not opened.cancelled() and opened.exception() is None:
        opened.result().close()

"""A unit that somebody pushes is never left busy."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest
from blake3 import blake3

from shardd.rpc.arriving import arriving
from shardd.store import Store, StoreError, UnitBusy, UnitWriter

CONTENT = b"weights" * 100
DIGEST = blake3(CONTENT).hexdigest()


class SlowStore(Store):
    """Opens when it is told to."""

    def __init__(self, root: Path) -> None:
        super().__init__(root, reserve_bytes=0)
        self.asked, self.go_on, self.opened = threading.Event(), threading.Event(), threading.Event()

    def open_writer(self, digest: str, size: int) -> UnitWriter:
        self.asked.set()
        assert self.go_on.wait(60)
        try:
            return super().open_writer(digest, size)
        finally:
            self.opened.set()


async def take(store: Store) -> None:
    async with arriving(store, DIGEST, len(CONTENT)) as writer:
        writer.write(CONTENT)
        writer.finish()


async def test_a_caller_that_goes_away_while_it_is_opened_leaves_it_free(tmp_path: Path) -> None:
    store = SlowStore(tmp_path)
    first = asyncio.create_task(take(store))
    await asyncio.to_thread(store.asked.wait, 20)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    store.go_on.set()
    await asyncio.to_thread(store.opened.wait, 20)
    async with asyncio.timeout(20):
        while True:
            try:
                await take(store)
                break
            except UnitBusy:
                await asyncio.sleep(0)  # the loop closes it in one of its next rounds
    assert store.path(DIGEST).read_bytes() == CONTENT


async def test_a_refusal_reaches_the_caller_and_a_failure_lets_go(tmp_path: Path) -> None:
    store = Store(tmp_path, reserve_bytes=0)
    with pytest.raises(StoreError):
        async with arriving(store, "no digest", 1):
            pass
    with pytest.raises(ZeroDivisionError):
        async with arriving(store, DIGEST, len(CONTENT)):
            raise ZeroDivisionError
    await take(store)

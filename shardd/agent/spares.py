"""Shards that controllers keep here as spares: not loaded, and not evicted while what they belong to is deployed."""

from __future__ import annotations

from collections.abc import Iterable


class SpareShards:
    """In memory only: after a restart of the agent the controller says it again."""

    def __init__(self) -> None:
        self._kept: dict[str, frozenset[str]] = {}  # by the controller's fingerprint

    def keep(self, controller: str, shard_ids: Iterable[str]) -> None:
        """In place of what this controller said before."""
        self._kept[controller] = frozenset(shard_ids)
        if not self._kept[controller]:
            del self._kept[controller]

    def keeps(self, shard_id: str) -> bool:
        return any(shard_id in kept for kept in self._kept.values())

    def kept_for(self, controller: str, shard_id: str) -> bool:
        return shard_id in self._kept.get(controller, frozenset())

    def hand_over(self, former: str, controller: str) -> None:
        if former in self._kept:
            self._kept[controller] = self._kept.pop(former)

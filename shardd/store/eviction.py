"""What may give way when something new needs room: a pure choice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HeldShard:
    """used_at: seconds, when it was recorded or loaded last."""

    shard_id: str
    digests: Set[str]
    used_at: float


def evictable(
    shards: Sequence[HeldShard], sizes: Mapping[str, int], safe: Set[str], in_use: Callable[[str], bool]
) -> dict[str, int]:
    """Names of units and shards in the order in which they go, with the bytes that each frees then.

    First whole units that no shard needs, then shards, the one that was used longest ago first. A unit that several
    shards share goes with the last of them. Never: units in `safe`, shards that are in use.
    """
    needed = Counter(digest for shard in shards for digest in shard.digests)
    order = {digest: size for digest, size in sizes.items() if digest not in needed and digest not in safe}
    for shard in sorted(shards, key=lambda shard: shard.used_at):
        if in_use(shard.shard_id):
            continue
        needed.subtract(shard.digests)
        freed = sum(sizes.get(digest, 0) for digest in shard.digests if needed[digest] == 0 and digest not in safe)
        if freed:
            order[shard.shard_id] = freed
        else:
            needed.update(shard.digests)
    return order

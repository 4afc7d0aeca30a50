"""What gives way when room is needed, as a table; who sends what to whom; grants."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.deployment.sources import Wanted, plan_rounds
from shardd.agent.grants import SECONDS, Grants
from shardd.identity import create_identity
from shardd.store.eviction import HeldShard, evictable

SIZES = {"a": 1, "b": 2, "c": 4, "d": 8, "orphan": 16}
OLD = HeldShard("old", frozenset("ab"), 1.0)
MIDDLE = HeldShard("middle", frozenset("bc"), 2.0)
NEW = HeldShard("new", frozenset("d"), 3.0)


@pytest.mark.parametrize(
    ("shards", "safe", "used", "order"),
    [
        ([NEW, MIDDLE, OLD], set(), set(), {"orphan": 16, "old": 1, "middle": 6, "new": 8}),
        ([NEW, MIDDLE, OLD], {"orphan"}, {"old"}, {"middle": 4, "new": 8}),  # b is the loaded one's too
        ([NEW, MIDDLE, OLD], {"d", "orphan"}, set(), {"old": 1, "middle": 6}),  # d is being pushed
        ([NEW], set(), {"new"}, {"a": 1, "b": 2, "c": 4, "orphan": 16}),
    ],
)
def test_the_oldest_first_and_nothing_that_is_needed(
    shards: list[HeldShard], safe: set[str], used: set[str], order: dict[str, int]
) -> None:
    found = evictable(shards, SIZES, safe, lambda shard_id: shard_id in used)
    assert found == order and list(found) == list(order)


UNITS = st.frozensets(st.sampled_from(sorted(SIZES)))


@given(st.lists(st.tuples(UNITS, st.integers(0, 3), st.booleans()), max_size=6), UNITS)
def test_what_goes_frees_what_is_said_and_leaves_every_shard_in_use_whole(
    held: list[tuple[frozenset[str], int, bool]], safe: frozenset[str]
) -> None:
    shards = [HeldShard(f"shard {number}", units, used_at) for number, (units, used_at, _) in enumerate(held)]
    used = {shard.shard_id for shard, (_, _, loaded) in zip(shards, held, strict=True) if loaded}
    by_id, left, disk = {shard.shard_id: shard for shard in shards}, dict.fromkeys(SIZES), []
    order = evictable(shards, SIZES, safe, lambda shard_id: shard_id in used)
    for name, frees in order.items():
        gone = by_id.pop(name, None)
        needed = {digest for shard in by_id.values() for digest in shard.digests}
        doomed = ({name} if gone is None else set(gone.digests)) - needed - safe
        assert frees == sum(SIZES[digest] for digest in doomed & left.keys()) > 0
        for digest in doomed & left.keys():
            del left[digest]
        disk.append(0.0 if gone is None else 1.0 + gone.used_at)
    assert disk == sorted(disk), "units without a shard first, then the shards by age"
    assert used <= by_id.keys() and safe <= left.keys()
    assert all(shard.digests <= left.keys() for shard in by_id.values())


def wanted(*names: str) -> list[Wanted]:
    return [Wanted(name, 10) for name in names]


@pytest.mark.parametrize(
    ("missing", "holders", "pushes", "first", "second"),
    [
        ({"x": wanted("a", "b")}, {}, {"x": ("a", "b")}, {}, {}),
        ({"x": wanted("a"), "y": wanted("a")}, {}, {"x": ("a",)}, {}, {("y", "x"): ("a",)}),
        ({"x": wanted("a"), "y": wanted("a")}, {"a": {"z"}}, {}, {("x", "z"): ("a",), ("y", "z"): ("a",)}, {}),
        # Two holders share the work.
        ({"x": wanted("a", "b")}, {"a": {"y", "z"}, "b": {"y", "z"}}, {}, {("x", "y"): ("a",), ("x", "z"): ("b",)}, {}),
        ({"x": []}, {}, {}, {}, {}),
    ],
)
def test_a_unit_leaves_the_controller_once(missing, holders, pushes, first, second) -> None:
    one, two = plan_rounds(missing, holders)
    assert (dict(one.pushes), dict(one.fetches), dict(two.pushes), dict(two.fetches)) == (pushes, first, {}, second)


def test_grants_end() -> None:
    now = [0.0]
    grants = Grants(lambda: now[0])
    friend, stranger = create_identity("friend"), create_identity("stranger")
    token = grants.add(friend.certificate_pem, ["a"])
    assert grants.allows(token, friend.fingerprint, "a")
    assert not grants.allows(token, friend.fingerprint, "b")
    assert not grants.allows(token, stranger.fingerprint, "a")
    assert not grants.allows(b"", friend.fingerprint, "a")
    assert grants.holds_any(friend.fingerprint) and not grants.holds_any(stranger.fingerprint)
    assert grants.pems() == [friend.certificate_pem]
    now[0] = SECONDS + 1
    assert not grants.allows(token, friend.fingerprint, "a") and not grants.pems()

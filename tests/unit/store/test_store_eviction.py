"""What gives way when room is needed, as a table; who sends what to whom; grants."""

from __future__ import annotations

import pytest

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

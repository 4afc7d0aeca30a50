"""A store that is full: what gives way in real files, what never does, and what is said where that is not enough."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from blake3 import blake3

from shardd.store import DiskFull, ShardManifest, Store, StoreError, UnitReference
from shardd.store import store as store_module

SIZE = 100_000
ROOM = 3_000  # for manifests, which count too
CONTENTS = {name: name.encode() * SIZE for name in "abcdefgh"}
DIGESTS = {name: blake3(content).hexdigest() for name, content in CONTENTS.items()}
NAMES = {digest: name for name, digest in DIGESTS.items()}

Make = Callable[..., Store]


def shard(units: str) -> ShardManifest:
    """A shard of these units, one letter each; the first one is its blueprint."""
    references = tuple(UnitReference(f"layer.{name}", DIGESTS[name], SIZE) for name in units)
    return ShardManifest(f"model {units}", DIGESTS[units[0]], 0, len(units) - 1, len(units), references)


def push(store: Store, units: str) -> None:
    for name in units:
        with store.open_writer(DIGESTS[name], SIZE) as unit:
            unit.write(CONTENTS[name][unit.offset :])
            unit.finish()


def put(store: Store, units: str, used_at: float) -> str:
    push(store, units)
    store.put_shard(shard(units))
    path = store_path(store, units)
    os.utime(path, (used_at, used_at))
    return shard(units).shard_id


def store_path(store: Store, units: str) -> Path:
    return store._root / "shards" / f"{shard(units).shard_id}.json"


def held(store: Store) -> str:
    return "".join(name for name, digest in DIGESTS.items() if store.size(digest) is not None)


def models(store: Store) -> set[str]:
    return {manifest.model.removeprefix("model ") for manifest in store.shards()}


@pytest.fixture(params=["limit", "disk"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    """Makes a store with room for so many units: by its own limit, or because the disk has no more."""

    def made(units: int, in_use: Callable[[str], bool] = lambda shard_id: False) -> Store:
        root, capacity = tmp_path / "store", units * SIZE + ROOM
        if request.param == "limit":
            return Store(root, in_use, reserve_bytes=0, free=lambda path: 1 << 40, limit_bytes=capacity)
        taken = lambda path: sum(file.stat().st_size for file in path.rglob("*") if file.is_file())  # noqa: E731
        return Store(root, in_use, reserve_bytes=1 << 20, free=lambda path: (1 << 20) + capacity - taken(path))

    return made


@pytest.mark.parametrize(
    ("before", "orphans", "loaded", "offered", "arrives", "left", "shards"),
    [
        # Room enough: nothing moves.
        ({"ab": 1.0}, "", "", "", "cd", "abcd", {"ab"}),
        # The one used longest ago goes, whatever the order in which they came.
        ({"ab": 2.0, "cd": 1.0}, "", "", "", "e", "abe", {"ab"}),
        ({"ab": 1.0, "cd": 2.0}, "", "", "", "e", "cde", {"cd"}),
        # Two shards go where one is not enough.
        ({"ab": 1.0, "cd": 2.0}, "", "", "", "efg", "efg", set()),
        # What both need stays with the younger one.
        ({"ab": 1.0, "bcd": 2.0}, "", "", "", "e", "bcde", {"bcd"}),
        # A shard that frees nothing, because all of it is another's, does not go for nothing.
        ({"bc": 1.0, "bcd": 3.0, "a": 2.0}, "", "", "", "e", "bcde", {"bc", "bcd"}),
        # A loaded one never goes, however old.
        ({"ab": 1.0, "cd": 2.0}, "", "ab", "", "e", "abe", {"ab"}),
        # Units without a shard go before any shard does.
        ({"ab": 1.0}, "cd", "", "", "ef", "abef", {"ab"}),
        # What a controller has just asked about stays: its shard goes without it.
        ({"ab": 1.0, "cd": 2.0}, "", "", "b", "e", "bcde", {"cd"}),
        ({"ab": 1.0}, "cd", "", "d", "ef", "def", set()),
    ],
)
def test_what_gives_way(
    make: Make,
    before: Mapping[str, float],
    orphans: str,
    loaded: str,
    offered: str,
    arrives: str,
    left: str,
    shards: set[str],
) -> None:
    store = make(4, lambda shard_id: bool(loaded) and shard_id == shard(loaded).shard_id)
    for units, used_at in before.items():
        put(store, units, used_at)
    push(store, orphans)
    store.offered([DIGESTS[name] for name in offered + arrives])
    push(store, arrives)
    assert (held(store), models(store)) == (left, shards)
    assert store.used_bytes() <= 4 * SIZE + ROOM


@pytest.mark.parametrize(
    ("loaded", "offered", "missing"), [("abcd", "", 1), ("", "abcd", 1), ("", "bcd", 0), ("", "", -3)]
)
def test_room_counts_what_may_give_way_and_the_error_says_what_is_missing(
    make: Make, loaded: str, offered: str, missing: int
) -> None:
    store = make(4, lambda shard_id: bool(loaded))
    put(store, "abcd", 1.0)
    store.offered([DIGESTS[name] for name in offered])
    room = store.room_bytes()
    assert (1 - missing) * SIZE <= room <= (1 - missing) * SIZE + ROOM
    if missing <= 0:
        push(store, "e")
        return
    with pytest.raises(DiskFull) as caught:
        store.open_writer(DIGESTS["e"], SIZE)
    assert caught.value.missing == SIZE - room
    assert held(store) == "abcd" and models(store) == {"abcd"}


def test_the_two_sentences_name_the_bytes_and_the_way_out(tmp_path: Path) -> None:
    limited = Store(tmp_path / "limited", reserve_bytes=0, free=lambda path: 1 << 40, limit_bytes=SIZE // 2)
    with pytest.raises(DiskFull, match=r"may take 50 KB, and 50 KB more are needed.*--store-limit"):
        limited.open_writer(DIGESTS["a"], SIZE)
    full = Store(tmp_path / "full", reserve_bytes=0, free=lambda path: SIZE // 2, limit_bytes=1 << 40)
    with pytest.raises(DiskFull, match=r"The disk lacks 50 KB.*Free 50 KB on this machine"):
        full.open_writer(DIGESTS["a"], SIZE)


def test_two_units_that_arrive_together_share_the_room(make: Make) -> None:
    store = make(2)
    with store.open_writer(DIGESTS["a"], SIZE) as first, store.open_writer(DIGESTS["b"], SIZE) as second:
        with pytest.raises(DiskFull):
            store.open_writer(DIGESTS["c"], SIZE)
        for unit, name in ((first, "a"), (second, "b")):
            unit.write(CONTENTS[name])
            unit.finish()
    assert held(store) == "ab"


def test_a_unit_that_is_being_written_again_is_not_taken_away(make: Make) -> None:
    """A whole unit without a shard is the first to go, but not under a push that has just found it here."""
    store = make(2)
    push(store, "a")
    with store.open_writer(DIGESTS["a"], SIZE) as again:
        push(store, "bcd")
        assert again.finish().read_bytes() == CONTENTS["a"]
    assert held(store) == "ad"


def test_an_unwanted_unit_may_go_when_nobody_came_back_for_it(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(store_module.time, "monotonic", lambda: now[0])
    store = make(2)
    push(store, "ab")
    store.offered([DIGESTS["a"], DIGESTS["b"]])
    with pytest.raises(DiskFull):
        push(store, "c")
    now[0] += store_module.WANTED_S + 1
    push(store, "c")
    assert held(store) == "bc"


def test_a_recorded_shard_speaks_for_its_units(make: Make) -> None:
    """What was offered for it is not kept twice: once it is recorded, its age decides."""
    store = make(2)
    store.offered([DIGESTS["a"], DIGESTS["b"]])
    put(store, "ab", 1.0)
    push(store, "cd")
    assert held(store) == "cd"


def test_last_use_is_durable_and_moves_on(make: Make) -> None:
    store = make(8)
    early, late = put(store, "ab", 1000.0), put(store, "cd", 2000.0)
    again = make(8)
    assert (again.used_at(early), again.used_at(late), again.used_at("0" * 64)) == (1000.0, 2000.0, 0.0)
    again.used(early)
    assert store.used_at(early) > 2000.0
    store.put_shard(shard("cd"))  # deployed again: used again
    assert store.used_at(late) >= store.used_at(early)
    store.used("0" * 64)  # not here: nothing happens
    assert models(store) == {"ab", "cd"}


def test_offering_changes_no_answer_and_refuses_what_is_no_digest(make: Make) -> None:
    store = make(4)
    push(store, "a")
    with store.open_writer(DIGESTS["b"], SIZE) as unit:
        unit.write(CONTENTS["b"][:1000])
    digests = [DIGESTS[name] for name in "abc"]
    assert store.offered(digests) == store.states(digests)
    assert [(NAMES[s.digest], s.have_bytes, s.whole) for s in store.offered(digests).values()] == [
        ("a", SIZE, True),
        ("b", 1000, False),
        ("c", 0, False),
    ]
    with pytest.raises(StoreError):
        store.offered(["../a"])


def test_a_limit_below_what_is_here_takes_nothing_until_something_arrives(make: Make) -> None:
    put(make(4), "abcd", 1.0)
    store = make(2)
    assert store.free_bytes() == 0 and held(store) == "abcd"
    assert 2 * SIZE <= store.room_bytes() <= 2 * SIZE + ROOM
    push(store, "e")
    assert held(store) == "e"

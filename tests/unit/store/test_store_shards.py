from pathlib import Path

import pytest
from blake3 import blake3

from shardd.store import ShardManifest, Store, StoreError, UnitReference
from shardd.store import store as store_module

UNITS = {f"layer.{number}": f"weights of {number}".encode() * 10 for number in range(4)}
BLUEPRINT = b"{}"


def digest_of(content: bytes) -> str:
    return blake3(content).hexdigest()


def manifest(first: int, last: int, model: str = "tiny") -> ShardManifest:
    names = [f"layer.{number}" for number in range(first, last + 1)]
    units = tuple(UnitReference(name, digest_of(UNITS[name]), len(UNITS[name])) for name in names)
    return ShardManifest(model, digest_of(BLUEPRINT), first, last, 4, units)


def push(store: Store, *contents: bytes) -> None:
    for content in contents:
        with store.open_writer(digest_of(content), len(content)) as unit:
            unit.write(content[unit.offset :])
            unit.finish()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def store(root: Path) -> Store:
    store = Store(root, reserve_bytes=0)
    push(store, BLUEPRINT, *UNITS.values())
    return store


def test_shards_are_kept_across_a_restart_in_order(store: Store, root: Path) -> None:
    late, early = manifest(2, 3), manifest(0, 1)
    store.put_shard(late)
    store.put_shard(early)
    store.put_shard(early)
    again = Store(root)
    assert again.shards() == (early, late)
    assert again.shard(late.shard_id) == late
    assert again.shard("0" * 64) is None


def test_a_shard_with_units_missing_is_refused_with_their_number(root: Path) -> None:
    store = Store(root, reserve_bytes=0)
    push(store, UNITS["layer.0"])
    with pytest.raises(StoreError, match="2 of the 3 units of layers 0 to 1 of tiny are missing"):
        store.put_shard(manifest(0, 1))
    assert store.shards() == ()


def test_a_shard_that_is_wrong_about_a_size_is_refused(store: Store) -> None:
    unit = UnitReference("layer.0", digest_of(UNITS["layer.0"]), 5)
    with pytest.raises(StoreError, match=r"layer\.0 has another size"):
        store.put_shard(ShardManifest("tiny", digest_of(BLUEPRINT), 0, 0, 4, (unit,)))


def test_deleting_keeps_what_other_shards_need(store: Store) -> None:
    first, second = manifest(0, 2), manifest(2, 3)
    store.put_shard(first)
    store.put_shard(second)
    used = store.used_bytes()
    freed = store.delete_shard(first.shard_id)
    assert freed == used - store.used_bytes() == len(UNITS["layer.0"] + UNITS["layer.1"]) + len(first.to_json())
    assert store.shards() == (second,)
    assert store.delete_shard(second.shard_id) > 0
    assert store.used_bytes() == 0


@pytest.mark.parametrize("shard_id", ["0" * 64, "", "../units/x", "x\0y"])
def test_a_shard_that_is_not_here_cannot_be_deleted(store: Store, shard_id: str) -> None:
    with pytest.raises(StoreError, match="not on this machine"):
        store.delete_shard(shard_id)


def test_a_loaded_shard_is_not_deleted(root: Path) -> None:
    loaded = manifest(0, 0)
    store = Store(root, in_use=lambda shard_id: shard_id == loaded.shard_id, reserve_bytes=0)
    push(store, BLUEPRINT, UNITS["layer.0"])
    store.put_shard(loaded)
    with pytest.raises(StoreError, match="is loaded") as caught:
        store.delete_shard(loaded.shard_id)
    assert caught.value.remedy
    assert store.shards() == (loaded,)


def test_damaged_and_foreign_manifests_are_left_out(store: Store, root: Path) -> None:
    good, bad = manifest(0, 1), manifest(2, 3)
    store.put_shard(good)
    store.put_shard(bad)
    path = root / "shards" / f"{bad.shard_id}.json"
    for content in (b"", b"[]", path.read_bytes()[:-1], good.to_json().encode()):
        path.write_bytes(content)
        assert store.shards() == (good,)
        store.put_shard(bad)
        assert store.shards() == (good, bad)


def test_a_shard_whose_unit_is_gone_or_cut_is_left_out_until_it_is_pushed_again(store: Store) -> None:
    shard = manifest(0, 1)
    store.put_shard(shard)
    path = store.path(shard.units[0].digest)
    assert path is not None
    path.chmod(0o600)
    path.write_bytes(b"cut")
    assert store.shards() == ()
    assert store.sweep() == 3
    assert store.shards() == ()
    push(store, UNITS["layer.0"])
    assert store.shards() == (shard,)


def test_the_number_of_shards_is_bounded(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "MOST_SHARDS", 2)
    store.put_shard(manifest(0, 0))
    store.put_shard(manifest(1, 1))
    store.put_shard(manifest(1, 1))
    with pytest.raises(StoreError, match="2 shards already"):
        store.put_shard(manifest(2, 2))

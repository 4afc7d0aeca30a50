import errno
import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from blake3 import blake3
from hypothesis import given, settings
from hypothesis import strategies as st

from shardd.host.paths import locked
from shardd.store import DiskFull, Store, StoreError, UnitBusy, UnitState, WrongDigest, hasher, writer

CONTENT = bytes(range(256)) * 1000
DIGEST = blake3(CONTENT).hexdigest()
BAD_NAMES = ["", "x", "../" + "a" * 61, "A" * 64, "a" * 63, "a" * 65, "a" * 64 + "\n", "a" * 32 + "/" + "a" * 31]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def store(root: Path) -> Store:
    return Store(root, reserve_bytes=0)


def push(store: Store, content: bytes = CONTENT) -> Path:
    with store.open_writer(blake3(content).hexdigest(), len(content)) as unit:
        unit.write(content[unit.offset :])
        return unit.finish()


def begin(store: Store, count: int) -> None:
    with store.open_writer(DIGEST, len(CONTENT)) as unit:
        unit.write(CONTENT[unit.offset : unit.offset + count])


def test_a_unit_is_seen_only_when_it_is_whole(store: Store, root: Path) -> None:
    assert store.states([DIGEST]) == {DIGEST: UnitState(DIGEST, 0, False)}
    with store.open_writer(DIGEST, len(CONTENT)) as unit:
        unit.write(CONTENT)
        assert store.path(DIGEST) is None and store.size(DIGEST) is None
        path = unit.finish()
    assert path == store.path(DIGEST) and path.read_bytes() == CONTENT
    assert store.states([DIGEST]) == {DIGEST: UnitState(DIGEST, len(CONTENT), True)}
    assert store.size(DIGEST) == store.used_bytes() == len(CONTENT)
    assert os.listdir(root / "partial") == []
    assert stat.S_IMODE(path.stat().st_mode) == 0o400
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in (root, *root.iterdir())} == {0o700}


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 90_000), max_size=8), st.integers(0, 8))
def test_pieces_of_any_size_with_an_interruption_anywhere_make_the_same_unit(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[int], stop: int
) -> None:
    root = tmp_path_factory.mktemp("store")
    sent = 0
    with Store(root, reserve_bytes=0).open_writer(DIGEST, len(CONTENT)) as unit:
        for piece in pieces[:stop]:
            data = CONTENT[sent : sent + piece]
            unit.write(data)
            sent += len(data)
    store = Store(root, reserve_bytes=0)
    assert store.states([DIGEST])[DIGEST].have_bytes == sent
    with store.open_writer(DIGEST, len(CONTENT)) as unit:
        assert unit.offset == sent
        for piece in pieces[stop:]:
            unit.write(CONTENT[unit.offset : unit.offset + piece])
        unit.write(CONTENT[unit.offset :])
        assert unit.finish().read_bytes() == CONTENT


def test_wrong_bytes_are_removed_and_the_next_push_starts_anew(store: Store) -> None:
    with store.open_writer(DIGEST, len(CONTENT)) as unit:
        unit.write(b"x" * len(CONTENT))
        with pytest.raises(WrongDigest) as caught:
            unit.finish()
    assert caught.value.remedy
    assert store.states([DIGEST])[DIGEST] == UnitState(DIGEST, 0, False)
    push(store)


def test_a_partial_that_was_changed_on_disk_is_not_believed(store: Store, root: Path) -> None:
    begin(store, 1000)
    (root / "partial" / DIGEST).write_bytes(b"x" * 1000)
    with store.open_writer(DIGEST, len(CONTENT)) as unit:
        assert unit.offset == 1000
        unit.write(CONTENT[1000:])
        with pytest.raises(WrongDigest):
            unit.finish()
    push(store)


def test_a_partial_that_is_longer_than_the_unit_starts_anew(store: Store, root: Path) -> None:
    (root / "partial" / DIGEST).write_bytes(b"x" * (len(CONTENT) + 1))
    with store.open_writer(DIGEST, len(CONTENT)) as unit:
        assert unit.offset == 0
    push(store)


def test_a_whole_unit_has_nothing_left_to_send(store: Store) -> None:
    push(store)
    with store.open_writer(DIGEST, len(CONTENT)) as unit:
        assert unit.offset == len(CONTENT)
        unit.write(b"")
        assert unit.finish().read_bytes() == CONTENT
    with store.open_writer(DIGEST, len(CONTENT)) as unit, pytest.raises(StoreError, match="more bytes"):
        unit.write(b"x")
    with pytest.raises(StoreError, match="another size"):
        store.open_writer(DIGEST, 5)


def test_too_many_bytes_are_refused_and_what_was_there_stays(store: Store) -> None:
    with store.open_writer(DIGEST, len(CONTENT)) as unit:
        unit.write(CONTENT[:1000])
        with pytest.raises(StoreError, match="more bytes than it announced"):
            unit.write(CONTENT)
        with pytest.raises(StoreError, match="already ended"):
            unit.write(b"x")
    assert store.states([DIGEST])[DIGEST].have_bytes == 1000


def test_an_early_end_keeps_what_is_there(store: Store) -> None:
    with store.open_writer(DIGEST, len(CONTENT)) as unit:
        unit.write(CONTENT[:1000])
        with pytest.raises(StoreError, match="255 KB too early"):
            unit.finish()
        with pytest.raises(StoreError, match="already ended"):
            unit.finish()
    assert store.states([DIGEST])[DIGEST].have_bytes == 1000
    push(store)


def test_one_writer_at_a_time(store: Store, root: Path) -> None:
    with store.open_writer(DIGEST, len(CONTENT)):
        with pytest.raises(UnitBusy):
            store.open_writer(DIGEST, len(CONTENT))
        with pytest.raises(UnitBusy):
            Store(root, reserve_bytes=0).open_writer(DIGEST, len(CONTENT))
    push(store)


def test_a_push_may_be_ended_from_another_thread(store: Store) -> None:
    failures: list[StoreError] = []
    unit = store.open_writer(DIGEST, len(CONTENT))
    started = threading.Event()

    def write() -> None:
        try:
            for position in range(0, len(CONTENT), 100):
                unit.write(CONTENT[position : position + 100])
                started.set()
        except StoreError as error:
            failures.append(error)

    thread = threading.Thread(target=write)
    thread.start()
    started.wait(60)
    unit.close()
    thread.join(60)
    assert len(failures) <= 1
    assert store.states([DIGEST])[DIGEST].have_bytes == unit.offset
    push(store)


def test_no_hashing_thread_is_left_behind(store: Store) -> None:
    begin(store, 1000)
    push(store)
    assert [thread.name for thread in threading.enumerate() if thread.name == "unit-hash"] == []


def test_the_hash_holds_the_writing_back_when_it_is_slow(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hasher, "_MOST_WAITING_BYTES", 1)
    with store.open_writer(DIGEST, len(CONTENT)) as unit:
        for position in range(0, len(CONTENT), 1000):
            unit.write(CONTENT[position : position + 1000])
        unit.finish()


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_malformed_digest_touches_nothing(store: Store, root: Path, name: str) -> None:
    calls: list[Callable[[], object]] = [
        lambda: store.states([name]),
        lambda: store.path(name),
        lambda: store.size(name),
        lambda: store.verify(name),
        lambda: store.open_writer(name, 10),
    ]
    for call in calls:
        with pytest.raises(StoreError, match="malformed"):
            call()
    assert not [path for path in root.rglob("*") if path.is_file()]


@pytest.mark.parametrize("size", [0, -1, 1 << 50])
def test_an_impossible_size_is_refused(store: Store, size: int) -> None:
    with pytest.raises(StoreError, match="impossible"):
        store.open_writer(DIGEST, size)


@pytest.mark.parametrize("folder", ["units", "partial"])
def test_links_are_not_followed(store: Store, root: Path, tmp_path: Path, folder: str) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"mine")
    (root / folder / DIGEST).symlink_to(secret)
    assert store.path(DIGEST) is None
    if folder == "partial":
        with pytest.raises(StoreError):
            store.open_writer(DIGEST, len(CONTENT))
    else:
        assert push(store).is_symlink() is False
    assert secret.read_bytes() == b"mine"


def test_room_is_checked_before_a_byte_is_sent(root: Path) -> None:
    free = 1_000_000
    store = Store(root, reserve_bytes=600_000, free=lambda _: free)
    assert store.free_bytes() == 400_000
    with pytest.raises(DiskFull) as caught:
        store.open_writer("a" * 64, 5_400_000)
    assert caught.value.missing == 5_000_000
    assert "5 MB" in caught.value.cause and "5 MB" in caught.value.remedy
    with store.open_writer(DIGEST, len(CONTENT)) as unit:
        assert store.free_bytes() == 400_000 - len(CONTENT), "what is announced is spoken for"
        with pytest.raises(DiskFull):
            store.open_writer("a" * 64, 200_000)
        unit.write(CONTENT[:56_000])
        assert store.free_bytes() == 200_000
    assert store.free_bytes() == 400_000
    with pytest.raises(DiskFull):
        Store(root, reserve_bytes=free, free=lambda _: free).open_writer(DIGEST, len(CONTENT))


@pytest.mark.parametrize(("number", "kind"), [(errno.ENOSPC, DiskFull), (errno.EIO, StoreError)])
def test_a_disk_that_refuses_is_told_in_words(
    store: Store, monkeypatch: pytest.MonkeyPatch, number: int, kind: type[StoreError]
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    unit = store.open_writer(DIGEST, len(CONTENT))
    unit.write(CONTENT[:1000])
    with monkeypatch.context() as patched:
        patched.setattr(writer, "write_all", refuse)
        with pytest.raises(kind) as caught:
            unit.write(CONTENT[1000:])
    assert caught.value.cause and caught.value.remedy
    with monkeypatch.context() as patched:
        patched.setattr(writer, "full_sync", refuse)
        with pytest.raises(kind):
            push(store)
    assert store.path(DIGEST) is None
    push(store)


def test_a_unit_that_rots_is_found_and_removed(store: Store) -> None:
    path = push(store)
    assert store.verify(DIGEST)
    path.chmod(0o600)
    path.write_bytes(CONTENT[:-1] + b"x")
    assert not store.verify(DIGEST)
    assert store.path(DIGEST) is None
    assert not store.verify(DIGEST)
    push(store)


def test_a_sweep_removes_debris_and_keeps_what_can_go_on(store: Store, root: Path) -> None:
    begin(store, 1000)
    kept = push(store, b"whole")
    (root / "partial" / ("b" * 64)).write_bytes(b"")
    (root / "partial" / kept.name).write_bytes(b"wh")
    (root / "partial" / "junk").write_bytes(b"12345")
    (root / "shards" / ".tmp-123").write_bytes(b"123")
    (root / "shards" / "notes.txt").write_bytes(b"1")
    assert Store(root, reserve_bytes=0).sweep() == 2 + 5 + 3
    assert sorted(path.name for path in root.rglob("*") if path.is_file()) == sorted([DIGEST, kept.name, "notes.txt"])
    assert store.states([DIGEST])[DIGEST].have_bytes == 1000


def test_a_sweep_leaves_a_push_that_is_under_way(store: Store) -> None:
    with store.open_writer(DIGEST, len(CONTENT)) as unit:
        assert store.sweep() == 0
        unit.write(CONTENT)
        unit.finish()


def test_a_prune_frees_what_no_shard_needs_but_not_what_arrives(store: Store) -> None:
    push(store, b"orphan")
    with store.open_writer(DIGEST, len(CONTENT)) as unit:
        unit.write(CONTENT[:10])
        assert store.prune() == len(b"orphan")
        unit.write(CONTENT[10:])
        unit.finish()
    assert store.prune() == len(CONTENT)


def test_the_store_can_be_locked_by_its_agent(store: Store, root: Path) -> None:
    with locked(root, wait=False):
        push(store)


def test_many_pushes_at_once(store: Store) -> None:
    contents = [CONTENT + bytes([number]) for number in range(8)]
    threads = [threading.Thread(target=push, args=(store, content)) for content in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert all(store.size(blake3(content).hexdigest()) == len(content) for content in contents)

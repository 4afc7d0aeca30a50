import json
import os
import threading
from pathlib import Path

import pytest

from shardd.identity import IdentityError, TrustedPeers, create_identity, peers


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "peers"


def test_peers_are_kept_across_a_restart(folder: Path) -> None:
    first, second = create_identity("first"), create_identity("second")
    trusted = TrustedPeers(folder)
    assert trusted.all() == ()
    added = trusted.add(first.certificate_pem, "Study", "controller")
    trusted.add(second.certificate_pem, "", "agent")
    assert (added.name, added.role, added.fingerprint) == ("Study", "controller", first.fingerprint)
    again = TrustedPeers(folder)
    assert again.all() == trusted.all()
    assert [peer.name for peer in again.all()] == ["Study", "second"]
    assert again.get(first.fingerprint) == added
    assert again.get("0" * 64) is None


def test_a_peer_added_again_has_its_new_name_and_role(folder: Path) -> None:
    trusted, identity = TrustedPeers(folder), create_identity("x")
    trusted.add(identity.certificate_pem, "one", "agent")
    trusted.add(identity.certificate_pem, "two", "controller")
    assert [(peer.name, peer.role) for peer in trusted.all()] == [("two", "controller")]


def test_removing_takes_effect_at_once_and_only_once(folder: Path) -> None:
    trusted, identity = TrustedPeers(folder), create_identity("x")
    trusted.add(identity.certificate_pem, "x", "agent")
    assert trusted.remove(identity.fingerprint)
    assert not trusted.remove(identity.fingerprint)
    assert trusted.all() == ()


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "A" * 64, "0" * 63, "0" * 64 + "\n"])
def test_what_is_no_fingerprint_is_no_file(folder: Path, name: str) -> None:
    trusted = TrustedPeers(folder)
    assert not trusted.remove(name)
    assert trusted.get(name) is None


def test_another_process_s_changes_are_seen(folder: Path) -> None:
    here, there = TrustedPeers(folder), TrustedPeers(folder)
    identity = create_identity("x")
    for name in ("aaa", "bbb", "ccc"):
        there.add(identity.certificate_pem, name, "agent")
        assert [peer.name for peer in here.all()] == [name]
    there.remove(identity.fingerprint)
    assert here.all() == ()


def test_files_that_did_not_change_are_not_read_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trusted = TrustedPeers(folder)
    trusted.add(create_identity("x").certificate_pem, "x", "agent")
    before = trusted.all()

    def refuse(*_: object) -> bytes:
        raise AssertionError("read again")

    monkeypatch.setattr(peers, "read_file", refuse)
    assert trusted.all() == before


def record_of(path: Path, **changes: object) -> bytes:
    return json.dumps({**json.loads(path.read_bytes()), **changes}).encode()


@pytest.mark.parametrize(
    "how", ["empty", "cut", "list", "role", "pem", "time", "huge", "deep", "other", "link", "not utf-8", "folder"]
)
def test_a_damaged_file_is_skipped_and_reported(folder: Path, how: str) -> None:
    trusted = TrustedPeers(folder)
    good = trusted.add(create_identity("good").certificate_pem, "good", "agent")
    bad = create_identity("bad")
    trusted.add(bad.certificate_pem, "bad", "agent")
    path = folder / f"{bad.fingerprint}.json"
    content = {
        "empty": b"",
        "cut": path.read_bytes()[:100],
        "list": b"[]",
        "role": record_of(path, role="owner"),
        "pem": record_of(path, pem="x"),
        "time": record_of(path, added_at="now"),
        "huge": path.read_bytes() + b" " * 100_000,
        "deep": b"[" * 10_000,
        "other": record_of(path, pem=create_identity("third").certificate_pem.decode()),
        "not utf-8": b"\xff\xfe\xff",
    }
    if how in content:
        path.write_bytes(content[how])
    else:
        path.unlink()
        if how == "link":
            path.symlink_to(folder / f"{good.fingerprint}.json")
        else:
            path.mkdir()
    for reader in (trusted, TrustedPeers(folder)):
        assert reader.all() == (good,)
        (problem,) = reader.problems()
        assert str(path) in problem.cause and problem.remedy


def test_strangers_in_the_folder_are_left_alone(folder: Path) -> None:
    trusted = TrustedPeers(folder)
    (folder / "notes.txt").write_text("mine")
    (folder / ".tmp-1.json").write_text("half")
    assert trusted.all() == () and trusted.problems() == ()
    assert sorted(os.listdir(folder)) == [".tmp-1.json", "notes.txt"]


def test_a_certificate_that_is_none_is_not_added(folder: Path) -> None:
    trusted = TrustedPeers(folder)
    with pytest.raises(IdentityError):
        trusted.add(b"junk", "x", "agent")
    assert os.listdir(folder) == []


def test_the_list_is_bounded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "MOST_PEERS", 2)
    trusted = TrustedPeers(folder)
    identities = [create_identity(str(number)) for number in range(3)]
    for identity in identities[:2]:
        trusted.add(identity.certificate_pem, "", "agent")
    with pytest.raises(IdentityError, match="paired with 2 others"):
        trusted.add(identities[2].certificate_pem, "", "agent")
    assert trusted.add(identities[0].certificate_pem, "again", "agent").name == "again"


def test_a_folder_that_is_gone_trusts_nobody_and_says_so(folder: Path) -> None:
    trusted = TrustedPeers(folder)
    folder.rmdir()
    with pytest.raises(IdentityError, match="cannot be used"):
        trusted.all()
    with pytest.raises(IdentityError, match="cannot be used"):
        trusted.add(create_identity("x").certificate_pem, "x", "agent")


def test_threads_may_read_and_write_at_once(folder: Path) -> None:
    trusted = TrustedPeers(folder)
    stays = trusted.add(create_identity("stays").certificate_pem, "stays", "agent")
    moving = create_identity("moving")
    failures: list[BaseException] = []

    def change() -> None:
        try:
            for _ in range(50):
                trusted.add(moving.certificate_pem, "moving", "agent")
                trusted.remove(moving.fingerprint)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=change) for _ in range(3)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        assert stays in trusted.all()
        assert trusted.problems() == ()
    for thread in threads:
        thread.join()
    assert failures == []
    assert trusted.all() == (stays,)


def test_who_follows_a_peer_goes_with_it(folder: Path) -> None:
    trusted, present, coming = TrustedPeers(folder), create_identity("x"), create_identity("x")
    trusted.add(present.certificate_pem, "x", "controller")
    trusted.add(coming.certificate_pem, "x", "controller", follows=present.fingerprint)
    found = TrustedPeers(folder).get(coming.fingerprint)
    assert found is not None and found.follows == present.fingerprint
    assert trusted.remove(present.fingerprint)
    assert trusted.all() == ()


def test_who_took_the_place_of_a_peer_stays(folder: Path) -> None:
    trusted, present, coming = TrustedPeers(folder), create_identity("x"), create_identity("x")
    trusted.add(present.certificate_pem, "x", "controller")
    trusted.add(coming.certificate_pem, "x", "controller", follows=present.fingerprint)
    trusted.add(coming.certificate_pem, "x", "controller")
    trusted.remove(present.fingerprint)
    assert [peer.fingerprint for peer in trusted.all()] == [coming.fingerprint]

import dataclasses
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from shardd.host import HostError
from shardd.host.paths import TEMPORARY_PREFIX
from shardd.identity import (
    Identity,
    IdentityError,
    create_identity,
    fingerprint_of,
    load_or_create_identity,
    short_fingerprint,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "identity"


def test_the_identity_is_made_once_and_found_again(folder: Path) -> None:
    first = load_or_create_identity(folder, "Mac")
    again = load_or_create_identity(folder, "New name")
    assert again == dataclasses.replace(first, name="New name")
    assert stat.S_IMODE(os.stat(folder / "key.pem").st_mode) == 0o600
    assert stat.S_IMODE(os.stat(folder).st_mode) == 0o700
    assert not [name for name in os.listdir(folder) if name.startswith(TEMPORARY_PREFIX)]


def test_the_key_is_never_shown() -> None:
    identity = create_identity("x")
    assert b"PRIVATE KEY" in identity.key_pem
    assert "PRIVATE" not in repr(identity)


def test_fingerprints_are_the_same_for_both_forms() -> None:
    identity = create_identity("x")
    assert identity.fingerprint == fingerprint_of(identity.certificate_pem) == fingerprint_of(identity.certificate_der)
    assert len(identity.fingerprint) == 64
    assert short_fingerprint("0123456789abcdef" * 4) == "0123 4567 89ab cdef"


def test_two_devices_of_one_name_have_different_subjects() -> None:
    first, second = create_identity("Mac"), create_identity("Mac")
    assert first.fingerprint != second.fingerprint
    assert first.certificate_pem != second.certificate_pem


@pytest.mark.parametrize("name", ["", "\x00\u202e", "ü" * 200, "🍏" * 64, "a" * 64])
def test_any_name_makes_a_certificate(name: str) -> None:
    assert create_identity(name).fingerprint


def test_a_key_that_others_can_read_is_refused(folder: Path) -> None:
    load_or_create_identity(folder, "Mac")
    (folder / "key.pem").chmod(0o640)
    with pytest.raises(IdentityError, match="can read the private key") as caught:
        load_or_create_identity(folder, "Mac")
    assert "chmod 600" in caught.value.remedy


def spoil(folder: Path, how: str) -> None:
    other = create_identity("other")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    if how == "no certificate":
        certificate.unlink()
    elif how == "certificate cut short":
        certificate.write_bytes(certificate.read_bytes()[:-40])
    elif how == "certificate of another key":
        certificate.write_bytes(other.certificate_pem)
    elif how == "key cut short":
        key.write_bytes(key.read_bytes()[:60])
    elif how == "key empty":
        key.write_bytes(b"")
    elif how == "key is huge":
        key.write_bytes(b"x" * 100_000)
    else:
        key.unlink()
        key.symlink_to(folder / "certificate.pem")


@pytest.mark.parametrize(
    "how",
    [
        "no certificate",
        "certificate cut short",
        "certificate of another key",
        "key cut short",
        "key empty",
        "key is huge",
        "key is a link",
    ],
)
def test_a_spoiled_identity_is_refused_and_kept_as_it_is(folder: Path, how: str) -> None:
    load_or_create_identity(folder, "Mac")
    spoil(folder, how)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(IdentityError) as caught:
        load_or_create_identity(folder, "Mac")
    assert caught.value.cause.endswith(".") and caught.value.remedy
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_crash_between_certificate_and_key_leaves_no_trace(folder: Path) -> None:
    folder.mkdir()
    (folder / "certificate.pem").write_bytes(create_identity("lost").certificate_pem)
    made = load_or_create_identity(folder, "Mac")
    assert made == load_or_create_identity(folder, "Mac")


def test_a_file_where_the_folder_should_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "identity").write_text("")
    with pytest.raises(HostError, match="is not a folder"):
        load_or_create_identity(tmp_path / "identity", "Mac")


def test_processes_that_start_at_once_share_one_identity(folder: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from shardd.identity import load_or_create_identity\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "print(load_or_create_identity(Path(sys.argv[1]), 'Mac').fingerprint)"
    )
    command = [sys.executable, "-c", program, str(folder)]
    processes = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(4)]
    for process in processes:
        assert process.stdout is not None and process.stdout.readline() == b"ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(b"go\n")
        process.stdin.flush()
    printed = {process.communicate(timeout=100)[0] for process in processes}
    assert printed == {f"{load_or_create_identity(folder, 'Mac').fingerprint}\n".encode()}


def test_an_identity_is_a_value() -> None:
    identity = create_identity("x")
    assert identity == Identity("x", identity.certificate_pem, identity.key_pem)
    with pytest.raises(dataclasses.FrozenInstanceError):
        identity.name = "y"  # pyright: ignore[reportAttributeAccessIssue]

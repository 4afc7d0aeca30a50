"""What the agent's command line asks of the running agent, and how its key changes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from shardd.agent.commands import chosen, outcome_text
from shardd.agent.identities import Identities
from shardd.agent.mailbox import Answer, Mailbox
from shardd.identity import IdentityError, TrustedPeer, load_or_create_identity, parse_certificate
from shardd.identity.device import create_identity


@pytest.mark.parametrize(
    ("controllers", "confirmed", "idle", "changes"),
    [
        ([], [], True, True),
        (["a"], [], True, False),
        (["a"], ["a"], True, True),
        (["a"], ["a"], False, False),
        (["a", "b"], ["a"], True, False),
        (["a", "b"], ["a", "b", "c"], True, True),
    ],
)
def test_when_a_key_changes(
    controllers: list[str], confirmed: list[str], idle: bool, changes: bool, tmp_path: Path
) -> None:
    identities = Identities(tmp_path, "mini-7")
    former = identities.current
    assert not identities.advance(controllers, idle=True)  # none was prepared
    coming = identities.prepare()
    assert identities.prepare() == coming and identities.announced == coming.certificate_pem
    for each in confirmed:
        assert identities.confirm(each, coming.fingerprint)
    assert identities.advance(controllers, idle=idle) is changes
    assert identities.current == (coming if changes else former)
    assert load_or_create_identity(tmp_path, "mini-7").fingerprint == identities.current.fingerprint
    # After a restart it goes on where it was.
    again = Identities(tmp_path, "mini-7")
    assert again.current.fingerprint == identities.current.fingerprint and again.changing is not changes
    assert (tmp_path / "key.pem").stat().st_mode & 0o777 == 0o600


def test_only_what_is_announced_can_be_confirmed(tmp_path: Path) -> None:
    identities = Identities(tmp_path, "mini-7")
    assert not identities.confirm("a", identities.current.fingerprint)
    identities.prepare()
    assert not identities.confirm("a", identities.current.fingerprint)
    assert identities.waits_for(["a"]) == {"a"}


def test_a_crash_between_certificate_and_key_is_mended(tmp_path: Path) -> None:
    identities = Identities(tmp_path, "mini-7")
    coming = identities.prepare()
    os.replace(tmp_path / "next-certificate.pem", tmp_path / "certificate.pem")  # and then the power went
    assert Identities(tmp_path, "mini-7").current.fingerprint == coming.fingerprint
    assert sorted(path.name for path in tmp_path.glob("*.pem")) == ["certificate.pem", "key.pem"]


def test_a_crash_while_preparing_leaves_the_present_key(tmp_path: Path) -> None:
    present = Identities(tmp_path, "mini-7").current
    (tmp_path / "next-certificate.pem").write_bytes(create_identity("x").certificate_pem)
    again = Identities(tmp_path, "mini-7")
    assert again.current.fingerprint == present.fingerprint and not again.changing
    coming = again.prepare()
    assert again.advance([], idle=True) and again.current == coming


def test_a_request_is_taken_once_and_answered(tmp_path: Path) -> None:
    agent, line = Mailbox(tmp_path), Mailbox(tmp_path)
    assert agent.take() is None
    request = line.ask("pair")
    assert line.answer(request) is None
    assert agent.take() == (request, "pair") and agent.take() is None
    agent.tell(Answer(request, "open", code="123456", addresses=("10.0.0.7:8101",), seconds_left=300))
    answer = line.answer(request)
    assert answer and (answer.code, answer.addresses) == ("123456", ("10.0.0.7:8101",))
    assert line.answer("another") is None
    written = (tmp_path / "answer.json").stat()
    assert written.st_mode & 0o777 == 0o600
    agent.tell(Answer(request, "open", code="123456", addresses=("10.0.0.7:8101",), seconds_left=299))
    assert (tmp_path / "answer.json").stat().st_ino == written.st_ino  # seconds that pass are no news
    agent.clear()
    assert line.answer(request) is None


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"request": 1}', b'{"action": "delete everything"}', b"\xff"])
def test_a_damaged_request_is_none(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "request.json").write_bytes(content)
    assert Mailbox(tmp_path).take() is None


def peer(name: str, role: str = "controller", follows: str = "") -> TrustedPeer:
    parsed = parse_certificate(create_identity(name).certificate_pem, name, role)  # type: ignore[arg-type]
    return TrustedPeer(parsed.fingerprint, name, parsed.role, parsed.pem, 0.0, follows)


def test_which_controller_is_meant() -> None:
    studio, laptop, other, agent = peer("studio"), peer("laptop"), peer("laptop"), peer("mini", "agent")
    peers = [studio, laptop, other, agent, peer("studio", follows=studio.fingerprint)]
    assert chosen(peers, "studio") is studio
    assert chosen(peers, other.fingerprint) is other
    assert chosen(peers, " ".join([other.fingerprint[:4].upper(), other.fingerprint[4:8]])) is other
    for wanted, words in (
        ("laptop", "2 controllers"),
        ("mini", "No controller"),
        ("", "There are"),
        ("a", "There are"),
    ):
        with pytest.raises(IdentityError, match=words):
            chosen(peers, wanted)


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("paired", "Paired with studio, fingerprint abab"),
        ("used up", "Too many wrong codes"),
        ("expired", "has expired"),
        ("hidden", "Another command"),
    ],
)
def test_how_a_code_ended(state: str, words: str) -> None:
    assert words in outcome_text(Answer("r", state, peer="studio", peer_fingerprint="ab" * 32))

"""Who may fetch what from this machine, and for how long: as tables, with a clock that only the test moves."""

from __future__ import annotations

import pytest

from shardd.agent.grants import MOST, SECONDS, Grants
from shardd.identity import IdentityError, create_identity

FRIEND, OTHER, STRANGER = create_identity("friend"), create_identity("other"), create_identity("stranger")
WHO = {"friend": FRIEND, "other": OTHER, "stranger": STRANGER}


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.mark.parametrize(
    ("token", "who", "digest", "later", "allowed"),
    [
        ("friend's", "friend", "a", 0.0, True),
        ("friend's", "friend", "b", 0.0, True),
        ("friend's", "friend", "a", SECONDS - 1, True),
        ("friend's", "friend", "a", SECONDS, False),  # expired
        ("friend's", "friend", "c", 0.0, False),  # the other one's unit
        ("friend's", "other", "a", 0.0, False),  # a token that was passed on
        ("friend's", "stranger", "a", 0.0, False),
        ("friend's", "", "a", 0.0, False),  # no certificate
        ("other's", "other", "c", 0.0, True),
        ("other's", "friend", "c", 0.0, False),
        ("", "friend", "a", 0.0, False),
        ("made up", "friend", "a", 0.0, False),
        ("friend's, cut", "friend", "a", 0.0, False),
    ],
)
def test_who_gets_what(clock: Clock, token: str, who: str, digest: str, later: float, allowed: bool) -> None:
    grants = Grants(clock)
    tokens = {
        "friend's": grants.add(FRIEND.certificate_pem, ["a", "b"]),
        "other's": grants.add(OTHER.certificate_pem, ["c"]),
        "": b"",
        "made up": b"x" * 32,
    }
    tokens["friend's, cut"] = tokens["friend's"][:-1]
    clock.now += later
    fingerprint = WHO[who].fingerprint if who else ""
    assert grants.allows(tokens[token], fingerprint, digest) is allowed


@pytest.mark.parametrize(
    ("later", "inside"),
    [
        (0.0, {"friend"}),
        (SECONDS / 2, {"friend", "other"}),
        (SECONDS, {"other"}),
        (SECONDS * 1.5, set()),
    ],
)
def test_whom_tls_lets_in_while_a_grant_lasts(clock: Clock, later: float, inside: set[str]) -> None:
    """The friend's grant is made at the start, the other one's half a term later."""
    grants = Grants(clock)
    grants.add(FRIEND.certificate_pem, ["a"])
    if later:
        clock.now += SECONDS / 2
        grants.add(OTHER.certificate_pem, ["a"])
        clock.now += later - SECONDS / 2
    assert {name for name, who in WHO.items() if grants.holds_any(who.fingerprint)} == inside
    assert sorted(grants.pems()) == sorted(WHO[name].certificate_pem for name in inside)


def test_two_grants_of_one_machine_stand_side_by_side(clock: Clock) -> None:
    grants = Grants(clock)
    early = grants.add(FRIEND.certificate_pem, ["a"])
    clock.now += SECONDS / 2
    late = grants.add(FRIEND.certificate_pem, ["b"])
    assert early != late and len(early) == len(late) == 32
    assert grants.pems() == [FRIEND.certificate_pem], "one certificate, however many grants"
    clock.now += SECONDS / 2
    assert not grants.allows(early, FRIEND.fingerprint, "a") and grants.allows(late, FRIEND.fingerprint, "b")
    assert grants.holds_any(FRIEND.fingerprint)


def test_the_oldest_gives_way_when_there_are_too_many(clock: Clock) -> None:
    grants = Grants(clock)
    tokens = [grants.add(FRIEND.certificate_pem, ["a"]) for _ in range(MOST + 2)]
    able = [grants.allows(token, FRIEND.fingerprint, "a") for token in tokens]
    assert able == [False] * 2 + [True] * MOST


def test_what_is_no_certificate_is_granted_nothing(clock: Clock) -> None:
    grants = Grants(clock)
    with pytest.raises(IdentityError):
        grants.add(b"-----BEGIN CERTIFICATE-----\nnot one\n-----END CERTIFICATE-----\n", ["a"])
    assert grants.pems() == [] and not grants.holds_any("")


def test_what_a_controller_granted_is_taken_back() -> None:
    grants = Grants()
    first, second = create_identity("first"), create_identity("second")
    lost = grants.add(first.certificate_pem, ["aa"], "studio")
    grants.add(second.certificate_pem, ["aa"], "studio")
    kept = grants.add(second.certificate_pem, ["bb"], "laptop")
    assert grants.withdraw("studio") == {first.fingerprint}
    assert not grants.allows(lost, first.fingerprint, "aa")
    assert grants.allows(kept, second.fingerprint, "bb")

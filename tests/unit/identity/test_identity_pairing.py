"""The pairing exchange: who gets through, and that nothing else does."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from shardd.identity.pairing import (
    CODE_DIGITS,
    ELEMENT_BYTES,
    Exchange,
    PairingCode,
    PairingError,
    clean_code,
    new_code,
    proves,
    shown_code,
)

CONTROLLER, AGENT, OTHER = "a" * 64, "b" * 64, "c" * 64


def proofs(
    controller: Callable[[], Exchange], agent: Callable[[], Exchange]
) -> tuple[tuple[bytes, bytes], tuple[bytes, bytes]]:
    first, second = controller(), agent()
    return first.finish(second.element), second.finish(first.element)


def exchange(
    role: str, code: str = "123456", controller: str = CONTROLLER, agent: str = AGENT, hello: bytes = b"h"
) -> Exchange:
    return Exchange(role, code, controller, agent, hello)  # type: ignore[arg-type]


def test_the_right_code_convinces_both() -> None:
    (ours, theirs), (agents, controllers) = proofs(lambda: exchange("controller"), lambda: exchange("agent"))
    assert proves(ours, controllers) and proves(agents, theirs)
    assert ours != agents  # neither can be sent back as the other


@pytest.mark.parametrize(
    "difference",
    [
        {"code": "123457"},
        {"controller": OTHER},
        {"agent": OTHER},
        {"hello": b"another hello"},
        {"controller": AGENT, "agent": CONTROLLER},
    ],
    ids=["code", "controller's certificate", "agent's certificate", "hello", "certificates exchanged"],
)
def test_any_difference_convinces_nobody(difference: dict[str, str]) -> None:
    (ours, theirs), (agents, controllers) = proofs(
        lambda: exchange("controller"),
        lambda: exchange("agent", **difference),  # type: ignore[arg-type]
    )
    assert not proves(ours, controllers) and not proves(agents, theirs)


def test_every_exchange_is_another() -> None:
    seen = {proofs(lambda: exchange("controller"), lambda: exchange("agent"))[0] for _ in range(3)}
    assert len(seen) == 3


@pytest.mark.parametrize(
    "element",
    [
        b"",
        b"A",
        bytes(ELEMENT_BYTES),
        b"A" + bytes(32),
        b"A\x01" + bytes(31),
        b"A" + b"\xff" * 32,
        b"B" + b"\x01" * 32,
        b"A" * 34,
    ],
)
def test_what_is_no_element_is_refused(element: bytes) -> None:
    with pytest.raises(PairingError, match="does not keep to the pairing exchange"):
        exchange("agent").finish(element)


def test_an_element_sent_back_is_refused() -> None:
    agent = exchange("agent")
    with pytest.raises(PairingError):
        agent.finish(agent.element)


@pytest.mark.parametrize("fingerprint", ["", "a" * 63, "A" * 64, "../" + "a" * 61])
def test_a_fingerprint_that_is_none(fingerprint: str) -> None:
    with pytest.raises(PairingError):
        exchange("agent", controller=fingerprint)


@pytest.mark.parametrize(
    ("code", "now", "state"),
    [
        (PairingCode("1", until=10.0, tries_left=5), 9.9, "open"),
        (PairingCode("1", until=10.0, tries_left=5), 10.0, "expired"),
        (PairingCode("1", until=10.0, tries_left=0), 9.9, "used up"),
        (PairingCode("1", until=10.0, tries_left=0), 10.0, "expired"),
        (PairingCode("1", until=10.0, tries_left=5, paired=True), 9.9, "paired"),
        (PairingCode("1", until=10.0, tries_left=0, paired=True), 99.0, "paired"),
    ],
)
def test_what_a_code_is_still_good_for(code: PairingCode, now: float, state: str) -> None:
    assert code.state(now) == state


@pytest.mark.parametrize("text", ["123456", "123 456", " 123-456\n", "1 2 3 4 5 6", "123–456"])
def test_codes_as_people_type_them(text: str) -> None:
    assert clean_code(text) == "123456"


@pytest.mark.parametrize("text", ["", "12345", "1234567", "12345a", "１２３４５６", "-12345", "12.345"])
def test_what_is_no_code(text: str) -> None:
    with pytest.raises(PairingError, match="6 digits"):
        clean_code(text)


def test_new_codes() -> None:
    codes = {new_code() for _ in range(200)}
    assert len(codes) > 150 and all(len(code) == CODE_DIGITS and code.isdigit() for code in codes)
    assert all(clean_code(shown_code(code)) == code for code in codes)

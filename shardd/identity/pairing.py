"""Proving to each other that both know one short code: SPAKE2 (RFC 9382) and key confirmation. No sockets here.

A wrong guess teaches nothing but that it was wrong, and each needs the agent's part in it: the code cannot be searched
offline. Both certificates are part of the exchange, so that an attacker in between cannot put in his own.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import Final, Literal

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from spake2 import SPAKE2_A, SPAKE2_B

from shardd.identity.certificates import Role, is_fingerprint
from shardd.identity.errors import IdentityError

CODE_DIGITS: Final = 6
ELEMENT_BYTES: Final = 33
NONCE_BYTES: Final = 32
PROOF_BYTES: Final = 32

_LABEL: Final = b"shardboard pairing 1"

CodeState = Literal["open", "paired", "used up", "expired"]


class PairingError(IdentityError):
    """A code that is none, or an exchange that broke the rules."""


def new_code() -> str:
    """Six digits, each as likely as any other."""
    return f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}d}"


def shown_code(code: str) -> str:
    """`123 456`: easier to read aloud."""
    return f"{code[:3]} {code[3:]}"


def clean_code(text: str) -> str:
    """A code as a person types it, with spaces or hyphens.

    Raises:
        PairingError: it is none.
    """
    digits = "".join(character for character in text if not character.isspace() and character not in "-–")
    if len(digits) != CODE_DIGITS or not digits.isascii() or not digits.isdigit():
        raise PairingError(
            f"A pairing code has {CODE_DIGITS} digits.", "Type the one that the other machine shows now: shardd pair"
        )
    return digits


@dataclass(frozen=True, slots=True)
class PairingCode:
    """A code that is shown.

    Attributes:
        until: when it expires, by a clock that never goes back, in seconds.
        tries_left: exchanges that may still be begun with it.
        paired: whether it has served.
    """

    code: str
    until: float
    tries_left: int
    paired: bool = False

    def state(self, now: float) -> CodeState:
        """What may still be done with it."""
        if self.paired:
            return "paired"
        if now >= self.until:
            return "expired"
        return "open" if self.tries_left > 0 else "used up"


class Exchange:
    """One end of one exchange. `element` goes to the other end; then finish(what came), once.

    Args:
        role: which end this is.
        controller, agent: fingerprints of the two certificates.
        hello: everything that was said before, the same on both ends.

    Raises:
        PairingError: a fingerprint is none.
    """

    def __init__(self, role: Role, code: str, controller: str, agent: str, hello: bytes) -> None:
        if not is_fingerprint(controller) or not is_fingerprint(agent):
            raise PairingError("The other machine's certificate is damaged.")
        self._role: Role = role
        self._hello = hello
        self._names = (controller.encode(), agent.encode())
        side = SPAKE2_A if role == "controller" else SPAKE2_B
        self._side = side(code.encode(), idA=self._names[0], idB=self._names[1])
        self.element: bytes = self._side.start()

    def finish(self, element: bytes) -> tuple[bytes, bytes]:
        """What this end proves itself with, and what the other end must.

        Raises:
            PairingError: what came is no element of the group.
        """
        if len(element) != ELEMENT_BYTES:
            raise PairingError("The other machine does not keep to the pairing exchange.")
        try:
            key: bytes = self._side.finish(element)
        # The library raises many types on hostile input; none of them may pass.
        except Exception as error:
            raise PairingError("The other machine does not keep to the pairing exchange.") from error
        first, second = (self.element, element) if self._role == "controller" else (element, self.element)
        transcript = _digest(self._hello, *self._names, first, second)
        proofs: dict[Role, bytes] = {
            "controller": self._proof(key, b"controller", transcript),
            "agent": self._proof(key, b"agent", transcript),
        }
        other: Role = "agent" if self._role == "controller" else "controller"
        return proofs[self._role], proofs[other]

    def _proof(self, key: bytes, role: bytes, transcript: bytes) -> bytes:
        own = HKDF(hashes.SHA256(), 32, salt=transcript, info=_LABEL + b" " + role).derive(key)
        return hmac.digest(own, _digest(_LABEL, role, *self._names, transcript), "sha256")


def proves(given: bytes, expected: bytes) -> bool:
    """Compare two proofs, in a time that says nothing about where they differ."""
    return hmac.compare_digest(given, expected)


def _digest(*parts: bytes) -> bytes:
    """A hash over parts of any length that no other parts have."""
    return hashlib.sha256(b"".join(len(part).to_bytes(4, "big") + part for part in parts)).digest()

"""Which machines may fetch which units here, for how long: handed out by a controller, for machines of its own."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from shardd.identity import fingerprint_of

SECONDS = 600.0
MOST = 256


@dataclass(frozen=True, slots=True)
class Grant:
    fingerprint: str
    pem: bytes
    digests: frozenset[str]
    until: float
    granted_by: str  # the controller's fingerprint


class Grants:
    """clock: seconds that never go back. Used on the agent's loop and by its TLS threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._grants: dict[bytes, Grant] = {}

    def add(self, pem: bytes, digests: Sequence[str], granted_by: str = "") -> bytes:
        """A token for the machine with this certificate. The oldest grants give way when there are too many."""
        self._grants = dict(list(self._valid().items())[-(MOST - 1) :])
        token = secrets.token_bytes(32)
        self._grants[token] = Grant(fingerprint_of(pem), pem, frozenset(digests), self._clock() + SECONDS, granted_by)
        return token

    def withdraw(self, granted_by: str) -> set[str]:
        """Takes back what a controller granted; answers the machines that hold nothing any more."""
        held = {grant.fingerprint for grant in self._valid().values()}
        self._grants = {token: grant for token, grant in self._valid().items() if grant.granted_by != granted_by}
        return held - {grant.fingerprint for grant in self._grants.values()}

    def pems(self) -> list[bytes]:
        """Certificates that TLS must let in."""
        return list({grant.fingerprint: grant.pem for grant in self._valid().values()}.values())

    def holds_any(self, fingerprint: str) -> bool:
        return any(grant.fingerprint == fingerprint for grant in self._valid().values())

    def allows(self, token: bytes, fingerprint: str, digest: str) -> bool:
        grant = self._valid().get(token)
        return grant is not None and grant.fingerprint == fingerprint and digest in grant.digests

    def _valid(self) -> dict[bytes, Grant]:
        now = self._clock()
        return {token: grant for token, grant in list(self._grants.items()) if grant.until > now}

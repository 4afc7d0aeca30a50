"""This agent's key, and how it changes while the agent runs.

    prepare      the next certificate is made, and announced in every heartbeat over the old one
    confirm      each controller pins it beside the old one and says so
    advance      when all have, and no stage runs (its lanes stand on the old key), it takes the old one's place

The old certificate is shown until then; controllers accept both until they see the new one.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from pathlib import Path

from shardd.identity import (
    Identity,
    load_next_identity,
    load_or_create_identity,
    prepare_next_identity,
    take_next_identity,
)

log = logging.getLogger(__name__)


class Identities:
    """Used on the agent's loop; current also by its TLS threads. Raises IdentityError and OSError as the files do."""

    def __init__(self, directory: Path, name: str) -> None:
        self._directory = directory
        self._name = name
        self.current: Identity = load_or_create_identity(directory, name)
        self._next: Identity | None = load_next_identity(directory, name)
        self._confirmed: set[str] = set()

    @property
    def changing(self) -> bool:
        return self._next is not None

    @property
    def announced(self) -> bytes:
        """The certificate to come, in PEM; empty where none is."""
        return self._next.certificate_pem if self._next else b""

    @property
    def coming(self) -> Identity:
        """The next identity, or the present one where none is to come."""
        return self._next or self.current

    def prepare(self) -> Identity:
        """The identity to come."""
        if self._next is None:
            self._next = prepare_next_identity(self._directory, self._name)
            self._confirmed.clear()
        return self._next

    def confirm(self, controller: str, fingerprint: str) -> bool:
        """A controller has pinned what was announced; False where that is not what is announced now."""
        if self._next is None or self._next.fingerprint != fingerprint:
            return False
        self._confirmed.add(controller)
        return True

    def waits_for(self, controllers: Collection[str]) -> set[str]:
        """Those of the controllers that have not confirmed yet."""
        return set(controllers) - self._confirmed

    def advance(self, controllers: Collection[str], *, idle: bool) -> bool:
        """Changes to the next identity where all controllers know it and no stage runs; whether it did."""
        if self._next is None or not idle or self.waits_for(controllers):
            return False
        take_next_identity(self._directory)
        self.current, self._next = self._next, None
        self._confirmed.clear()
        log.info("this agent has a new key")
        return True

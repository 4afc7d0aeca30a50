"""Whom this agent trusts, and what happens to those whom it trusts no longer."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from shardd.agent.grants import Grants
from shardd.agent.supervisor import Supervisor
from shardd.host.connections import hang_up, is_crowded
from shardd.identity import IdentityError, TrustedPeers
from shardd.rpc.sessions import Sessions

LAST_WORDS_S = 0.2  # for telling those whose calls were ended why, before their connections go

log = logging.getLogger(__name__)


class Trust:
    """The pinned controllers, compared with what they were: whoever is missing loses calls, grants and stages.

    The list lies on disk and another process (`shardd unpair`) may change it, so look() is called often. port(): where
    this agent listens.
    """

    def __init__(
        self,
        peers: TrustedPeers,
        sessions: Sessions,
        grants: Grants,
        supervisor: Supervisor,
        port: Callable[[], int],
    ) -> None:
        self._port = port
        self._hang_up_at: float | None = None
        self._peers = peers
        self._sessions = sessions
        self._grants = grants
        self._supervisor = supervisor
        self._names: dict[str, str] = {}

    def name_of(self, fingerprint: str) -> str:
        """What people call a controller."""
        return self._names.get(fingerprint) or "Another controller"

    def controllers(self) -> frozenset[str]:
        """Fingerprints, as look() found them last."""
        return frozenset(self._names)

    async def look(self) -> None:
        """Reads the list; ends what belongs to those who are gone from it."""
        try:
            now = {peer.fingerprint: peer.name for peer in self._peers.all() if peer.role == "controller"}
        except IdentityError as error:
            log.error("the list of paired controllers cannot be read: %s", error)  # the gate lets nobody in now
            return
        gone, self._names = {f: n for f, n in self._names.items() if f not in now}, now
        for fingerprint, name in gone.items():
            for machine in self._grants.withdraw(fingerprint):
                self._sessions.cut(machine)
            calls = self._sessions.cut(fingerprint)
            log.info("%s is not trusted any more: %d calls were ended", name, calls)
            try:
                await self._supervisor.release(fingerprint)
            finally:  # not before: the caller who unpairs itself waits for it
                self._hang_up_at = time.monotonic() + LAST_WORDS_S
        if is_crowded() or (self._hang_up_at is not None and time.monotonic() >= self._hang_up_at):
            self._hang_up_at = None
            await self._hang_up()

    async def _hang_up(self) -> None:
        """Ends every connection that nobody is known to use who is still trusted; such a one is made anew at once."""
        places = self._sessions.places(lambda each: each in self._names or self._grants.holds_any(each))
        ended = await asyncio.to_thread(hang_up, self._port(), places)
        log.info("%d connections were ended", ended)

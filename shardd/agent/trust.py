"""Whom this agent trusts, and what happens to those whom it trusts no longer."""

from __future__ import annotations

import logging

from shardd.agent.grants import Grants
from shardd.agent.supervisor import Supervisor
from shardd.identity import IdentityError, TrustedPeers
from shardd.rpc.sessions import Sessions

log = logging.getLogger(__name__)


class Trust:
    """The pinned controllers, compared with what they were: whoever is missing loses calls, grants and stages.

    The list lies on disk and another process (`shardd unpair`) may change it, so look() is called often.
    """

    def __init__(self, peers: TrustedPeers, sessions: Sessions, grants: Grants, supervisor: Supervisor) -> None:
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
            await self._supervisor.release(fingerprint)

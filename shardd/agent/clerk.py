"""Does what the agent's own command line asks for: show a code, hide it, change the key."""

from __future__ import annotations

from collections.abc import Callable

from shardd.agent.identities import Identities
from shardd.agent.mailbox import Action, Answer, Mailbox
from shardd.agent.pairing import PairingDesk, PairingRefused
from shardd.agent.trust import Trust


class Clerk:
    """addresses(): where this agent is reached.  busy(): whether a stage runs. Used on the agent's loop."""

    def __init__(
        self,
        mailbox: Mailbox,
        pairing: PairingDesk,
        identities: Identities,
        trust: Trust,
        addresses: Callable[[], tuple[str, ...]],
        busy: Callable[[], bool],
    ) -> None:
        self._mailbox = mailbox
        self._pairing = pairing
        self._identities = identities
        self._trust = trust
        self._addresses = addresses
        self._busy = busy
        self._request: tuple[str, Action] | None = None  # the latest, which is still being answered

    def open(self) -> None:
        """Raises OSError when the mailbox cannot be used."""
        self._mailbox.clear()

    async def work(self) -> bool:
        """Takes a request, if there is one, and answers the latest anew; whether this agent's key has changed.

        Raises OSError when the disk refuses, IdentityError when the key cannot be changed.
        """
        taken = self._mailbox.take()
        if taken:
            self._request = taken
            await self._begin(*taken)
        # Whoever pairs by a code that is shown now must see the certificate that will stay.
        idle = not self._busy() and not self._pairing.is_open
        changed = self._identities.advance(self._trust.controllers(), idle=idle)
        if self._request:
            self._answer(*self._request)
        return changed

    async def _begin(self, request: str, action: Action) -> None:
        match action:
            case "pair":
                try:
                    await self._pairing.show_code()
                except PairingRefused as error:
                    self._mailbox.tell(Answer(request, "refused", sentence=str(error)))
                    self._request = None
            case "hide":
                await self._pairing.hide_code()
            case "rotate":
                self._identities.prepare()

    def _answer(self, request: str, action: Action) -> None:
        if action == "rotate":
            waits_for = tuple(
                sorted(self._trust.name_of(each) for each in self._identities.waits_for(self._trust.controllers()))
            )
            state = "waiting" if self._identities.changing else "changed"
            coming = self._identities.coming
            self._mailbox.tell(Answer(request, state, fingerprint=coming.fingerprint, waits_for=waits_for))
            return
        status = self._pairing.status
        if status is None:
            self._mailbox.tell(Answer(request, "hidden"))
            return
        self._mailbox.tell(
            Answer(
                request,
                status.state,
                code=status.code,
                seconds_left=round(status.seconds_left),
                tries_left=status.tries_left,
                addresses=self._addresses(),
                fingerprint=self._identities.current.fingerprint,
                peer=status.peer.name if status.peer else "",
                peer_fingerprint=status.peer.fingerprint if status.peer else "",
            )
        )

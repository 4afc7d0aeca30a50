"""How the agent's command line asks the running agent for something: two small files in the data folder, which only
their owner can enter. A request is taken once; the answer is written again whenever it changes."""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from shardd.host import atomic_write
from shardd.host.paths import read_file

Action = Literal["pair", "hide", "rotate"]

_REQUEST = "request.json"
_ANSWER = "answer.json"
_LARGEST = 16384


@dataclass(frozen=True, slots=True)
class Answer:
    """What the agent says to a request.

    Attributes:
        request: which one.
        state: "open", "paired", "used up", "expired", "hidden"; "waiting", "changed" for a new key; "refused".
        code: of six digits, for "pair".
        seconds_left, tries_left: of the code.
        addresses: where this machine is reached, host:port.
        fingerprint: this agent's, or for "rotate" the new one.
        peer, peer_fingerprint: who paired.
        waits_for: names of controllers that have not confirmed a new key.
        sentence: why not, where it was refused.
    """

    request: str
    state: str
    code: str = ""
    seconds_left: int = 0
    tries_left: int = 0
    addresses: tuple[str, ...] = ()
    fingerprint: str = ""
    peer: str = ""
    peer_fingerprint: str = ""
    waits_for: tuple[str, ...] = ()
    sentence: str = ""


class Mailbox:
    """In the agent's data folder. Raises OSError where the disk refuses to be written."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._told: Answer | None = None

    # -- the agent's side --------------------------------------------------------------------------------------------

    def clear(self) -> None:
        """Forgets what an earlier run left."""
        for name in (_REQUEST, _ANSWER):
            (self._data / name).unlink(missing_ok=True)

    def take(self) -> tuple[str, Action] | None:
        """A request that nobody has taken: its name and what is wanted."""
        document = self._read(_REQUEST)
        if document is None:
            return None
        (self._data / _REQUEST).unlink(missing_ok=True)
        action = document.get("action")
        return (str(document.get("request", "")), action) if action in ("pair", "hide", "rotate") else None

    def tell(self, answer: Answer) -> None:
        """Writes the answer where it says more than the last one; seconds that pass are no news."""
        told = self._told
        if told is None or replace(told, seconds_left=0) != replace(answer, seconds_left=0):
            self._told = answer
            atomic_write(self._data / _ANSWER, json.dumps(asdict(answer)).encode())

    # -- the command line's side -------------------------------------------------------------------------------------

    def ask(self, action: Action) -> str:
        """Leaves a request; answers its name."""
        request = secrets.token_hex(8)
        atomic_write(self._data / _REQUEST, json.dumps({"request": request, "action": action}).encode())
        return request

    def answer(self, request: str) -> Answer | None:
        """What the agent says to this request by now."""
        document = self._read(_ANSWER)
        if document is None or document.get("request") != request:
            return None
        fields: dict[str, Any] = document | {key: tuple(document[key]) for key in ("addresses", "waits_for")}
        return Answer(**fields)

    def _read(self, name: str) -> dict[str, Any] | None:
        try:
            document = json.loads(read_file(self._data / name, _LARGEST))
        except (FileNotFoundError, ValueError, RecursionError):
            return None
        return document if isinstance(document, dict) else None

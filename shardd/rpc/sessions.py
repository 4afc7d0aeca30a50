"""The calls that are open, by the certificate behind them, so that a caller who loses its trust loses them too; and
from where calls came, for its connections."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, Final

from shardd.host.connections import Endpoint, endpoint_of

MOST_PLACES: Final = 1024


@dataclass(eq=False, slots=True)
class Session:
    """One open call. number: how many its caller has open, this one included. cut: whether it was ended because the
    caller is not trusted any more."""

    task: asyncio.Task[Any]
    number: int = 1
    cut: bool = False


class Sessions:
    """Used on the agent's loop only."""

    def __init__(self) -> None:
        self._open: dict[str, set[Session]] = {}
        self._came: set[str] = set()
        self._from: dict[Endpoint, str] = {}  # whose call came from there last

    @contextlib.contextmanager
    def entered(self, fingerprint: str, peer: str = "") -> Generator[Session]:
        """Around the work of a call, in the call's own task. peer: where it comes from, as gRPC says it."""
        self._note(fingerprint, peer)
        task = asyncio.current_task()
        assert task is not None
        others = self._open.setdefault(fingerprint, set())
        session = Session(task, len(others) + 1)
        others.add(session)
        self._came.add(fingerprint)
        try:
            yield session
        finally:
            rest = self._open[fingerprint]
            rest.discard(session)
            if not rest:
                del self._open[fingerprint]

    def heard(self) -> frozenset[str]:
        """Whoever has a call open, or has had one since this was asked last."""
        came, self._came = self._came, set()
        return frozenset(came | self._open.keys())

    def places(self, trusted: Callable[[str], bool]) -> frozenset[Endpoint]:
        """From where those call whose fingerprint is trusted."""
        return frozenset(place for place, fingerprint in self._from.items() if trusted(fingerprint))

    def cut(self, fingerprint: str) -> int:
        """Ends every open call of a caller; answers how many there were."""
        sessions = list(self._open.get(fingerprint, ()))
        current = asyncio.current_task()
        for session in sessions:
            if session.task is not current:  # the caller who unpairs itself still gets its answer
                session.cut = True
                session.task.cancel()
        return len(sessions)

    def _note(self, fingerprint: str, peer: str) -> None:
        place = endpoint_of(peer)
        if place is not None:
            self._from.pop(place, None)  # the latest stand last
            self._from[place] = fingerprint
            if len(self._from) > MOST_PLACES:
                del self._from[next(iter(self._from))]

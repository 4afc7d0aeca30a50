"""The calls that are open, by the certificate behind them, so that a caller who loses its trust loses them too."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any


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

    @contextlib.contextmanager
    def entered(self, fingerprint: str) -> Generator[Session]:
        """Around the work of a call, in the call's own task."""
        task = asyncio.current_task()
        assert task is not None
        others = self._open.setdefault(fingerprint, set())
        session = Session(task, len(others) + 1)
        others.add(session)
        try:
            yield session
        finally:
            rest = self._open[fingerprint]
            rest.discard(session)
            if not rest:
                del self._open[fingerprint]

    def cut(self, fingerprint: str) -> int:
        """Ends every open call of a caller; answers how many there were."""
        sessions = list(self._open.get(fingerprint, ()))
        current = asyncio.current_task()
        for session in sessions:
            if session.task is not current:  # the caller who unpairs itself still gets its answer
                session.cut = True
                session.task.cancel()
        return len(sessions)

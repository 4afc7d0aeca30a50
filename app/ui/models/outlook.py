"""What is known of models beyond their names: their inventories, taken one at a time, and whether they fit."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer, Signal

from app.core.errors import SentenceError
from app.core.library.fits import assess, slim
from app.core.snapshot import Snapshot
from app.ui.bridge import CoreBridge
from app.ui.models.facts import Cluster, Said, about_same, cluster_of, fit_said, kind
from app.ui.text import tr

if TYPE_CHECKING:
    from app.core.library.fits import Fit
    from app.core.library.library import Library
    from app.core.library.weigh import Weighed

AGAIN_MS = 10_000  # machines' memory moves all the time; what is said of models need not


@dataclass(frozen=True, slots=True)
class _Wanted:
    key: str
    text: str  # a folder, or owner/name


class Outlook(QObject):
    """Signals: changed(key), something more is known of one model; fitted(), fits were computed again."""

    changed = Signal(str)
    fitted = Signal()

    def __init__(self, bridge: CoreBridge, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._bridge = bridge
        self._active = False
        self._snapshot = Snapshot()
        self._cluster = Cluster((), ())
        self._waiting: deque[_Wanted] = deque()
        self._now: _Wanted | None = None
        self._weighed: dict[str, Weighed] = {}
        self._problems: dict[str, str] = {}
        self._fits: dict[str, Fit | None] = {}
        self._again = QTimer(self)
        self._again.setSingleShot(True)
        self._again.setInterval(AGAIN_MS)
        self._again.timeout.connect(self._assess_all)

    def want(self, key: str, text: str, *, soon: bool = False) -> None:
        """Looks into a model unless that was done or is waiting. soon: before the others."""
        known = key in self._weighed or (self._now and self._now.key == key)
        if known or any(each.key == key for each in self._waiting):
            return
        self._problems.pop(key, None)
        (self._waiting.appendleft if soon else self._waiting.append)(_Wanted(key, text))
        self._next()

    def busy(self, key: str) -> bool:
        return bool(self._now and self._now.key == key) or any(each.key == key for each in self._waiting)

    def weighed(self, key: str) -> Weighed | None:
        return self._weighed.get(key)

    def problem(self, key: str) -> str:
        """Why it could not be looked into; "" where it could."""
        return self._problems.get(key, "")

    def said(self, key: str) -> Said | None:
        """Whether it fits; None while that is not known."""
        return fit_said(self._fits[key]) if key in self._fits else None

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Costs next to nothing while nobody looks."""
        self._snapshot = snapshot
        if not self._active:
            return
        cluster = cluster_of(snapshot)
        if kind(cluster) != kind(self._cluster):
            self._again.stop()
            self._assess_all()
        elif not self._again.isActive() and not about_same(cluster, self._cluster):
            self._again.start()

    def set_active(self, active: bool) -> None:
        """Whether anybody looks at what is said."""
        self._active = active
        self.show_snapshot(self._snapshot)

    def _next(self) -> None:
        if self._now or not self._waiting:
            return
        wanted = self._now = self._waiting.popleft()
        self._bridge.run(
            lambda controller: asyncio.to_thread(_slim, wanted.text, controller.library), self._known, self._failed
        )

    def _known(self, weighed: Weighed) -> None:
        assert self._now is not None
        key, self._now = self._now.key, None
        self._weighed[key] = weighed
        self._assess({key: weighed})
        self._next()

    def _failed(self, error: BaseException) -> None:
        assert self._now is not None
        key, self._now = self._now.key, None
        self._problems[key] = (
            str(error) if isinstance(error, SentenceError) else tr("It cannot be read: {error}.", error=error)
        )
        self.changed.emit(key)
        self._next()

    def _assess_all(self) -> None:
        self._cluster = cluster_of(self._snapshot)
        self._assess(dict(self._weighed))

    def _assess(self, models: dict[str, Weighed]) -> None:
        cluster = self._cluster
        if models:
            self._bridge.run(lambda _controller: asyncio.to_thread(_fits, models, cluster), self._assessed)

    def _assessed(self, fits: dict[str, Fit | None]) -> None:
        self._fits |= fits
        if len(fits) == 1:
            self.changed.emit(next(iter(fits)))
        else:
            self.fitted.emit()


def _slim(text: str, library: Library) -> Weighed:
    from app.core.library.weigh import weigh  # on a thread of its own: it brings the hub's client

    weighed = weigh(text, library)
    return replace(weighed, inventory=slim(weighed.inventory))


def _fits(models: dict[str, Weighed], cluster: Cluster) -> dict[str, Fit | None]:
    hops = dict(cluster.hop_ms)
    return {
        key: assess(weighed.name, weighed.inventory, cluster.nodes, hops) if cluster.nodes else None
        for key, weighed in models.items()
    }

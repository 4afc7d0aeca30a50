"""Says to a screen reader what happens without being asked: the window's live region."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent, QAccessibleEvent

from app.core.snapshot import ActivityEntry, Level
from app.ui.text import shown, tr

GATHER_MS: Final = 400  # what happens at once is said at once
MOST_SAID: Final = 3
Politeness = QAccessible.AnnouncementPoliteness


def gathered(waiting: list[tuple[str, bool]]) -> tuple[str, bool]:
    """One text of several, and whether it interrupts. Of many the urgent and the latest are said, the rest counted."""
    urgent = [text for text, interrupts in waiting if interrupts]
    calm = [text for text, interrupts in waiting if not interrupts]
    said = (urgent + calm[-max(0, MOST_SAID - len(urgent)) :] if len(urgent) < MOST_SAID else urgent)[:MOST_SAID]
    more = len(waiting) - len(said)
    return " ".join([*said, tr("And {count} more in the activity.", count=more)] if more > 0 else said), bool(urgent)


class Announcer(QObject):
    """send: who passes it on to the system; Qt unless a test listens. Signals: said(text, interrupts)."""

    said = Signal(str, bool)

    def __init__(self, window: QObject, send: Callable[[QAccessibleEvent], object] | None = None) -> None:
        super().__init__(window)
        self._window = window
        self._send = send or QAccessible.updateAccessibility
        self._waiting: list[tuple[str, bool]] = []
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(GATHER_MS)
        self._timer.timeout.connect(self.flush)

    def say(self, text: str, interrupts: bool = False) -> None:
        """interrupts: what is being read just now gives way."""
        if text.strip():
            self._waiting.append((text.strip(), interrupts))
            if not self._timer.isActive():
                self._timer.start()

    def say_entry(self, entry: ActivityEntry) -> None:
        message = shown(entry.message)
        named = f"{entry.node}: {message}" if entry.node else message
        word = {Level.INFO: "", Level.WARNING: tr("Warning."), Level.ERROR: tr("Error.")}[entry.level]
        self.say(f"{word} {named}".strip(), entry.level is Level.ERROR)

    def flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        if waiting:
            text, interrupts = gathered(waiting)
            event = QAccessibleAnnouncementEvent(self._window, text)
            event.setPoliteness(Politeness.Assertive if interrupts else Politeness.Polite)
            self._send(event)
            self.said.emit(text, interrupts)

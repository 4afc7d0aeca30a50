"""The conversations that are open: the one that is shown, and those whose answers are still being written."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Final, TypeVar

from PySide6.QtCore import QObject, QTimer, Signal

from app.core.chat import asking
from app.core.chat import conversation as values
from app.core.chat.conversation import NOTHING_MEASURED, Conversation, Settings, Turn
from app.core.chat.shelf import Listed, MemoryShelf, Shelf
from app.core.errors import ShardboardError
from app.ui.bridge import CoreBridge
from app.ui.chat.writing import Writing

T = TypeVar("T")

SAVE_EVERY_MS: Final = 500  # a kill loses at most what came since


class Desk(QObject):
    """Holds what is being worked on, and keeps it: every change at once, growing answers twice a second.

    Signals: began(Writing) and progressed(Writing); over(Conversation), as it is with its answer, after it was kept;
    failed(error), a disk that fails: the chat goes on in memory.
    """

    began = Signal(object)
    progressed = Signal(object)
    over = Signal(object)
    failed = Signal(object)

    def __init__(self, bridge: CoreBridge, shelf: Shelf | None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._bridge = bridge
        self.shelf: Shelf = shelf or MemoryShelf()
        self._open: dict[str, Conversation] = {}
        self._writings: dict[str, Writing] = {}
        self._unsaved: set[str] = set()
        self._saving = QTimer(self)
        self._saving.setInterval(SAVE_EVERY_MS)
        self._saving.timeout.connect(self._save_growing)

    # -- conversations ------------------------------------------------------------------------------------------------

    def new(self, settings: Settings) -> Conversation:
        """One that is kept from its first message on."""
        return Conversation(uuid.uuid4().hex, settings=settings)

    def load(self, key: str) -> Conversation | None:
        """As it is on the desk, or else on the shelf. None where the disk failed, which was told."""
        if key in self._open:
            return self._open[key]
        return self.attempt(lambda: self.shelf.load(key))

    def put(self, conversation: Conversation) -> None:
        """Keeps a changed conversation."""
        if conversation.key in self._writings:
            self._open[conversation.key] = conversation
        if conversation.turns:
            self.attempt(lambda: self.shelf.save(self.current(conversation)))

    def current(self, conversation: Conversation) -> Conversation:
        """With what its growing answer holds by now."""
        writing = self._writings.get(conversation.key)
        return values.answered(conversation, writing.number, writing.turn()) if writing else conversation

    def delete(self, key: str) -> bool:
        """Whether the disk let it go."""
        writing = self._writings.pop(key, None)
        self._open.pop(key, None)
        if writing is not None:
            writing.stop()
        return bool(self.attempt(lambda: self.shelf.delete(key) or True))

    def list(self, words: str) -> tuple[Listed, ...]:
        return self.attempt(lambda: self.shelf.list(words)) or ()

    def attempt(self, work: Callable[[], T]) -> T | None:
        """A disk that fails is told in words, and the chat goes on."""
        try:
            return work()
        except (ShardboardError, OSError, sqlite3.Error) as error:
            self.failed.emit(error)
            return None

    # -- answers ------------------------------------------------------------------------------------------------------

    def writing(self, key: str) -> Writing | None:
        return self._writings.get(key)

    @property
    def busy(self) -> frozenset[str]:
        """The keys of conversations whose answers are being written."""
        return frozenset(self._writings)

    def answer(self, conversation: Conversation) -> Conversation:
        """Begins the answer to the path's last message, as a new turn."""
        request = asking.request_for(conversation)
        grown = values.added(conversation, Turn("assistant", ""), conversation.leaf)
        self._begin(grown, grown.leaf, request)
        return grown

    def go_on(self, conversation: Conversation) -> Conversation:
        """Goes on with the path's last answer, within the same turn."""
        number = conversation.leaf
        request = asking.request_for(conversation, continuing=True)
        turn = replace(conversation.turns[number], outcome="", problem=None, note="", figures=NOTHING_MEASURED)
        self._begin(values.answered(conversation, number, turn), number, request)
        return self._open[conversation.key]

    def stop_all(self) -> None:
        for writing in self._writings.values():
            writing.stop()
        self._save_growing()

    def _begin(self, conversation: Conversation, number: int, request: asking.GenerationRequest) -> None:
        written = conversation.turns[number].text
        when_full = conversation.settings.when_full
        writing = Writing(self._bridge, conversation.key, number, request, when_full, written, self)
        self._writings[conversation.key] = writing
        self._open[conversation.key] = conversation
        writing.progressed.connect(self._on_progress)
        writing.over.connect(self._on_over)
        self.put(conversation)
        self._saving.start()
        self.began.emit(writing)

    def _on_progress(self, writing: Writing) -> None:
        self._unsaved.add(writing.key)
        self.progressed.emit(writing)

    def _save_growing(self) -> None:
        unsaved, self._unsaved = self._unsaved, set()
        for key in unsaved & self._writings.keys():
            writing = self._writings[key]
            turn = replace(writing.turn(), follows=self._open[key].turns[writing.number].follows)
            self.attempt(lambda key=key, number=writing.number, turn=turn: self.shelf.save_turn(key, number, turn))

    def _on_over(self, writing: Writing) -> None:
        if self._writings.get(writing.key) is writing:
            del self._writings[writing.key]
            self._unsaved.discard(writing.key)
            whole = values.answered(self._open.pop(writing.key), writing.number, writing.turn())
            self.put(whole)
            if not self._writings:
                self._saving.stop()
            self.over.emit(whole)
        writing.deleteLater()

"""The chat: header, conversation, composer, and what happens between them."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from PySide6.QtCore import QEvent, Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from app.core.errors import ShardboardError
from app.core.generation.request import Sampling
from app.core.snapshot import Snapshot
from app.ui.bridge import CoreBridge
from app.ui.chat import session
from app.ui.chat.composer import Composer
from app.ui.chat.conversation_list import ConversationList
from app.ui.chat.header import ChatHeader
from app.ui.chat.message import AnswerView, UserMessage
from app.ui.chat.popovers import SamplingPopover, SystemPromptPopover
from app.ui.chat.session import DEFAULTS, Conversation, Settings, Shelf
from app.ui.chat.style import chat_style
from app.ui.chat.text import deployment_obstacle, send_obstacle, stop_obstacle
from app.ui.chat.transcript import EmptyState, Transcript, side_room
from app.ui.chat.writing import Writing
from app.ui.theme import SPACE, tokens
from app.ui.widgets import Banner, set_tone

T = TypeVar("T")

SAVE_EVERY_MS = 1000
BUSY = "An answer is being written."
EXAMPLES = (
    "What is a shard?",
    "Why is my answer slow?",
    "Tell me a short story about a fox.",
)


class ChatPane(QWidget):
    """A conversation with the deployed model.

    bridge: the core; its snapshots enable and disable the composer.  shelf: where conversations are kept; None keeps
    them in memory only.
    Signals: writing_changed(bool), an answer begins or has ended; title_changed(str).
    """

    _style_name: str | None = None  # None while Qt calls changeEvent before the end of __init__
    writing_changed = Signal(bool)
    title_changed = Signal(str)

    def __init__(self, bridge: CoreBridge, shelf: Shelf | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._bridge = bridge
        self._shelf = shelf
        self._snapshot = bridge.snapshot
        self._conversation = Conversation()
        self._writing: Writing | None = None
        self._style_name = ""
        self.setAccessibleName("Chat")

        self.header = ChatHeader()
        self.banner = Banner()
        self.empty = EmptyState(EXAMPLES)
        self.transcript = Transcript(self.empty)
        self.composer = Composer()
        self.prompt_popover = SystemPromptPopover(self)
        self.sampling_popover = SamplingPopover((DEFAULTS.sampling, DEFAULTS.max_tokens), self)
        self.list_popover = ConversationList(self)
        self._saving = QTimer(self)
        self._saving.setSingleShot(True)
        self._saving.setInterval(SAVE_EVERY_MS)
        self._saving.timeout.connect(self._save)

        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE.l, SPACE.m, SPACE.l, SPACE.l)
        layout.setSpacing(SPACE.s)
        layout.addWidget(self.header)
        layout.addWidget(self.banner)
        layout.addWidget(self.transcript, 1)
        self._foot = QHBoxLayout()
        self._foot.addWidget(self.composer)
        layout.addLayout(self._foot)
        self.setMinimumWidth(320)
        self._connect()
        self._restyle()
        self.focus_composer()
        self._show_state()

    def _connect(self) -> None:
        self._bridge.snapshot_changed.connect(self._on_snapshot)
        self.header.list_wanted.connect(self._open_list)
        self.header.new_wanted.connect(self.new_chat)
        self.empty.example_chosen.connect(self._take_example)
        self.composer.send_wanted.connect(self.send)
        self.composer.stop_wanted.connect(self.stop)
        self.composer.draft_changed.connect(self._show_obstacles)
        self.composer.system_prompt_wanted.connect(self._open_prompt)
        self.composer.sampling_wanted.connect(self._open_sampling)
        self.prompt_popover.edited.connect(self._on_prompt)
        self.sampling_popover.edited.connect(self._on_sampling)
        self.list_popover.opened.connect(self.open)
        self.list_popover.delete_wanted.connect(self._delete)
        self.list_popover.search_changed.connect(lambda _words: self._fill_list())
        for popover in (self.prompt_popover, self.sampling_popover):
            popover.closed.connect(self._save_settings)

    # -- what others may ask ------------------------------------------------------------------------------------------

    @property
    def conversation(self) -> Conversation:
        return self._conversation

    @property
    def writing(self) -> bool:
        return self._writing is not None

    def send(self, text: str) -> None:
        """Asks this, where an answer can be made."""
        if send_obstacle(self._snapshot.deployment, self.writing, text):
            self._show_obstacles()
            return
        self._conversation = session.asked(self._conversation, text)
        self.composer.set_draft("")
        self.transcript.add(UserMessage(text))
        self._write()

    def stop(self) -> None:
        if self._writing is not None:
            self._writing.stop()
            self._show_obstacles()

    def regenerate(self) -> None:
        """Writes the last answer again."""
        if self.writing or deployment_obstacle(self._snapshot.deployment):
            return
        self._conversation = session.without_answer(self._conversation)
        if self.transcript.messages and isinstance(self.transcript.messages[-1], AnswerView):
            self.transcript.remove_last(1)
        self._write()

    def new_chat(self) -> None:
        if not self.writing:
            self._show_conversation(Conversation(settings=self._conversation.settings))
            self.focus_composer()

    def open(self, key: str) -> None:
        """Shows a kept conversation."""
        if self._shelf is not None and not self.writing:
            shelf = self._shelf
            loaded = self._attempt(lambda: shelf.load(key))
            if loaded is not None:
                self._show_conversation(loaded)

    def focus_composer(self) -> None:
        self.composer.edit.setFocus()

    # -- an answer ----------------------------------------------------------------------------------------------------

    def _write(self) -> None:
        view = AnswerView()
        view.regenerate_wanted.connect(self.regenerate)
        self.transcript.add(view)
        self.transcript.follow()
        self._writing = Writing(self._bridge, session.request_for(self._conversation), view, self)
        self._writing.progressed.connect(self._on_progress)
        self._writing.over.connect(self._on_over)
        self._save()
        self._show_state()
        self.writing_changed.emit(True)

    def _on_progress(self) -> None:
        self._show_context()
        if not self._saving.isActive():
            self._saving.start()

    def _on_over(self) -> None:
        writing = self._writing
        assert writing is not None
        self._writing = None
        self._conversation = session.answered(self._conversation, session.turn_of(writing.state, writing.view.text))
        writing.deleteLater()
        self._save()
        self._show_state()
        self.writing_changed.emit(False)

    # -- showing ------------------------------------------------------------------------------------------------------

    def _on_snapshot(self, snapshot: Snapshot) -> None:
        before, self._snapshot = self._snapshot.deployment, snapshot
        if snapshot.deployment != before:
            self._show_state()

    def _show_state(self) -> None:
        deployment = self._snapshot.deployment
        self.header.show_title(self._conversation.title)
        self._show_context()
        set_tone(self.composer.system_prompt, "set", "true" if self._conversation.settings.system_prompt else "false")
        self.header.show_new_obstacle(BUSY if self.writing else "")
        self.empty.show_obstacle(deployment_obstacle(deployment))
        self._show_obstacles()
        self._offer_regenerate()
        self.title_changed.emit(self._conversation.title or session.NEW_CHAT)

    def _show_context(self) -> None:
        """Of the running answer where it is known, else of the last one."""
        used = session.used_tokens(self._conversation)
        if self._writing is not None:
            figures = self._writing.state.figures
            used = figures.used_tokens if figures.prompt_tokens is not None else used
        self.header.show_context(used, self._snapshot.deployment.context_tokens)

    def _show_obstacles(self) -> None:
        deployment = self._snapshot.deployment
        send = send_obstacle(deployment, self.writing, self.composer.draft)
        stopping = self._writing is not None and self._writing.stopping
        stop = "Stopping at the next token." if stopping else stop_obstacle(self.writing)
        visible = deployment_obstacle(deployment) or (
            (stop if stopping else BUSY) if self.writing and self.composer.draft.strip() else ""
        )
        self.composer.show_obstacles(send, stop, visible)

    def _offer_regenerate(self) -> None:
        answers = [message for message in self.transcript.messages if isinstance(message, AnswerView)]
        for answer in answers:
            last = answer is self.transcript.messages[-1]
            answer.allow_regenerate(last, BUSY if self.writing else deployment_obstacle(self._snapshot.deployment))

    def _show_conversation(self, conversation: Conversation) -> None:
        self._conversation = conversation
        self.banner.hide()
        self.transcript.clear()
        for turn in conversation.turns:
            if turn.role == "user":
                self.transcript.add(UserMessage(turn.text))
                continue
            view = AnswerView()
            view.regenerate_wanted.connect(self.regenerate)
            view.show_finished(turn.text, turn.figures, turn.outcome, turn.problem, turn.note)
            self.transcript.add(view)
        self.transcript.follow()
        self._show_state()

    def _restyle(self) -> None:
        current = tokens()
        if current.name != self._style_name:
            self._style_name = current.name
            self.setStyleSheet(chat_style(current))

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and self._style_name is not None:
            self._restyle()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        room = side_room(self.width() - 2 * SPACE.l)
        self._foot.setContentsMargins(room, 0, room, 0)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape and self.writing:
            self.stop()
        else:
            super().keyPressEvent(event)

    # -- settings -----------------------------------------------------------------------------------------------------

    def _take_example(self, text: str) -> None:
        """Sent at once where that is possible, else left in the field."""
        if send_obstacle(self._snapshot.deployment, self.writing, text):
            self.composer.set_draft(text)
            self.focus_composer()
        else:
            self.send(text)

    def _open_prompt(self) -> None:
        self.prompt_popover.show_text(self._conversation.settings.system_prompt)
        self.prompt_popover.open_above(self.composer.system_prompt)

    def _open_sampling(self) -> None:
        settings = self._conversation.settings
        self.sampling_popover.show_values(settings.sampling, settings.max_tokens)
        self.sampling_popover.open_above(self.composer.sampling)

    def _on_prompt(self, text: str) -> None:
        self._set(replace(self._conversation.settings, system_prompt=text))

    def _on_sampling(self, sampling: Sampling, max_tokens: int) -> None:
        self._set(replace(self._conversation.settings, sampling=sampling, max_tokens=max_tokens))

    def _set(self, settings: Settings) -> None:
        self._conversation = replace(self._conversation, settings=settings)
        set_tone(self.composer.system_prompt, "set", "true" if settings.system_prompt else "false")

    # -- keeping ------------------------------------------------------------------------------------------------------

    def _save(self) -> None:
        self._saving.stop()
        if self._shelf is None or not self._conversation.turns:
            return
        shelf, current = self._shelf, self._conversation
        if self._writing is not None and self._writing.state.has_text:
            turn = session.turn_of(self._writing.state, self._writing.view.text)
            current = session.answered(current, turn)
        key = self._attempt(lambda: shelf.save(current))
        if key and key != self._conversation.key:
            self._conversation = replace(self._conversation, key=key)

    def _save_settings(self) -> None:
        if self._conversation.key:
            self._save()

    def _attempt(self, work: Callable[[], T]) -> T | None:
        """A disk that fails is told in words, and the chat goes on."""
        try:
            return work()
        except (ShardboardError, OSError, sqlite3.Error) as error:
            self.banner.show_error(error)
            return None

    def _open_list(self) -> None:
        self.list_popover.search.clear()
        self._fill_list()
        self.list_popover.open_above(self.header.list_button)

    def _fill_list(self) -> None:
        shelf = self._shelf
        listed = self._attempt(lambda: shelf.list(self.list_popover.search.text())) if shelf is not None else ()
        self.list_popover.show_conversations(listed or (), self._conversation.key, BUSY if self.writing else "")

    def _delete(self, key: str) -> None:
        if self._shelf is None or self.writing:
            return
        shelf = self._shelf
        self._attempt(lambda: shelf.delete(key))
        if key == self._conversation.key:
            self._show_conversation(Conversation(settings=self._conversation.settings))
        self._fill_list()

"""The chat: header, conversation, latency lane, composer, and what happens between them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QKeyEvent, QResizeEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.core.chat import conversation as values
from app.core.chat.conversation import NEW_CHAT, Conversation, Settings, Versions, used_tokens
from app.core.chat.shelf import Shelf
from app.core.snapshot import Snapshot
from app.core.text import phrase
from app.ui.bridge import CoreBridge
from app.ui.chat.composer import Composer
from app.ui.chat.desk import Desk
from app.ui.chat.files import ChatFiles
from app.ui.chat.header import ChatHeader
from app.ui.chat.options import ChatOptions
from app.ui.chat.rows import MessageView
from app.ui.chat.style import chat_style
from app.ui.chat.text import deployment_obstacle, send_obstacle, stop_obstacle
from app.ui.chat.transcript import EmptyState, Transcript, side_room
from app.ui.chat.writing import Writing
from app.ui.latency.panel import LatencyPanel
from app.ui.text import tr
from app.ui.theme import SPACE, look, tokens
from app.ui.widgets import Banner

if TYPE_CHECKING:  # they bring what reads Markdown and colours code, which no window shows at first
    from app.ui.chat.answer_view import AnswerView
    from app.ui.chat.message import UserMessage

BUSY = phrase("An answer is being written.")
ALREADY_NEW = phrase("This is a new chat.")
EXAMPLES = (
    phrase("What is a shard?"),
    phrase("Why is my answer slow?"),
    phrase("Tell me a short story about a fox."),
)


class ChatPane(QWidget):
    """A conversation with the deployed model.

    bridge: the core; its snapshots enable and disable the composer.  shelf: where conversations are kept; None keeps
    them in memory only. Answers of conversations that are not shown go on being written.
    Signals: writing_changed(bool), an answer of the shown conversation begins or has ended; title_changed(str).
    """

    _style_name: str | None = None  # None while Qt calls changeEvent before the end of __init__
    writing_changed = Signal(bool)
    title_changed = Signal(str)

    def __init__(self, bridge: CoreBridge, shelf: Shelf | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._bridge = bridge
        self._snapshot = bridge.snapshot
        self.desk = Desk(bridge, shelf, self)
        self._conversation = self.desk.new(Settings())
        self._numbers: list[int] = []  # the turns that the transcript's messages show
        self._versions = Versions()
        self._style_name = ""
        self.setAccessibleName(tr("Chat"))

        self.header = ChatHeader()
        self.banner = Banner()
        self.empty = EmptyState(EXAMPLES)
        self.transcript = Transcript(self.empty)
        self.transcript.keeps = self._keeps
        self.lane = LatencyPanel()
        self.composer = Composer()
        self.options = ChatOptions(self)
        self.files = ChatFiles(self)

        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE.l, SPACE.m, SPACE.l, SPACE.l)
        layout.setSpacing(SPACE.s)
        layout.addWidget(self.header)
        layout.addWidget(self.banner)
        layout.addWidget(self.transcript, 1)
        self._foot = QVBoxLayout()
        self._foot.setSpacing(SPACE.s)
        self._foot.addWidget(self.lane)
        self._foot.addWidget(self.composer)
        layout.addLayout(self._foot)
        self.setMinimumWidth(320)
        self._connect()
        self._restyle()
        self.focus_composer()
        self._show_state()

    def _connect(self) -> None:
        self._bridge.snapshot_changed.connect(self._on_snapshot)
        self.desk.began.connect(self._on_began)
        self.desk.progressed.connect(self._on_progress)
        self.desk.over.connect(self._on_over)
        self.desk.failed.connect(self.banner.show_error)
        self.header.list_wanted.connect(self.options.open_list)
        self.header.new_wanted.connect(self.new_chat)
        self.header.rename_wanted.connect(self.options.rename)
        self.header.export_wanted.connect(self.files.export)
        self.header.import_wanted.connect(self.files.choose_import)
        self.header.delete_wanted.connect(lambda: self.delete(self._conversation.key))
        self.header.lane_toggled.connect(self._toggle_lane)
        self.lane.export_wanted.connect(self.files.export_trace)
        self.empty.example_chosen.connect(self._take_example)
        self.composer.send_wanted.connect(self.send)
        self.composer.stop_wanted.connect(self.stop)
        self.composer.attach_wanted.connect(self.files.choose_attachments)
        self.composer.refused.connect(self.banner.show_error)
        self.composer.draft_changed.connect(self._show_obstacles)
        self.composer.system_prompt_wanted.connect(self.options.open_prompt)
        self.composer.sampling_wanted.connect(self.options.open_sampling)

    # -- what others may ask ------------------------------------------------------------------------------------------

    @property
    def conversation(self) -> Conversation:
        return self._conversation

    @property
    def writing(self) -> bool:
        """Whether the answer of the shown conversation is being written."""
        return self._writing is not None

    @property
    def _writing(self) -> Writing | None:
        return self.desk.writing(self._conversation.key)

    def send(self, text: str) -> None:
        """Asks this, with what is attached, where an answer can be made."""
        attachments = self.composer.attachments
        if send_obstacle(self._snapshot.deployment, self.writing, text, bool(attachments)):
            self._show_obstacles()
            return
        asked = values.asked(self._conversation, text, attachments)
        if not asked.title:
            asked = replace(asked, title=values.title_of(", ".join(each.name for each in attachments)))
        self.composer.set_draft("")
        self.composer.set_attachments(())
        self._answer(asked)

    def stop(self) -> None:
        if self._writing is not None:
            self._writing.stop()
            self._show_obstacles()

    def regenerate(self, number: int | None = None) -> None:
        """Writes this answer, else the last one, again beside what is there; one without a word is replaced."""
        number = self._conversation.leaf if number is None else number
        if number == values.ROOT or self.writing or deployment_obstacle(self._snapshot.deployment):
            return
        turn = self._conversation.turns[number]
        if turn.role == "user":
            self._answer(replace(self._conversation, leaf=number))
        elif turn.text.strip():
            self._answer(replace(self._conversation, leaf=turn.follows))
        else:
            self._answer(replace(values.cut(self._conversation, number), leaf=turn.follows))

    def go_on(self) -> None:
        """Goes on with the last answer where it ended."""
        if self.writing or deployment_obstacle(self._snapshot.deployment) or not self._conversation.shown:
            return
        if self._conversation.shown[-1].role == "assistant":
            grown = self.desk.go_on(self._conversation)
            self._forget_from(len(grown.path) - 1)
            self.show_conversation(grown)

    def edit(self, number: int, text: str) -> None:
        """A new version of a message; the reader's own is then answered."""
        if self.writing:
            return
        changed = values.edited(self._conversation, number, text)
        if changed.turns[-1].role == "user" and not deployment_obstacle(self._snapshot.deployment):
            self._answer(changed)
        else:
            self.change(changed)

    def walk(self, number: int, steps: int) -> None:
        if not self.writing:
            self.change(values.walked(self._conversation, number, steps))

    def new_chat(self) -> None:
        self.show_conversation(self.desk.new(self._conversation.settings))
        self.focus_composer()

    def open(self, key: str) -> None:
        """Shows a kept conversation."""
        loaded = self.desk.load(key)
        if loaded is not None:
            self.show_conversation(loaded)

    def delete(self, key: str) -> None:
        """At once; the banner offers it back."""
        gone = self.desk.load(key)
        gone = self.desk.current(gone) if gone is not None else None
        deleted = self.desk.delete(key)
        if key == self._conversation.key:
            self.new_chat()
        if deleted and gone is not None and gone.turns:
            title = gone.title or tr("New chat")
            self.banner.show_message(
                tr("“{title}” was deleted.", title=title), "", "info", tr("Undo"), lambda: self._bring_back(gone)
            )

    def _bring_back(self, conversation: Conversation) -> None:
        self.desk.put(conversation)
        self.show_conversation(conversation)
        self.banner.hide()

    def change(self, conversation: Conversation) -> None:
        """Keeps and shows a changed conversation."""
        if conversation.turns:
            self.desk.put(conversation)
            self.show_conversation(conversation)
        else:
            self.delete(conversation.key)

    def set_settings(self, settings: Settings) -> None:
        self._conversation = replace(self._conversation, settings=settings)
        self.desk.put(self._conversation)
        self._show_state()

    def focus_composer(self) -> None:
        self.composer.edit.setFocus()

    # -- an answer ----------------------------------------------------------------------------------------------------

    def _answer(self, conversation: Conversation) -> None:
        self.show_conversation(self.desk.answer(conversation))
        self.transcript.follow()

    def _on_began(self, writing: Writing) -> None:
        if writing.key == self._conversation.key:
            self.writing_changed.emit(True)

    def _on_progress(self, writing: Writing) -> None:
        if writing.key == self._conversation.key:
            self._show_context()
            self.lane.show_events(writing.events)

    def _on_over(self, conversation: Conversation) -> None:
        if conversation.key != self._conversation.key:
            return
        self._conversation = conversation
        self._show_state()
        self.lane.settle()
        self.writing_changed.emit(False)

    # -- showing ------------------------------------------------------------------------------------------------------

    def show_conversation(self, conversation: Conversation) -> None:
        """Shows it; messages that stand there already stay as they are."""
        other = conversation.key != self._conversation.key
        before, self._conversation = self._conversation, conversation
        path = list(conversation.path)
        same = 0
        while not other and same < min(len(path), len(self._numbers)) and path[same] == self._numbers[same]:
            old, new = before.turns[path[same]], conversation.turns[path[same]]
            if (old.text, old.role) != (new.text, new.role) or self._edits(same):
                break
            same += 1
        self._forget_from(same)
        for number in path[same:]:
            self._numbers.append(number)
            self.transcript.add(
                conversation.turns[number].text, lambda hurried, number=number: self._message(number, hurried)
            )
        writing = self._writing
        if writing is not None and path and path[-1] == writing.number:
            view = cast("AnswerView", self.transcript.messages[-1])
            if writing.view is not view:
                writing.show_in(view)
        if other:
            self.banner.hide()
            self.lane.clear()
        if other or same < len(path):
            self.transcript.follow()
        else:
            self.transcript.show_rows()
        self.lane.show_answer(writing, self._snapshot)
        self._show_state()

    def _forget_from(self, position: int) -> None:
        gone = [message for at, message in self.transcript.live if at >= position]
        for writing in (self.desk.writing(key) for key in self.desk.busy):
            if writing is not None and writing.view in gone:
                writing.show_in(None)
        self.transcript.remove_last(len(self._numbers) - position)
        del self._numbers[position:]

    def _edits(self, position: int) -> bool:
        return any(at == position and _edited(message) for at, message in self.transcript.live)

    def _keeps(self, message: MessageView) -> bool:
        """Far away too: an answer that is being written, and what is being edited."""
        return (self._writing is not None and self._writing.view is message) or _edited(message)

    def _message(self, number: int, hurried: bool) -> MessageView:
        message = self._new_message(number, hurried)
        self._show_actions_of(message, number)
        return message

    def _new_message(self, number: int, hurried: bool) -> MessageView:
        from app.ui.chat.answer_view import AnswerView
        from app.ui.chat.message import UserMessage

        turn = self._conversation.turns[number]
        if turn.role == "user":
            mine = UserMessage(turn.text, turn.attachments, self.transcript.widget())
            mine.editing.connect(lambda: self.transcript.reveal(mine))
            mine.edited.connect(lambda text: self.edit(number, text))
            mine.walked.connect(lambda steps: self.walk(number, steps))
            return mine
        view = AnswerView(self.transcript.pace, self.transcript.widget())
        view.editing.connect(lambda: self.transcript.reveal(view))
        view.edited.connect(lambda text: self.edit(number, text))
        view.walked.connect(lambda steps: self.walk(number, steps))
        view.regenerate_wanted.connect(lambda: self.regenerate(number))
        view.continue_wanted.connect(self.go_on)
        view.branch_wanted.connect(lambda: self._fork(number))
        view.delete_wanted.connect(lambda: self._cut(number))
        if self._writing is None or self._writing.number != number:
            view.show_finished(turn, hurried)
        return view

    def _fork(self, number: int) -> None:
        fresh = self.desk.new(self._conversation.settings)
        self.change(values.forked(self.desk.current(self._conversation), number, fresh.key))

    def _cut(self, number: int) -> None:
        if not self.writing:
            self._forget_from(0)  # the turns that stay have other numbers then
            self.change(values.cut(self._conversation, number))

    def _on_snapshot(self, snapshot: Snapshot) -> None:
        before, self._snapshot = self._snapshot.deployment, snapshot
        self.lane.show_machines(snapshot)
        if snapshot.deployment != before:
            if self._writing is not None:
                self.lane.show_answer(self._writing, snapshot)
            self._show_state()

    def _show_state(self) -> None:
        conversation, deployment = self._conversation, self._snapshot.deployment
        self.header.show_title(conversation.title, bool(conversation.turns))
        self.header.show_new_obstacle("" if conversation.turns else ALREADY_NEW)
        self.options.show_settings(conversation.settings)
        self.empty.show_obstacle(deployment_obstacle(deployment))
        self._show_context()
        self._show_obstacles()
        self._show_actions()
        self.title_changed.emit(conversation.title or NEW_CHAT)

    def _show_context(self) -> None:
        """Of the running answer where it is known, else of the last one."""
        used = used_tokens(self._conversation)
        if self._writing is not None:
            figures = self._writing.state.figures
            used = figures.used_tokens if figures.prompt_tokens is not None else used
        limit = self._snapshot.deployment.context_tokens
        self.header.show_context(used, limit, self._conversation.settings.when_full)

    def _show_obstacles(self) -> None:
        deployment, composer = self._snapshot.deployment, self.composer
        send = send_obstacle(deployment, self.writing, composer.draft, bool(composer.attachments))
        stopping = self._writing is not None and self._writing.stopping
        stop = tr("Stopping at the next token.") if stopping else stop_obstacle(self.writing)
        visible = deployment_obstacle(deployment) or (
            (stop if stopping else BUSY) if self.writing and composer.draft.strip() else ""
        )
        composer.show_obstacles(send, stop, visible)

    def _show_actions(self) -> None:
        for position, message in self.transcript.live:
            self._show_actions_of(message, self._numbers[position])

    def _show_actions_of(self, message: MessageView, number: int) -> None:
        busy = BUSY if self.writing else ""
        every = self._versions.of(self._conversation, number)
        at, count = every.index(number), len(every)
        if self._conversation.turns[number].role == "user":
            cast("UserMessage", message).show_branch(at, count, busy)
        else:
            unable = deployment_obstacle(self._snapshot.deployment)
            cast("AnswerView", message).show_actions(busy, unable, number == self._conversation.leaf, at, count)

    def _toggle_lane(self, shown: bool) -> None:
        self.lane.show_answer(self._writing, self._snapshot)
        self.lane.setVisible(shown)

    def _restyle(self) -> None:
        if look() != self._style_name:
            self._style_name = look()
            self.setStyleSheet(chat_style(tokens()))

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.PaletteChange, QEvent.Type.FontChange) and self._style_name is not None:
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

    def _take_example(self, text: str) -> None:
        """Sent at once where that is possible, else left in the field."""
        if send_obstacle(self._snapshot.deployment, self.writing, text):
            self.composer.set_draft(text)
            self.focus_composer()
        else:
            self.send(text)


def _edited(message: MessageView) -> bool:
    return message.editor is not None

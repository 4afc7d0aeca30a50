"""What the chat reads from files and writes to them: exports, imports, attachments, traces."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QFileDialog

from app.core.chat.attachments import text_of
from app.core.chat.conversation import NEW_CHAT
from app.core.chat.exchange import LIMIT_BYTES, REMEDY, from_text, to_json, to_markdown
from app.core.errors import ShardboardError
from app.core.generation.trace import trace
from app.core.text import phrase
from app.ui.text import tr

if TYPE_CHECKING:
    from app.ui.chat.pane import ChatPane

NAME_LIMIT = 60


def file_name(title: str, ending: str) -> str:
    """A name that every file system takes."""
    plain = re.sub(r"[^\w\- ]+", "", title or NEW_CHAT).strip()[:NAME_LIMIT].strip() or "chat"
    return f"{plain}.{ending}"


class ChatFiles(QObject):
    """Asks for a place, then reads or writes. What fails is told in the chat's banner."""

    def __init__(self, pane: ChatPane) -> None:
        super().__init__(pane)
        self._pane = pane

    def export(self, ending: str) -> None:
        """ending: "md" or "json"."""
        name = file_name(self._pane.conversation.title, ending)
        kind = tr("Markdown (*.md)") if ending == "md" else tr("JSON (*.json)")
        chosen, _ = QFileDialog.getSaveFileName(
            self._pane, tr("Export the conversation"), str(Path.home() / name), kind
        )
        if chosen:
            self.export_to(Path(chosen), ending)

    def export_to(self, path: Path, ending: str) -> None:
        conversation = self._pane.desk.current(self._pane.conversation)
        self._write(path, to_markdown(conversation) if ending == "md" else to_json(conversation))

    def choose_import(self) -> None:
        kinds = tr("Conversations (*.json *.md);;All files (*)")
        chosen, _ = QFileDialog.getOpenFileName(self._pane, tr("Import a conversation"), str(Path.home()), kinds)
        if chosen:
            self.import_from(Path(chosen))

    def import_from(self, path: Path) -> None:
        """The conversation in this file becomes a new one here."""
        try:
            with path.open("rb") as file:
                data = file.read(LIMIT_BYTES + 1)
            text = text_of(data) if len(data) <= LIMIT_BYTES else None
            if text is None:
                raise ShardboardError(tr("{name} holds no conversation that can be read.", name=path.name), REMEDY)
            found = from_text(text, self._pane.desk.new(self._pane.conversation.settings).key)
        except (ShardboardError, OSError) as error:
            self._tell(path, error)
            return
        self._pane.change(found)

    def choose_attachments(self) -> None:
        chosen, _ = QFileDialog.getOpenFileNames(self._pane, tr("Attach text files"), str(Path.home()))
        if chosen:
            self._pane.composer.attach_files([Path(each) for each in chosen])

    def export_trace(self) -> None:
        name = file_name(tr("{title} latency", title=self._pane.conversation.title), "json")
        chosen, _ = QFileDialog.getSaveFileName(
            self._pane, tr("Export the latency lane"), str(Path.home() / name), tr("Trace (*.json)")
        )
        if chosen:
            self.export_trace_to(Path(chosen))

    def export_trace_to(self, path: Path) -> None:
        lane = self._pane.lane
        self._write(path, json.dumps(trace(lane.events, lane.machines, lane.model)))

    def _write(self, path: Path, text: str) -> None:
        try:
            path.write_text(text, "utf-8")
        except OSError as error:
            self._tell(path, error)
            return
        self._pane.banner.show_message(
            tr("Written to {name}.", name=path.name), tr("In the folder {parent}.", parent=path.parent), tone="success"
        )

    def _tell(self, path: Path, error: BaseException) -> None:
        if isinstance(error, OSError):
            error = ShardboardError(
                phrase("{file}: {problem}.", file=path.name, problem=error.strerror or error), "Choose another place."
            )
        self._pane.banner.show_error(error)

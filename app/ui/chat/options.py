"""The small windows of a chat: system prompt, sampling with presets, the list of conversations, the title."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QInputDialog, QLineEdit

from app.core.chat.conversation import Settings
from app.core.chat.presets import Preset, applied, with_preset, without_preset
from app.core.errors import ShardboardError
from app.ui.chat.conversation_list import ConversationList
from app.ui.chat.popovers import SamplingPopover, SystemPromptPopover
from app.ui.text import tr
from app.ui.widgets import set_tone

if TYPE_CHECKING:
    from app.ui.chat.pane import ChatPane

TITLE_LIMIT = 200


class ChatOptions(QObject):
    """Opens them for the shown conversation, and takes what is changed in them to it."""

    def __init__(self, pane: ChatPane) -> None:
        super().__init__(pane)
        self._pane = pane
        self.prompt = SystemPromptPopover(pane)
        self.sampling = SamplingPopover(Settings(), pane)
        self.list = ConversationList(pane)
        self._settings: Settings | None = None  # as edited, while a window is open
        self.prompt.edited.connect(self._on_prompt)
        self.sampling.edited.connect(self._on_edited)
        self.sampling.preset_chosen.connect(self._on_preset)
        self.sampling.preset_kept.connect(self._keep_preset)
        self.sampling.preset_dropped.connect(self._drop_preset)
        self.prompt.closed.connect(self._keep)
        self.sampling.closed.connect(self._keep)
        self.list.opened.connect(pane.open)
        self.list.delete_wanted.connect(self._delete)
        self.list.folder_chosen.connect(self._move)
        self.list.search_changed.connect(lambda _words: self.fill_list())
        self.list.import_wanted.connect(lambda: pane.files.choose_import())

    def show_settings(self, settings: Settings) -> None:
        """The buttons show whether anything is set."""
        set_tone(self._pane.composer.system_prompt, "set", "true" if settings.system_prompt else "false")
        plain = replace(settings, system_prompt="") == Settings()
        set_tone(self._pane.composer.sampling, "set", "false" if plain else "true")

    # -- settings -----------------------------------------------------------------------------------------------------

    @property
    def _now(self) -> Settings:
        return self._settings or self._pane.conversation.settings

    def open_prompt(self) -> None:
        self.prompt.show_text(self._now.system_prompt)
        self.prompt.open_above(self._pane.composer.system_prompt)

    def open_sampling(self) -> None:
        self.sampling.show_values(self._now, self._presets())
        self.sampling.open_above(self._pane.composer.sampling)

    def _on_prompt(self, text: str) -> None:
        self._on_edited(replace(self._now, system_prompt=text))

    def _on_edited(self, settings: Settings) -> None:
        self._settings = settings
        self.show_settings(settings)

    def _keep(self) -> None:
        if self._settings is not None:
            settings, self._settings = self._settings, None
            self._pane.set_settings(settings)

    # -- presets ------------------------------------------------------------------------------------------------------

    def _presets(self) -> tuple[Preset, ...]:
        return self._pane.desk.attempt(self._pane.desk.shelf.presets) or ()

    def _on_preset(self, name: str) -> None:
        preset = next((preset for preset in self._presets() if preset.name == name), None)
        if preset is not None:
            self._on_edited(applied(self._now, preset))
            self.sampling.show_values(self._now, self._presets())

    def _keep_preset(self, name: str) -> None:
        try:
            self._set_presets(with_preset(self._presets(), name, self._now))
        except ShardboardError as error:
            self._pane.banner.show_error(error)

    def _drop_preset(self, name: str) -> None:
        self._set_presets(without_preset(self._presets(), name))

    def _set_presets(self, every: tuple[Preset, ...]) -> None:
        self._pane.desk.attempt(lambda: self._pane.desk.shelf.keep_presets(every))
        self.sampling.show_values(self._now, self._presets())

    # -- the list -----------------------------------------------------------------------------------------------------

    def open_list(self) -> None:
        self.list.search.clear()
        self.fill_list()
        self.list.open_above(self._pane.header.list_button)

    def fill_list(self) -> None:
        found = self._pane.desk.list(self.list.search.text())
        self.list.show_conversations(found, self._pane.conversation.key, self._pane.desk.busy)

    def _delete(self, key: str) -> None:
        self._pane.delete(key)
        self.fill_list()

    def _move(self, key: str, folder: str) -> None:
        pane = self._pane
        if key == pane.conversation.key:
            pane.change(replace(pane.conversation, folder=folder))
        elif (found := pane.desk.load(key)) is not None:
            pane.desk.put(replace(found, folder=folder))
        self.fill_list()

    def rename(self) -> None:
        conversation = self._pane.conversation
        title, chosen = QInputDialog.getText(
            self._pane, "Rename", tr("Title of this conversation"), QLineEdit.EchoMode.Normal, conversation.title
        )
        if chosen and title.strip():
            self._pane.change(replace(self._pane.conversation, title=" ".join(title.split())[:TITLE_LIMIT]))

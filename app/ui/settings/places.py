"""Where things lie: models from the hub, folders that are looked into, this program's own data; and the hub's token."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, QUrl, Signal
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QFileDialog, QVBoxLayout, QWidget

from app.core.library.view import LibraryView
from app.core.paths import ControllerPaths
from app.core.settings.settings import Settings
from app.core.text import phrase
from app.ui.bridge import CoreBridge
from app.ui.models.cards import tab_through
from app.ui.models.token_dialog import TokenDialog, known_token
from app.ui.settings.chosen import Chosen
from app.ui.settings.section import Section, copy_text
from app.ui.text import shown, tr
from app.ui.theme import SPACE
from app.ui.widgets import ElidedLabel, FlowRow, IconButton, WrappedLabel, explain, push_button

if TYPE_CHECKING:
    from app.core.controller import Controller

NEXT_START = phrase(
    "In force when Shardboard starts again: until then downloads go to {root}. What lies there stays listed."
)
DATA_NOTE = phrase(
    "The key, paired machines, conversations and settings. The variable SHARDBOARD_DATA names another folder."
)


class PathRow(QWidget):
    """A folder: its path, copied or opened by buttons, and more of them."""

    def __init__(self, name: str, *more: QWidget, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._path = Path()
        self._more = more
        self.text = ElidedLabel("", mode=Qt.TextElideMode.ElideMiddle)
        self.text.setAccessibleName(shown(name))
        self.copy = IconButton(
            "copy", tr("Copy the path: {name}", name=shown(name)), lambda: copy_text(str(self._path)), size=16
        )
        self.open = push_button("Open", "quiet", self._open)
        self.open.setAccessibleName(tr("Open: {name}", name=shown(name)))
        row = FlowRow(parent=self)
        row.add(self.text, 160)
        row.spring()
        for each in (self.copy, self.open, *more):
            row.add(each)

    @property
    def stops(self) -> tuple[QWidget, ...]:
        """Where the Tab key halts, in order."""
        return self.copy, self.open, *self._more

    def show_path(self, path: Path) -> None:
        self._path = path
        self.text.setText(str(path))
        explain(
            self.open, "" if path.is_dir() else "This folder is not there.", "Shows it in the system's file manager"
        )

    def _open(self) -> None:
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._path)))


class FoldersSection(Section):
    """Signals: failed(exception)."""

    failed = Signal(object)

    def __init__(
        self, bridge: CoreBridge, chosen: Chosen, paths: ControllerPaths, parent: QWidget | None = None
    ) -> None:
        super().__init__(tr("Folders"), parent=parent)
        self._bridge = bridge
        self._chosen = chosen
        self._paths = paths
        self._view = LibraryView(root=paths.models)
        self.change = push_button("Change…", "", self._choose_downloads)
        self.change.setAccessibleName(tr("Change where downloads go"))
        self.reset = push_button("Usual place", "quiet", lambda: self.move_downloads(""))
        self.reset.setAccessibleName(tr("Put downloads back to the usual place"))
        self.downloads = PathRow(tr("Downloads"), self.change, self.reset)
        self.later = WrappedLabel(role="small")
        self.wide("Downloads", self.downloads)
        self.wide("", self.later)
        self.rows: dict[Path, PathRow] = {}
        self._folders = QVBoxLayout()
        self._folders.setSpacing(SPACE.xs)
        holder = QWidget()
        holder.setLayout(self._folders)
        self._folders.setContentsMargins(0, 0, 0, 0)
        self.none = WrappedLabel("None but those of the Hugging Face client and of LM Studio.", "muted")
        self._folders.addWidget(self.none)
        self.add = push_button("Add folder…", "", self._choose_folder)
        self.wide(tr("Also looked into"), holder, self.add)
        self.data = PathRow(tr("Data of Shardboard"))
        self.data.show_path(paths.data)
        self.wide(tr("Data of Shardboard"), self.data)
        self._note(DATA_NOTE)
        bridge.when_ready(self._follow)
        chosen.changed.connect(lambda _settings: self._show())
        self._show()

    def _follow(self) -> None:
        stream = self._bridge.stream(lambda controller: controller.library.watch())
        stream.updates.connect(lambda batch: self.show_view(batch[-1]))

    def show_view(self, view: LibraryView) -> None:
        same = (view.folders, view.root) == (self._view.folders, self._view.root)
        self._view = view
        if not same:
            self._show()

    def _show(self) -> None:
        wanted = Path(self._chosen.now.downloads_folder or self._paths.models)
        self.downloads.show_path(wanted)
        explain(self.reset, "" if self._chosen.now.downloads_folder else "Downloads go to the usual place.")
        self.later.setText(tr(NEXT_START, root=self._view.root))
        self.later.setVisible(wanted != self._view.root)
        for gone in self.rows.keys() - set(self._view.folders):
            self.rows.pop(gone).deleteLater()
        for folder in self._view.folders:
            if folder not in self.rows:
                remove = push_button("Remove", "quiet", lambda folder=folder: self.forget(folder))
                remove.setAccessibleName(tr("Look into {folder} no more", folder=folder))
                remove.setToolTip(tr("Nothing in it is deleted"))
                row = self.rows[folder] = PathRow(str(folder), remove)
                row.show_path(folder)
                self._folders.addWidget(row)
        tab_through(self.reset, [*(stop for row in self.rows.values() for stop in row.stops), self.add])
        self.none.setVisible(not self._view.folders)

    # -- commands -----------------------------------------------------------------------------------------------------

    def move_downloads(self, folder: str) -> None:
        """From the next start on; models in the former folder stay listed."""
        former = self._view.root

        async def move(controller: Controller) -> Settings:
            settings = await controller.settings.change(downloads_folder=folder)
            if former not in (self._paths.models, Path(folder)) and any(
                model.directory.is_relative_to(former.resolve()) for model in controller.library.view.models
            ):
                await controller.library.add(former)
            return settings

        self._bridge.run(move, None, self.failed.emit)

    def add_folder(self, folder: str) -> None:
        self._bridge.run(lambda controller: controller.library.add(Path(folder)), None, self.failed.emit)

    def forget(self, folder: Path) -> None:
        self._bridge.run(lambda controller: controller.library.forget_folder(folder), None, self.failed.emit)

    def _choose_downloads(self) -> None:
        folder = QFileDialog.getExistingDirectory(
            self, tr("Where models from the hub go"), self._chosen.now.downloads_folder
        )
        if folder:
            self.move_downloads(folder)

    def _choose_folder(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, tr("A model's folder, or one that holds several"))
        if folder:
            self.add_folder(folder)


class HubSection(Section):
    """The token's dialog is the Models page's own. Signals: token_changed(bool), whether one is known now."""

    token_changed = Signal(bool)

    def __init__(self, bridge: CoreBridge, parent: QWidget | None = None) -> None:
        super().__init__(tr("Hub"), parent=parent)
        self._bridge = bridge
        self.state = WrappedLabel("Looking whether a token is known…", "muted")
        self.button = push_button("Hub token…", "", self.enter_token)
        self.wide("Token", self.state, self.button)
        bridge.when_ready(self._look)

    def enter_token(self) -> TokenDialog:
        dialog = TokenDialog(self._bridge, self)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.known_changed.connect(self._changed)
        dialog.open()
        return dialog

    def _changed(self, known: bool) -> None:
        self.token_changed.emit(known)
        self._look()

    def _look(self) -> None:
        self._bridge.run(known_token, self._show)

    def _show(self, known: tuple[bool, str]) -> None:
        text = tr("A token is known; ours is kept in {known}.", known=known[1])
        self.state.setText(text if known[0] else tr("No token is known. Gated and private models need one."))

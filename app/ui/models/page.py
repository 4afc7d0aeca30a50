"""The Models page: a search that serves both lists, what is on its way, the models here and those on the hub."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QHideEvent, QKeySequence, QShortcut, QShowEvent
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QLineEdit, QMessageBox, QVBoxLayout, QWidget

from app.core.library.view import LibraryView
from app.core.snapshot import Snapshot
from app.ui import words
from app.ui.bridge import CoreBridge
from app.ui.models.ask import ask
from app.ui.models.disk_pane import DiskPane
from app.ui.models.hub_pane import HubPane
from app.ui.models.outlook import Outlook
from app.ui.models.token_dialog import TokenDialog, known_token
from app.ui.models.transfers import Transfers
from app.ui.text import tr
from app.ui.theme import SPACE
from app.ui.widgets import Banner, keep_right_edge, label, page_scroll, push_button

if TYPE_CHECKING:
    from app.core.library.conversions import Conversion
    from app.core.library.library import Download, Removal
    from app.core.library.models import FoundModel

DEBOUNCE_MS = 350
PLACEHOLDERS = {"disk": "Find on this disk", "hub": "Search the hub: qwen3 4bit, or owner/name"}


class ModelsPage(QWidget):
    """Signals: placed(), a model was chosen for the board."""

    placed = Signal()

    def __init__(self, bridge: CoreBridge, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._bridge = bridge
        self.view = LibraryView()
        self.question: QMessageBox | None = None
        self.banner = Banner()
        self.outlook = Outlook(bridge, self)
        self.disk = DiskPane(self.outlook)
        self.hub = HubPane(bridge, self.outlook)
        self.transfers = Transfers()
        self.search = QLineEdit()
        self.search.setClearButtonEnabled(True)
        self.search.setAccessibleName(tr("Search models"))
        self.search.setMinimumWidth(260)
        self.search.setMaximumWidth(460)
        self._debounce = QTimer(self)
        self._debounce.setSingleShot(True)
        self._debounce.setInterval(DEBOUNCE_MS)
        self.disk_tab, self.hub_tab = push_button("On this disk", "quiet"), push_button("On the hub", "quiet")
        self._build()
        self._connect()
        self.show_tab("disk")

    def _build(self) -> None:
        top = QHBoxLayout()
        top.setSpacing(SPACE.s)
        top.addWidget(label("Models", "title"), 1)
        self.token_button = push_button("Hub token…", "", self.enter_token)
        self.add_button = push_button("Add folder…", "", self._add_folder)
        self.look_button = push_button("Look again", "", self.refresh)
        self.look_button.setToolTip(tr("Looks at this disk again"))
        for button in (self.token_button, self.add_button, self.look_button):
            top.addWidget(button)
        tabs = QHBoxLayout()
        tabs.setSpacing(SPACE.xs)
        for button in (self.disk_tab, self.hub_tab):
            button.setCheckable(True)
            tabs.addWidget(button)
        tabs.addStretch(1)
        tabs.addWidget(self.search, 1)
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(SPACE.xl, 0, SPACE.xl, SPACE.l)
        column.setSpacing(SPACE.m)
        for part in (self.banner, self.transfers, self.disk, self.hub):
            column.addWidget(part)
        column.addStretch(1)
        head = QVBoxLayout()
        head.setContentsMargins(SPACE.xl, SPACE.l, SPACE.xl, SPACE.m)
        head.setSpacing(SPACE.m)
        head.addLayout(top)
        head.addLayout(tabs)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(head)
        area = page_scroll(content)
        layout.addWidget(area, 1)
        keep_right_edge(area, column)

    def _connect(self) -> None:
        self._bridge.ready.connect(self._begin)
        self._bridge.snapshot_changed.connect(self.show_snapshot)
        self.disk_tab.clicked.connect(lambda _checked=False: self.show_tab("disk"))
        self.hub_tab.clicked.connect(lambda _checked=False: self.show_tab("hub"))
        self.search.textChanged.connect(self._typed)
        self.search.returnPressed.connect(self._search_now)
        self._debounce.timeout.connect(self._search_now)
        self.disk.place_wanted.connect(self.choose)
        self.disk.remove_wanted.connect(self._ask_removal)
        self.disk.convert_wanted.connect(self._convert)
        self.disk.hub_wanted.connect(lambda: self.show_tab("hub"))
        self.hub.pull_wanted.connect(self.pull)
        self.transfers.pause_wanted.connect(self._pause)
        self.transfers.resume_wanted.connect(self.pull)
        self.transfers.cancel_wanted.connect(self._ask_cancel)
        self.transfers.again_wanted.connect(lambda each: self._convert_source(each.source, each.bits))
        self.transfers.conversion_cancel_wanted.connect(self._cancel_conversion)
        self.transfers.clear_wanted.connect(lambda: self._run(lambda controller: controller.library.clear_done()))
        find = QShortcut(QKeySequence(QKeySequence.StandardKey.Find), self)
        find.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        find.activated.connect(self.search.setFocus)

    # -- what is shown ------------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        stream = self._bridge.stream(lambda controller: controller.library.watch())
        stream.updates.connect(lambda batch: self.show_view(batch[-1]))
        stream.failed.connect(self.banner.show_error)
        self._bridge.run(lambda controller: controller.library.start(), None, self.banner.show_error)
        self._bridge.run(known_token, lambda known: self.hub.show_token(known[0]))

    def show_view(self, view: LibraryView) -> None:
        self.view = view
        self.transfers.show_view(view)
        self.disk.show_view(view)
        self.hub.show_view(view)
        count = f" ({len(view.models)})" if view.looked else ""
        self.disk_tab.setText(f"On this disk{count}")

    def show_snapshot(self, snapshot: Snapshot) -> None:
        self.disk.show_snapshot(snapshot)
        self.outlook.show_snapshot(snapshot)

    def show_tab(self, tab: str) -> None:
        """tab: "disk" or "hub"."""
        hub = tab == "hub"
        self.hub_tab.setChecked(hub)  # no button group: that would keep the Tab key from one of them
        self.disk_tab.setChecked(not hub)
        self.disk.setVisible(not hub)
        self.hub.setVisible(hub)
        self.search.setPlaceholderText(PLACEHOLDERS[tab])
        if hub:
            if self.hub.words != self.search.text().strip():
                self._search_now()
        else:
            self.disk.filter(self.search.text())

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.outlook.set_active(True)
        self.disk.look()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self.outlook.set_active(False)

    def _typed(self, text: str) -> None:
        if self.hub_tab.isChecked():
            self._debounce.start()
        else:
            self.disk.filter(text)

    def _search_now(self) -> None:
        self._debounce.stop()
        if self.hub_tab.isChecked():
            self.hub.search(self.search.text())

    # -- commands -----------------------------------------------------------------------------------------------------

    def refresh(self) -> None:
        self._run(lambda controller: controller.library.look())

    def choose(self, directory: str) -> None:
        self.banner.hide()
        self._bridge.run(
            lambda controller: controller.choose_model(directory),
            lambda _result: self.placed.emit(),
            self.banner.show_error,
        )

    def pull(self, repo: str) -> None:
        self._run(lambda controller: controller.library.pull(repo))

    def enter_token(self) -> TokenDialog:
        dialog = TokenDialog(self._bridge, self)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.known_changed.connect(self.hub.show_token)
        dialog.open()
        return dialog

    def add_folder(self, folder: str) -> None:
        self.banner.hide()
        self._bridge.run(lambda controller: controller.library.add(Path(folder)), self._added, self.banner.show_error)

    def _add_folder(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "A model's folder, or one that holds several")
        if folder:
            self.add_folder(folder)

    def _added(self, models: tuple[FoundModel, ...]) -> None:
        self.show_tab("disk")
        found = words.listed([model.name for model in models[:5]])
        more = f" and {len(models) - 5} more" if len(models) > 5 else ""
        self.banner.show_message(f"Found {found}{more}.", tone="success")

    def _pause(self, repo: str) -> None:
        self._run(lambda controller: controller.library.pause(repo))

    def _ask_cancel(self, download: Download) -> None:
        def cancel() -> None:
            self._run(lambda controller: controller.library.cancel(download.repo))

        if download.done_bytes and download.state != "done":
            size = words.size(download.done_bytes)
            consequence = f"{size} that came will be deleted. Pause keeps them."
            self.question = ask(self, f"Cancel the download of {download.repo}?", consequence, f"Delete {size}", cancel)
        else:
            cancel()

    def _ask_removal(self, model: FoundModel) -> None:
        self.banner.hide()

        def show(removal: Removal) -> None:
            if removal.kind == "none":
                self.banner.show_message(removal.sentence, tone="warning")
                return
            deletes = removal.kind == "delete"
            question = f"Delete {model.name}?" if deletes else f"Forget the folder of {model.name}?"
            kept = " What machines hold of it stays there." if deletes else ""
            verb = f"Delete {words.size(removal.bytes)}" if deletes else "Forget"
            self.question = ask(self, question, removal.sentence + kept, verb, lambda: self._remove(model))

        self._bridge.run(
            lambda controller: controller.library.look_at_removal(str(model.directory)), show, self.banner.show_error
        )

    def _remove(self, model: FoundModel) -> None:
        self._bridge.run(
            lambda controller: controller.library.delete(str(model.directory)),
            lambda text: self.banner.show_message(text, tone="success"),
            self.banner.show_error,
        )

    def _convert(self, model: FoundModel, bits: int) -> None:
        self._convert_source(model.directory, bits)

    def _convert_source(self, source: Path, bits: int) -> None:
        self._run(lambda controller: controller.library.convert(str(source), bits))

    def _cancel_conversion(self, conversion: Conversion) -> None:
        self._run(lambda controller: controller.library.conversions.cancel(conversion.source, conversion.bits))

    def _run(self, command) -> None:  # type: ignore[no-untyped-def]
        self.banner.hide()
        self._bridge.run(command, None, self.banner.show_error)

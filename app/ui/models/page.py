"""The Models page: a search that serves both lists, what is on its way, the models here and those on the hub."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QHideEvent, QKeySequence, QShortcut, QShowEvent
from PySide6.QtWidgets import QFileDialog, QMessageBox, QVBoxLayout, QWidget

from app.core.library.view import LibraryView
from app.core.snapshot import Snapshot
from app.core.text import joined, phrase
from app.ui import words
from app.ui.bridge import CoreBridge
from app.ui.models.ask import ask
from app.ui.models.disk_pane import DiskPane
from app.ui.models.hub_pane import HubPane
from app.ui.models.outlook import Outlook
from app.ui.models.token_dialog import TokenDialog, known_token
from app.ui.models.transfers import Transfers
from app.ui.text import as_shown, tr
from app.ui.theme import SPACE
from app.ui.widgets import Banner, FlowRow, SearchField, keep_right_edge, label, page_scroll, push_button

if TYPE_CHECKING:
    from app.core.library.conversions import Conversion
    from app.core.library.library import Download, Removal
    from app.core.library.models import FoundModel

DEBOUNCE_MS = 350
WIDEST = 2900  # five columns: on a larger screen the rest stays free
PLACEHOLDERS = {"disk": phrase("Find on this disk"), "hub": phrase("Search the hub: qwen3 4bit, or owner/name")}


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
        self.search = SearchField()
        self.search.setAccessibleName(tr("Search models"))
        self.search.setMaximumWidth(460)
        self._debounce = QTimer(self)
        self._debounce.setSingleShot(True)
        self._debounce.setInterval(DEBOUNCE_MS)
        self.disk_tab, self.hub_tab = push_button("On this disk", "quiet"), push_button("On the hub", "quiet")
        self._build()
        self._connect()
        self.show_tab("disk")

    def _build(self) -> None:
        top = FlowRow()
        top.add(label("Models", "title"))
        top.spring()
        self.token_button = push_button("Hub token…", "", self.enter_token)
        self.add_button = push_button("Add folder…", "", self._add_folder)
        self.look_button = push_button("Look again", "", self.refresh)
        self.look_button.setToolTip(tr("Looks at this disk again"))
        for button in (self.token_button, self.add_button, self.look_button):
            top.add(button)
        tabs = FlowRow(SPACE.xs)
        for button in (self.disk_tab, self.hub_tab):
            button.setCheckable(True)
            tabs.add(button)
        tabs.spring()
        tabs.add(self.search, 260)
        content = QWidget()
        content.setMaximumWidth(WIDEST)
        column = QVBoxLayout(content)
        column.setContentsMargins(SPACE.xl, 0, SPACE.xl, SPACE.l)
        column.setSpacing(SPACE.m)
        for part in (self.banner, self.transfers, self.disk, self.hub):
            column.addWidget(part)
        column.addStretch(1)
        top_rows = QWidget()
        top_rows.setMaximumWidth(WIDEST)
        head = QVBoxLayout(top_rows)
        head.setContentsMargins(SPACE.xl, SPACE.l, SPACE.xl, SPACE.m)
        head.setSpacing(SPACE.m)
        head.addLayout(top)
        head.addLayout(tabs)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(top_rows)
        area = page_scroll(content)
        layout.addWidget(area, 1)
        keep_right_edge(area, column)

    def _connect(self) -> None:
        self._bridge.when_ready(self._begin)
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
        self._bridge.run(known_token, lambda known: self.hub.show_token(known[0]))

    def show_view(self, view: LibraryView) -> None:
        self.view = view
        self.transfers.show_view(view)
        self.disk.show_view(view)
        self.hub.show_view(view)
        count = len(view.models)
        self.disk_tab.setText(tr("On this disk ({count})", count=count) if view.looked else tr("On this disk"))

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
        self.search.setPlaceholderText(as_shown(PLACEHOLDERS[tab]))
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
        folder = QFileDialog.getExistingDirectory(self, tr("A model's folder, or one that holds several"))
        if folder:
            self.add_folder(folder)

    def _added(self, models: tuple[FoundModel, ...]) -> None:
        self.show_tab("disk")
        names = [model.name for model in models[:5]]
        if len(models) > 5:
            said = tr("Found {found} and {count} more.", found=", ".join(names), count=len(models) - 5)
        else:
            said = tr("Found {found}.", found=words.listed(names))
        self.banner.show_message(said, tone="success")

    def _pause(self, repo: str) -> None:
        self._run(lambda controller: controller.library.pause(repo))

    def _ask_cancel(self, download: Download) -> None:
        def cancel() -> None:
            self._run(lambda controller: controller.library.cancel(download.repo))

        if download.done_bytes and download.state != "done":
            size = words.size(download.done_bytes)
            consequence = tr("{size} that came will be deleted. Pause keeps them.", size=size)
            self.question = ask(
                self,
                tr("Cancel the download of {repo}?", repo=download.repo),
                consequence,
                tr("Delete {size}", size=size),
                cancel,
            )
        else:
            cancel()

    def _ask_removal(self, model: FoundModel) -> None:
        self.banner.hide()

        def show(removal: Removal) -> None:
            if removal.kind == "none":
                self.banner.show_message(removal.sentence, tone="warning")
                return
            deletes = removal.kind == "delete"
            question = (
                tr("Delete {name}?", name=model.name)
                if deletes
                else tr("Forget the folder of {name}?", name=model.name)
            )
            kept = phrase("What machines hold of it stays there.") if deletes else ""
            verb = tr("Delete {bytes}", bytes=words.size(removal.bytes)) if deletes else "Forget"
            self.question = ask(self, question, joined((removal.sentence, kept)), verb, lambda: self._remove(model))

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

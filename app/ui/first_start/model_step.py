"""Step 3: a model that fits: the built-in one, those on this disk, and what a search on the hub finds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QHideEvent, QShowEvent
from PySide6.QtWidgets import QButtonGroup, QHBoxLayout, QLineEdit, QRadioButton, QVBoxLayout, QWidget

from app.core.library.models import BUILT_IN
from app.core.library.view import LibraryView
from app.core.text import joined, phrase
from app.ui import words
from app.ui.bridge import CoreBridge, Stream
from app.ui.models import facts
from app.ui.models.cards import tab_through
from app.ui.models.outlook import Outlook
from app.ui.text import as_shown, tr
from app.ui.theme import SPACE
from app.ui.widgets import (
    Banner,
    PillLabel,
    Sheet,
    WrappedLabel,
    explain,
    label,
    page_scroll,
    push_button,
    set_tone,
)

if TYPE_CHECKING:
    from app.core.library.hub import HubModel
    from app.core.library.library import Download
    from app.core.library.models import FoundModel

MOST_FOUND = 6
RADIO_TEXT = 16 + 2 + SPACE.s  # where the words beside a radio button begin: its round, two edges, and what parts them
INTRO = phrase(
    "Choose a model. The built-in one is small and answers simple questions about Shardboard: enough to see it work."
)
PROMISE = phrase("A search asks the hub; nothing was asked before.")
LOOKING = phrase("Looking whether it fits…")
NOTHING_CHOSEN = phrase("Choose a model first.")


class ModelRow(QWidget):
    """A model on this disk, to be chosen."""

    def __init__(self, model: FoundModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.model = model
        self.key = f"{model.directory} {model.bytes}"
        built_in = model.source == "built-in"
        self.radio = QRadioButton(tr("The built-in demo model") if built_in else model.name)
        self.fit = WrappedLabel(LOOKING, "muted")
        self.fits: bool | None = None
        size = PillLabel(words.size(model.bytes))
        head = QHBoxLayout()
        head.setSpacing(SPACE.s)
        head.addWidget(self.radio)
        head.addStretch(1)
        head.addWidget(size)
        column = QVBoxLayout(self)
        column.setContentsMargins(SPACE.xs, SPACE.xs, SPACE.xs, SPACE.xs)
        column.setSpacing(2)
        column.addLayout(head)
        self.fit.setContentsMargins(RADIO_TEXT, 0, 0, 0)
        column.addWidget(self.fit)

    def show_fit(self, outlook: Outlook) -> None:
        problem, said = outlook.problem(self.key), outlook.said(self.key)
        if problem:
            said = facts.Said(problem, "warning")
        if said:
            self.fits = said.tone == "success"
            set_tone(self.fit, "role", said.tone)
            self.fit.setText(said.text)
            self.radio.setAccessibleDescription(as_shown(said.text))


class HubRow(QWidget):
    """A model on the hub: whether it fits, a button that downloads it, how far that is. Signals: wanted(repo)."""

    wanted = Signal(str)

    def __init__(self, model: HubModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.model = model
        self.fit = WrappedLabel(LOOKING, "muted")
        self.pull = push_button("Download", "", lambda: self.wanted.emit(model.repo))
        self.pull.setAccessibleName(tr("Download {repo}", repo=model.repo))
        self.pull.setAutoDefault(False)
        texts = QVBoxLayout()
        texts.setSpacing(2)
        texts.addWidget(label(model.repo))
        texts.addWidget(self.fit)
        row = QHBoxLayout(self)
        row.setContentsMargins(SPACE.xs, SPACE.xs, SPACE.xs, SPACE.xs)
        row.setSpacing(SPACE.s)
        row.addLayout(texts, 1)
        row.addWidget(self.pull, 0, Qt.AlignmentFlag.AlignVCenter)

    def show_state(self, view: LibraryView, token_known: bool, outlook: Outlook) -> None:
        explain(self.pull, facts.download_why_not(self.model, view, token_known))
        download = next((each for each in view.downloads if each.repo == self.model.repo), None)
        if download is not None and download.state != "done":
            self._say(download_words(download), "danger" if download.state == "failed" else "muted")
            return
        problem, said = outlook.problem(self.model.repo), outlook.said(self.model.repo)
        if problem:
            self._say(problem, "warning")
        elif said:
            self._say(said.text, said.tone)

    def _say(self, text: str, tone: str) -> None:
        set_tone(self.fit, "role", tone)
        self.fit.setText(text)


def download_words(download: Download) -> str:
    """1.2 GB of 4.1 GB · 45 MB/s · 70 s left."""
    if download.state == "failed":
        return download.text
    parts = (
        facts.amount_words(download.done_bytes, download.total_bytes) or download.text,
        words.rate(download.bytes_per_s) if download.bytes_per_s else "",
        facts.left_words(download),
    )
    return joined(parts, " · ")


class ModelStep(QWidget):
    """Signals: changed(), what is chosen may be another."""

    changed = Signal()
    heading = phrase("A model")

    def __init__(self, bridge: CoreBridge, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._bridge = bridge
        self._outlook = Outlook(bridge, self)
        self._view = LibraryView()
        self._token_known = False
        self._stream: Stream | None = None
        self._watching = False
        self._wanted = ""  # a repository that is downloaded from here: chosen when it has come
        self.rows: dict[str, ModelRow] = {}
        self.found: dict[str, HubRow] = {}
        self._group = QButtonGroup(self)
        self.banner = Banner()
        self.words = QLineEdit()
        self.words.setPlaceholderText(tr("Search the hub: qwen3 4bit, or owner/name"))
        self.words.setAccessibleName(tr("Words to search the hub for"))
        self.words.returnPressed.connect(self.search)
        self.search_button = push_button("Search the hub", "", self.search)
        self.search_button.setAutoDefault(False)
        self.status = WrappedLabel(PROMISE, "small")
        content = Sheet()
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, SPACE.s, 0)
        column.setSpacing(SPACE.xs)
        self._here, self._there = QVBoxLayout(), QVBoxLayout()
        line = QHBoxLayout()
        line.setSpacing(SPACE.s)
        line.addWidget(self.words, 1)
        line.addWidget(self.search_button)
        column.addLayout(self._here)
        column.addSpacing(SPACE.s)
        column.addLayout(line)
        column.addWidget(self.status)
        column.addLayout(self._there)
        column.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACE.s)
        layout.addWidget(WrappedLabel(INTRO))
        layout.addWidget(self.banner)
        layout.addWidget(page_scroll(content), 1)
        self._outlook.changed.connect(self._known)
        self._outlook.fitted.connect(self._show_fits)
        bridge.snapshot_changed.connect(self._outlook.show_snapshot)
        self._outlook.show_snapshot(bridge.snapshot)

    @property
    def chosen(self) -> FoundModel | None:
        return next((row.model for row in self.rows.values() if row.radio.isChecked()), None)

    @property
    def why_not(self) -> str:
        """Why what is chosen cannot be deployed, "" where it can."""
        row = next((row for row in self.rows.values() if row.radio.isChecked()), None)
        if row is None:
            return NOTHING_CHOSEN
        return row.fit.text() if row.fits is False else ""

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._outlook.set_active(True)
        if not self._watching:
            self._watching = True
            stream = self._stream_of_library = self._bridge.stream(lambda controller: controller.library.watch())
            stream.updates.connect(self._show_views)
            stream.failed.connect(self.banner.show_error)

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._outlook.set_active(False)

    def cancel(self) -> None:
        """Stops asking; downloads go on."""
        for stream in (self._stream, self._stream_of_library if self._watching else None):
            if stream is not None:
                stream.cancel()
        self._stream = None

    def _show_views(self, views: tuple[LibraryView, ...]) -> None:
        self.show_view(views[-1])

    def show_view(self, view: LibraryView) -> None:
        arrived = view.models != self._view.models
        self._view = view
        if arrived:
            self._list_models()
        self._show_fits()

    def _list_models(self) -> None:
        models = sorted(self._view.models, key=lambda model: (model.source != "built-in", model.bytes))
        chosen = self.chosen
        keys = {f"{model.directory} {model.bytes}": model for model in models}
        for gone in self.rows.keys() - keys.keys():
            row = self.rows.pop(gone)
            self._group.removeButton(row.radio)
            row.deleteLater()
        for place, (key, model) in enumerate(keys.items()):
            if key not in self.rows:
                row = self.rows[key] = ModelRow(model)
                row.radio.toggled.connect(lambda _on: self.changed.emit())
                self._group.addButton(row.radio)
                self._here.insertWidget(place, row)
                self._outlook.want(key, str(model.directory))
        stops = [row.radio for row in sorted(self.rows.values(), key=lambda row: list(keys).index(row.key))]
        tab_through(self.banner.action_button, (*stops, self.words, self.search_button))
        fetched = next((row for row in self.rows.values() if row.model.name == self._wanted), None)
        first = next((row for row in self.rows.values() if row.model.name == BUILT_IN), None)
        if fetched is not None:
            self._wanted = ""
            fetched.radio.setChecked(True)
        elif chosen is None and first is not None:
            first.radio.setChecked(True)

    def _known(self, _key: str) -> None:
        self._show_fits()

    def _show_fits(self) -> None:
        for row in self.rows.values():
            row.show_fit(self._outlook)
        for found in self.found.values():
            found.show_state(self._view, self._token_known, self._outlook)
        self.changed.emit()

    # -- the hub ------------------------------------------------------------------------------------------------------

    def search(self) -> None:
        """Asks the hub for a few models; each is looked into, to say whether it fits."""
        if self._stream is not None:
            self._stream.cancel()
        self.banner.hide()
        self.status.setText(tr("Asking the hub…"))
        text = self.words.text()
        stream = self._stream = self._bridge.stream(lambda controller: controller.library.search_stepwise(text))
        stream.updates.connect(lambda batch: self._show_found(stream, batch[-1]))
        stream.finished.connect(lambda: self._finished(stream))
        stream.failed.connect(lambda error: self._failed(stream, error))

    def _show_found(self, stream: Stream, models: tuple[HubModel, ...]) -> None:
        if stream is not self._stream:
            return
        listed = {model.repo: model for model in models[:MOST_FOUND]}
        for gone in self.found.keys() - listed.keys():
            self.found.pop(gone).deleteLater()
        for place, (repo, model) in enumerate(listed.items()):
            if repo not in self.found:
                row = self.found[repo] = HubRow(model)
                row.wanted.connect(self.pull)
                self._there.insertWidget(place, row)
                if model.gated:
                    row.fit.setText(facts.GATED)
                else:
                    self._outlook.want(repo, repo)
        tab_through(self.search_button, (self.found[repo].pull for repo in listed))
        self._show_fits()

    def _finished(self, stream: Stream) -> None:
        if stream is self._stream:
            self._stream = None
            count = len(self.found)
            self.status.setText(
                tr("The first {count} that the hub names; the Models page shows more.", count=count)
                if count
                else tr("Nothing on the hub fits these words. Try fewer, or owner/name.")
            )

    def _failed(self, stream: Stream, error: BaseException) -> None:
        if stream is self._stream:
            self._stream = None
            self.status.setText(facts.OFFLINE)
            self.banner.show_error(error, tr("Try again"), self.search)

    def pull(self, repo: str) -> None:
        """Downloads it; once here it is chosen."""
        self._wanted = repo
        self._bridge.run(lambda controller: controller.library.pull(repo), None, self.banner.show_error)

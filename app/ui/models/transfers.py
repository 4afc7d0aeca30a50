"""What is on its way: downloads and conversions, one row each, with what can be done about them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QBoxLayout, QHBoxLayout, QLayout, QProgressBar, QVBoxLayout, QWidget

from app.core.text import phrase
from app.ui import words
from app.ui.models import facts
from app.ui.models.cards import tab_through
from app.ui.text import tr
from app.ui.theme import SPACE, scaled
from app.ui.widgets import (
    Card,
    ElidedLabel,
    FlowRow,
    Line,
    PillLabel,
    SteadyButton,
    ValueLabel,
    WrappedLabel,
    explain,
    label,
    push_button,
)

if TYPE_CHECKING:
    from app.core.library.conversions import Conversion
    from app.core.library.library import Download, LibraryView

WORDS = {
    "running": phrase("downloading"),
    "verifying": phrase("checking"),
    "queued": phrase("queued"),
    "waiting": phrase("waiting"),
    "paused": phrase("paused"),
    "failed": phrase("failed"),
    "done": phrase("done"),
}
NARROW = 620  # at the usual text size: under this the sentence stands above the figures
TONES = {"running": "info", "verifying": "info", "waiting": "warning", "failed": "danger", "done": "success"}


class TransferRow(QWidget):
    """Name, state, bar, figures and buttons; figures keep their places while they change."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.name = ElidedLabel(name, "strong")
        self.state = PillLabel()
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(6)
        self.bar.setAccessibleName(tr("Progress of {name}", name=name))
        self.amount = ValueLabel("888.8 GB of 888.8 GB", "small")
        self.rate = ValueLabel("888.8 MB/s", "small")
        self.left = ValueLabel("88 min left", "small")
        self.text = WrappedLabel(role="small")
        # Pause, Resume and Retry take each other's place, and so do Cancel and Dismiss.
        self.go = SteadyButton("Pause", (tr("Pause"), tr("Resume"), tr("Retry")), "", self._go)
        self.end = SteadyButton("Cancel", (tr("Cancel"), tr("Dismiss")), "quiet", self._end)
        head = QHBoxLayout()
        head.setSpacing(SPACE.s)
        head.addWidget(self.name, 1)
        head.addWidget(self.state)
        foot = self._foot = QHBoxLayout()
        foot.setSpacing(SPACE.s)
        foot.addWidget(self.text, 1)
        figures = FlowRow(at_end=True)
        for value in (self.amount, self.rate, self.left):
            figures.add(value)
        foot.addLayout(figures)
        middle = QVBoxLayout()
        middle.setSpacing(SPACE.xs + 2)
        middle.addLayout(head)
        middle.addWidget(self.bar)
        middle.addLayout(foot)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(SPACE.m)
        row.addLayout(middle, 1)
        row.addWidget(self.go)
        row.addWidget(self.end)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        narrow = self.width() < scaled(NARROW)
        self._foot.setDirection(QBoxLayout.Direction.TopToBottom if narrow else QBoxLayout.Direction.LeftToRight)

    def _go(self) -> None:
        raise NotImplementedError

    def _end(self) -> None:
        raise NotImplementedError

    def _show_bar(self, done: int, total: int, under_way: bool) -> None:
        share = facts.share(done, total)
        if share is None and under_way:
            self.bar.setRange(0, 0)
        else:
            self.bar.setRange(0, 1000)
            self.bar.setValue(share or 0)
        self.amount.setText(facts.amount_words(done, total))


class DownloadRow(TransferRow):
    """Signals: pause_wanted(repo), resume_wanted(repo), cancel_wanted(Download)."""

    pause_wanted = Signal(str)
    resume_wanted = Signal(str)
    cancel_wanted = Signal(object)

    def __init__(self, download: Download, parent: QWidget | None = None) -> None:
        super().__init__(download.repo, parent)
        self.download = download
        self.show_download(download)

    def show_download(self, download: Download) -> None:
        self.download = download
        self.state.set(WORDS.get(download.state, download.state), TONES.get(download.state, ""))
        self._show_bar(download.done_bytes, download.total_bytes, download.state in ("running", "verifying"))
        self.rate.setText(words.rate(download.bytes_per_s) if download.bytes_per_s else "")
        self.left.setText(facts.left_words(download))
        self.text.setText(download.text)
        word = tr("Pause") if download.under_way else tr("Retry") if download.state == "failed" else tr("Resume")
        self.go.setText(word)
        self.go.setVisible(download.state != "done")
        self.go.setAccessibleName(f"{word} {download.repo}")
        explain(self.go, "", "What came is kept" if download.under_way else "Goes on where it stopped")
        done = download.state == "done"
        for value in (self.amount, self.rate, self.left):
            value.setVisible(not done)  # the text says it
        self.end.setText(tr("Dismiss") if done else tr("Cancel"))
        self.end.setAccessibleName(f"{self.end.text()} {download.repo}")
        explain(self.end, "", "Takes it off this list; the model stays" if done else "Deletes what came of it")

    def _go(self) -> None:
        (self.pause_wanted if self.download.under_way else self.resume_wanted).emit(self.download.repo)

    def _end(self) -> None:
        self.cancel_wanted.emit(self.download)


class ConversionRow(TransferRow):
    """Signals: again_wanted(Conversion), cancel_wanted(Conversion)."""

    again_wanted = Signal(object)
    cancel_wanted = Signal(object)

    def __init__(self, conversion: Conversion, parent: QWidget | None = None) -> None:
        super().__init__(tr("{name} to {bits} bits", name=conversion.name, bits=conversion.bits), parent)
        self.conversion = conversion
        self.show_conversion(conversion)

    def show_conversion(self, conversion: Conversion) -> None:
        self.conversion = conversion
        running = conversion.state == "running"
        self.state.set(
            phrase("converting") if running else WORDS.get(conversion.state, conversion.state),
            TONES.get(conversion.state, ""),
        )
        self._show_bar(conversion.done_bytes, conversion.total_bytes, running)
        self.bar.setVisible(conversion.state != "failed")
        self.text.setText(conversion.text)
        self.go.setText(tr("Retry"))
        self.go.setVisible(conversion.state == "failed")
        self.end.setText(tr("Cancel") if conversion.under_way else tr("Dismiss"))
        self.end.setAccessibleName(f"{self.end.text()} {self.name.text()}")
        explain(self.end, "", "Nothing of the copy stays" if conversion.under_way else "Takes it off this list")

    def _go(self) -> None:
        self.again_wanted.emit(self.conversion)

    def _end(self) -> None:
        self.cancel_wanted.emit(self.conversion)


class Transfers(Card):
    """Hidden while nothing is on its way. Signals: those of the rows, and clear_wanted()."""

    pause_wanted = Signal(str)
    resume_wanted = Signal(str)
    cancel_wanted = Signal(object)
    again_wanted = Signal(object)
    conversion_cancel_wanted = Signal(object)
    clear_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.downloads: dict[str, DownloadRow] = {}
        self.conversions: dict[tuple[Path, int], ConversionRow] = {}
        self._order: list[object] = []
        self.clear = push_button("Clear finished", "quiet", self.clear_wanted.emit)
        self.headline = label("On its way", "heading")
        head = QHBoxLayout()
        head.addWidget(self.headline, 1)
        head.addWidget(self.clear)
        self._rows = QVBoxLayout()
        self._rows.setSpacing(SPACE.m)
        self.body.addLayout(head)
        self.body.addLayout(self._rows)
        self.hide()

    def show_view(self, view: LibraryView) -> None:
        order: list[object] = [*(d.repo for d in view.downloads), *((c.source, c.bits) for c in view.conversions)]
        if order != self._order:
            self._rebuild(view, order)
        for download in view.downloads:
            self.downloads[download.repo].show_download(download)
        for conversion in view.conversions:
            self.conversions[(conversion.source, conversion.bits)].show_conversion(conversion)
        states = [each.state for each in (*view.downloads, *view.conversions)]
        busy = sum(state != "done" for state in states)
        self.headline.setText(tr("On its way ({busy})", busy=busy) if busy else tr("Arrived"))
        explain(self.clear, "" if "done" in states else "Nothing has arrived yet.", "The models stay")
        self.setVisible(bool(states))

    def _rebuild(self, view: LibraryView, order: list[object]) -> None:
        self._order = order
        _empty(self._rows)
        for repo in self.downloads.keys() - {download.repo for download in view.downloads}:
            _drop(self.downloads.pop(repo))
        for key in self.conversions.keys() - {(each.source, each.bits) for each in view.conversions}:
            _drop(self.conversions.pop(key))
        rows: list[TransferRow] = []
        for download in view.downloads:
            if download.repo not in self.downloads:
                row = self.downloads[download.repo] = DownloadRow(download)
                row.pause_wanted.connect(self.pause_wanted)
                row.resume_wanted.connect(self.resume_wanted)
                row.cancel_wanted.connect(self.cancel_wanted)
            rows.append(self.downloads[download.repo])
        for each in view.conversions:
            key = (each.source, each.bits)
            if key not in self.conversions:
                made = self.conversions[key] = ConversionRow(each)
                made.again_wanted.connect(self.again_wanted)
                made.cancel_wanted.connect(self.conversion_cancel_wanted)
            rows.append(self.conversions[key])
        for number, widget in enumerate(rows):
            if number:
                self._rows.addWidget(Line())
            self._rows.addWidget(widget)
        tab_through(self.clear, (stop for row in rows for stop in (row.go, row.end)))


def _empty(layout: QLayout) -> None:
    """Takes everything out; lines are thrown away, rows live on."""
    while (item := layout.takeAt(0)) is not None:
        widget = item.widget()
        if isinstance(widget, Line):
            _drop(widget)


def _drop(widget: QWidget) -> None:
    widget.hide()
    widget.deleteLater()

"""One model as a card: on this disk, or on the hub."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Qt, QUrl, Signal
from PySide6.QtGui import QDesktopServices, QGuiApplication
from PySide6.QtWidgets import QHBoxLayout, QMenu, QWidget

from app.core.library.view import LibraryView
from app.core.snapshot import Snapshot
from app.core.text import phrase
from app.ui import words
from app.ui.models import facts
from app.ui.models.facts import Said
from app.ui.text import as_shown, shown, tr
from app.ui.theme import SPACE
from app.ui.widgets import Card, ElidedLabel, IconButton, PillLabel, WrappedLabel, explain, push_button, set_tone
from app.ui.widgets.labels import plain_tooltip

if TYPE_CHECKING:
    from app.core.library.hub import HubModel
    from app.core.library.models import FoundModel
    from app.core.library.weigh import Weighed

BITS = (4, 8)
LOOKING = Said(phrase("Looking into it…"))
UNKNOWN = Said(phrase("Whether it fits is not known yet."))
CLOSED = Said(phrase("Gated: accept its terms, then enter a hub token."), tip=facts.GATED)


def tab_through(start: QWidget, stops: Iterable[QWidget]) -> None:
    """The Tab key goes from start through these: what came later stands last otherwise."""
    for stop in stops:
        QWidget.setTabOrder(start, stop)
        start = stop


class ModelCard(Card):
    """The parts that both kinds share: name, where, facts as pills, whether it fits, buttons.

    Signals: grew(), its height may be another one.
    """

    grew = Signal()

    def __init__(self, name: str, where: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.model_name = name
        self.setAccessibleName(tr("Model {name}", name=name))
        self.title = ElidedLabel(name, "heading", mode=Qt.TextElideMode.ElideMiddle)
        self.where = ElidedLabel(where, "small", mode=Qt.TextElideMode.ElideMiddle)
        self.size_pill, self.kind_pill, self.third_pill, self.fourth_pill = (PillLabel() for _ in range(4))
        self.fit = WrappedLabel(role="muted")
        self.fit.setAccessibleName(tr("Whether {name} fits", name=name))
        self.weighed: Weighed | None = None
        self.head = QHBoxLayout()
        self.head.setSpacing(SPACE.s)
        self.head.addWidget(self.title, 1)
        self.pills = QHBoxLayout()
        self.pills.setSpacing(SPACE.xs + 2)
        for pill in (self.size_pill, self.kind_pill, self.third_pill, self.fourth_pill):
            pill.set("")
            self.pills.addWidget(pill)
        self.pills.addStretch(1)
        self.buttons = QHBoxLayout()
        self.buttons.setSpacing(SPACE.s)
        self.body.addLayout(self.head)
        self.body.addWidget(self.where)
        self.body.addLayout(self.pills)
        self.body.addWidget(self.fit)

    def finish(self) -> None:
        """Buttons stand at the foot, also where the neighbour is higher."""
        self.body.addStretch(1)
        self.body.addLayout(self.buttons)

    def minimumSizeHint(self) -> QSize:
        """The grid gives the height that the width asks for; wrapped lines would claim more."""
        return QSize(super().minimumSizeHint().width(), 0)

    def say(self, said: Said) -> None:
        if (self.fit.text(), self.fit.property("role")) != (said.text, said.tone):
            self.fit.setText(said.text)
            set_tone(self.fit, "role", said.tone)
            self.grew.emit()
        self.fit.setToolTip(plain_tooltip(said.tip))

    def failed(self, sentence: str) -> None:
        """It could not be looked into."""
        self.say(Said(sentence, "warning"))

    def show_weighed(self, weighed: Weighed) -> None:
        self.weighed = weighed
        self.size_pill.set(words.size(weighed.inventory.total_bytes))
        self.size_pill.setToolTip(tr("its weights"))
        self.kind_pill.set(facts.kind_words(weighed.inventory))
        self.kind_pill.setToolTip(plain_tooltip(weighed.inventory.quantization or tr("full precision")))


class DiskCard(ModelCard):
    """Signals: place_wanted(directory), remove_wanted(FoundModel), convert_wanted(FoundModel, bits)."""

    place_wanted = Signal(str)
    remove_wanted = Signal(object)
    convert_wanted = Signal(object, int)

    def __init__(self, model: FoundModel, parent: QWidget | None = None) -> None:
        super().__init__(model.name, str(model.directory), parent)
        self.model = model
        self._view = LibraryView()
        self._snapshot = Snapshot()
        self.facts = ElidedLabel("", "muted")
        self.held = WrappedLabel(role="muted")
        self.use = push_button("Place on the board", "", lambda: self.place_wanted.emit(str(model.directory)))
        self.use.setAccessibleName(tr("Place {name} on the board", name=model.name))
        self.convert = push_button("Convert…", "quiet", self._open_convert)
        self.convert.setAccessibleName(tr("Convert {name}", name=model.name))
        self.remove = push_button(
            "Forget folder…" if model.source == "folder" else "Delete…", "quiet", lambda: self.remove_wanted.emit(model)
        )
        self.remove.setAccessibleName(tr("Delete {name}", name=model.name))
        copy = QGuiApplication.clipboard()
        self.copy = IconButton(
            "copy", tr("Copy the path of {name}", name=model.name), lambda: copy.setText(str(model.directory))
        )
        self.head.addWidget(self.copy)
        self.body.insertWidget(3, self.facts)
        self.body.addWidget(self.held)
        self.buttons.addWidget(self.use)
        self.buttons.addStretch(1)
        self.buttons.addWidget(self.convert)
        self.buttons.addWidget(self.remove)
        self.finish()
        self.size_pill.set(words.size(model.bytes))
        self.third_pill.set(facts.source_words(model.source))
        self.third_pill.setToolTip(tr("where it came from"))
        self.facts.setText(tr("Not looked into yet"))

    @property
    def stops(self) -> tuple[QWidget, ...]:
        """Where the Tab key halts, in order."""
        return self.copy, self.use, self.convert, self.remove

    def show_weighed(self, weighed: Weighed) -> None:
        super().show_weighed(weighed)
        self.facts.setText(facts.inventory_words(weighed.inventory))
        self._show_convert()

    def show_snapshot(self, snapshot: Snapshot, held: dict[str, tuple[tuple[str, int, bool], ...]]) -> None:
        explain(self.use, facts.place_why_not(self.model, snapshot), "Shows its layers on the Cluster page")
        self._snapshot = snapshot
        self._show_remove()
        text = shown(facts.held_words(held.get(self.model.directory.name, ())))
        if text != self.held.text():
            self.held.setText(text)
            self.grew.emit()

    def show_view(self, view: LibraryView) -> None:
        self._view = view
        self._show_convert()
        self._show_remove()

    def _show_remove(self) -> None:
        forget = self.model.source == "folder"
        tip = (
            tr("Looks into this folder no more; deletes nothing")
            if forget
            else tr("Asks first, and says how much goes")
        )
        explain(self.remove, facts.remove_why_not(self.model, self._snapshot, self._view), tip)

    def convert_menu(self) -> QMenu:
        menu = QMenu(self)
        menu.setToolTipsVisible(True)
        for bits in BITS:
            action = menu.addAction(
                tr("To {bits} bits", bits=bits), lambda bits=bits: self.convert_wanted.emit(self.model, bits)
            )
            explain(action, self._convert_why_not(bits), "Makes a copy; this one stays")
        return menu

    def _open_convert(self) -> None:
        menu = self.convert_menu()
        menu.exec(self.convert.mapToGlobal(self.convert.rect().bottomLeft()))
        menu.deleteLater()

    def _show_convert(self) -> None:
        reasons = [self._convert_why_not(bits) for bits in BITS]
        explain(self.convert, reasons[0] if all(reasons) else "", "Makes a copy with 4 or 8 bits a weight")

    def _convert_why_not(self, bits: int) -> str:
        inventory = self.weighed.inventory if self.weighed else None
        return facts.convert_why_not(self.model, inventory, self._view, bits)


class HubCard(ModelCard):
    """Signals: check_wanted(repo), pull_wanted(repo)."""

    check_wanted = Signal(str)
    pull_wanted = Signal(str)

    def __init__(self, model: HubModel, parent: QWidget | None = None) -> None:
        super().__init__(model.repo.rpartition("/")[2], facts.hub_words(model), parent)
        self.model = model
        self.check = push_button("Does it fit?", "", lambda: self.check_wanted.emit(model.repo))
        self.check.setAccessibleName(tr("Does {repo} fit?", repo=model.repo))
        self.pull = push_button("Download", "", lambda: self.pull_wanted.emit(model.repo))
        self.open = push_button("Its page", "quiet", lambda: QDesktopServices.openUrl(QUrl(model.page)))
        self.open.setAccessibleName(tr("Open the page of {repo}", repo=model.repo))
        self.open.setToolTip(plain_tooltip(tr("Opens {page} in a browser", page=model.page)))
        self.buttons.addWidget(self.check)
        self.buttons.addWidget(self.open)
        self.buttons.addStretch(1)
        self.buttons.addWidget(self.pull)
        self.finish()
        self.size_pill.set(words.size(model.bytes) if model.bytes else "")
        self.size_pill.setToolTip(tr("of the whole repository, as the hub says"))
        self.kind_pill.set(model.quantization)
        self.third_pill.set(model.licence)
        self.third_pill.setToolTip(plain_tooltip(tr("licence: {licence}", licence=model.licence)))
        self.fourth_pill.set("gated" if model.gated else "", "warning")
        self.fourth_pill.setToolTip(as_shown(facts.GATED))
        self._closed = False
        self._show_check()

    def show_view(self, view: LibraryView, token_known: bool) -> None:
        self._closed = self.model.gated and not token_known
        if self.weighed is None and self.fit.text() in ("", UNKNOWN.text, CLOSED.text):
            self._show_check()
        word = shown(facts.download_word(self.model, view))
        self.pull.setText(word)
        self.pull.setAccessibleName(f"{word}: {self.model.repo}")
        explain(self.pull, facts.download_why_not(self.model, view, token_known), "Downloads it to this disk")

    @property
    def stops(self) -> tuple[QWidget, ...]:
        """Where the Tab key halts, in order."""
        return self.check, self.open, self.pull

    def checking(self) -> None:
        explain(self.check, "It is being looked into.")
        self.say(LOOKING)

    def failed(self, sentence: str) -> None:
        self._show_check()
        super().failed(sentence)

    def show_weighed(self, weighed: Weighed) -> None:
        super().show_weighed(weighed)
        self.check.setVisible(False)

    def _show_check(self) -> None:
        self.say(CLOSED if self._closed else UNKNOWN)
        why_not = tr("This model is gated. {gated}", gated=facts.GATED) if self._closed else ""
        explain(self.check, why_not, "Reads the headers of its files, no weights")

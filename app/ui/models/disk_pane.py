"""The models on this disk, and those that only machines hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.core.library.view import LibraryView
from app.core.snapshot import Snapshot
from app.ui.models import facts
from app.ui.models.cards import LOOKING, DiskCard, tab_through
from app.ui.models.facts import Said
from app.ui.models.outlook import Outlook
from app.ui.theme import SPACE
from app.ui.widgets import Card, ResponsiveGrid, WrappedLabel, label, push_button

if TYPE_CHECKING:
    from app.core.library.models import FoundModel

CARD_WIDTH = 390
EMPTY = "No model is on this disk yet. Look on the hub, or add a folder that holds one."


class DiskPane(QWidget):
    """Signals: those of the cards; hub_wanted(), the words shall be searched on the hub."""

    place_wanted = Signal(str)
    remove_wanted = Signal(object)
    convert_wanted = Signal(object, int)
    hub_wanted = Signal()

    def __init__(self, outlook: Outlook, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._outlook = outlook
        self._view = LibraryView()
        self._snapshot = Snapshot()
        self._held: dict[str, tuple[tuple[str, int, bool], ...]] = {}
        self._shown_for: object = None
        self._filter = ""
        self._looking = False
        self.cards: dict[str, DiskCard] = {}
        self.summary = label("", "muted")
        self.grid = ResponsiveGrid(CARD_WIDTH, most=3)
        self.empty = WrappedLabel(EMPTY, "muted")
        self.search_hub = push_button("Search the hub for it", "", self.hub_wanted.emit)
        self.elsewhere = Card()
        self.elsewhere_text = WrappedLabel(role="muted")
        self.elsewhere.body.addWidget(label("Held by machines, not on this disk", "heading"))
        self.elsewhere.body.addWidget(self.elsewhere_text)
        self.elsewhere.hide()
        self.search_hub.hide()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE.m)
        column.addWidget(self.summary)
        column.addWidget(self.empty)
        column.addWidget(self.search_hub)
        column.addWidget(self.grid)
        column.addWidget(self.elsewhere)
        column.addStretch(1)
        outlook.changed.connect(self._show_known)
        outlook.fitted.connect(lambda: [self._show_known(key) for key in self.cards])

    def show_view(self, view: LibraryView) -> None:
        same = view.models == self._view.models and view.looked == self._view.looked
        self._view = view
        self.summary.setText(facts.summary(view))
        if not same:
            self._rebuild()
        for card in self.cards.values():
            card.show_view(view)

    def show_snapshot(self, snapshot: Snapshot) -> None:
        held, deployment = facts.held(snapshot), snapshot.deployment
        shown_for = (snapshot.model and snapshot.model.directory, deployment.state, deployment.model, held)
        self._snapshot, self._held = snapshot, held
        if shown_for != self._shown_for:
            self._shown_for = shown_for
            for card in self.cards.values():
                card.show_snapshot(snapshot, held)
            self._show_elsewhere()

    def filter(self, words: str) -> None:
        """Shows the models that have all of these words in their names."""
        self._filter = words.strip().lower()
        self._arrange()

    def look(self) -> None:
        """From now on, looks into every model that is shown, one after the other."""
        self._looking = True
        for key, card in self.cards.items():
            self._outlook.want(key, str(card.model.directory))
            if self._outlook.busy(key):
                card.say(LOOKING)

    def card(self, name: str) -> DiskCard:
        return next(card for card in self.cards.values() if card.model.name == name)

    def _rebuild(self) -> None:
        models = {_key(model): model for model in self._view.models}
        gone = [self.cards.pop(key) for key in self.cards.keys() - models.keys()]
        for key, model in models.items():
            if key not in self.cards:
                self.cards[key] = self._card(key, model)
        self.cards = {key: self.cards[key] for key in models}
        self._arrange()
        for card in gone:
            card.deleteLater()
        self._show_elsewhere()
        if self._looking:
            self.look()

    def _card(self, key: str, model: FoundModel) -> DiskCard:
        card = DiskCard(model)
        card.place_wanted.connect(self.place_wanted)
        card.remove_wanted.connect(self.remove_wanted)
        card.convert_wanted.connect(self.convert_wanted)
        card.grew.connect(self.grid.relayout)
        card.show_snapshot(self._snapshot, self._held)
        return card

    def _arrange(self) -> None:
        wanted = self._filter.split()
        shown = [card for card in self.cards.values() if all(word in card.model.name.lower() for word in wanted)]
        self.grid.set_widgets(list(shown))
        tab_through(self.search_hub, (stop for card in shown for stop in card.stops))
        self.grid.setVisible(bool(shown))
        if self.cards and not shown:
            self.empty.setText(f'No model on this disk is called "{self._filter}".')
        else:
            self.empty.setText(EMPTY)
        self.empty.setVisible(self._view.looked and not shown)
        self.search_hub.setVisible(bool(self.cards) and not shown)

    def _show_elsewhere(self) -> None:
        here = {model.directory.name for model in self._view.models}
        lines = [
            f"{model}: {facts.held_words(rows).removeprefix('On machines: ')}"
            for model, rows in sorted(self._held.items())
            if model not in here
        ]
        self.elsewhere_text.setText("\n".join(lines))
        self.elsewhere.setVisible(bool(lines) and self._view.looked)

    def _show_known(self, key: str) -> None:
        card = self.cards.get(key)
        if card is None:
            return
        weighed, said = self._outlook.weighed(key), self._outlook.said(key)
        if weighed and card.weighed is not weighed:
            card.show_weighed(weighed)
        if self._outlook.problem(key):
            card.say(Said(self._outlook.problem(key), "warning"))
        elif said:
            card.say(said)


def _key(model: FoundModel) -> str:
    """A model that was fetched anew is looked into anew."""
    return f"{model.directory} {model.bytes}"

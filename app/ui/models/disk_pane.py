"""The models on this disk, and those that only machines hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

from app.core.library.view import LibraryView
from app.core.snapshot import Snapshot
from app.core.text import phrase
from app.ui.models import facts
from app.ui.models.card_pane import CardPane
from app.ui.models.cards import LOOKING, DiskCard, tab_through
from app.ui.models.outlook import Outlook
from app.ui.text import shown, tr
from app.ui.widgets import Card, WrappedLabel, label, push_button

if TYPE_CHECKING:
    from app.core.library.models import FoundModel

EMPTY = phrase("No model is on this disk yet. Look on the hub, or add a folder that holds one.")


class DiskPane(CardPane[DiskCard]):
    """Signals: those of the cards; hub_wanted(), the words shall be searched on the hub."""

    place_wanted = Signal(str)
    remove_wanted = Signal(object)
    convert_wanted = Signal(object, int)
    hub_wanted = Signal()

    def __init__(self, outlook: Outlook, parent: QWidget | None = None) -> None:
        super().__init__(outlook, parent)
        self._view = LibraryView()
        self._snapshot = Snapshot()
        self._held: dict[str, tuple[tuple[str, int, bool], ...]] = {}
        self._shown_for: object = None
        self._filter = ""
        self._looking = False
        self.summary = label("", "muted")
        self.empty = WrappedLabel(EMPTY, "muted")
        self.search_hub = push_button("Search the hub for it", "", self.hub_wanted.emit)
        self.elsewhere = Card()
        self.elsewhere_text = WrappedLabel(role="muted")
        self.elsewhere.body.addWidget(label("Held by machines, not on this disk", "heading"))
        self.elsewhere.body.addWidget(self.elsewhere_text)
        self.elsewhere.hide()
        self.search_hub.hide()
        self._lay_out(self.summary, self.empty, self.search_hub, self.grid, self.elsewhere)

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
            self.empty.setText(tr('No model on this disk is called "{filter}".', filter=self._filter))
        else:
            self.empty.setText(EMPTY)
        self.empty.setVisible(self._view.looked and not shown)
        self.search_hub.setVisible(bool(self.cards) and not shown)

    def _show_elsewhere(self) -> None:
        here = {model.directory.name for model in self._view.models}
        lines = [
            f"{model}: {shown(facts.held_parts(rows))}"
            for model, rows in sorted(self._held.items())
            if model not in here
        ]
        self.elsewhere_text.setText("\n".join(lines))
        self.elsewhere.setVisible(bool(lines) and self._view.looked)


def _key(model: FoundModel) -> str:
    """A model that was fetched anew is looked into anew."""
    return f"{model.directory} {model.bytes}"

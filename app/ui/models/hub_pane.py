"""The hub: a list that grows as results come, and what a model there would mean for this cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import QWidget

from app.core.errors import SentenceError
from app.core.library.view import LibraryView
from app.core.text import joined, phrase
from app.ui import words
from app.ui.bridge import CoreBridge, Stream
from app.ui.models import facts
from app.ui.models.card_pane import CardPane
from app.ui.models.cards import HubCard, tab_through
from app.ui.models.outlook import Outlook
from app.ui.text import tr
from app.ui.widgets import Banner, WrappedLabel

if TYPE_CHECKING:
    from app.core.library.hub import HubModel

PATIENCE_MS = 4000
BROWSING = phrase("The models for MLX that most people download, from mlx-community.")


class HubPane(CardPane[HubCard]):
    """Signals: pull_wanted(repo)."""

    pull_wanted = Signal(str)

    def __init__(self, bridge: CoreBridge, outlook: Outlook, parent: QWidget | None = None) -> None:
        super().__init__(outlook, parent)
        self._bridge = bridge
        self._view = LibraryView()
        self._token_known = False
        self._stream: Stream | None = None
        self.words: str | None = None  # what the list is for; None before the first search
        self._came = False
        self._patience = QTimer(self)
        self._patience.setSingleShot(True)
        self._patience.setInterval(PATIENCE_MS)
        self._patience.timeout.connect(
            lambda: self._say(tr("The hub has not answered yet. {offline}", offline=facts.OFFLINE))
        )
        self.status = WrappedLabel("", "muted")
        self.banner = Banner()
        self._lay_out(self.status, self.banner, self.grid)

    @property
    def searching(self) -> bool:
        return self._stream is not None

    def search(self, text: str) -> None:
        """Lists what fits the words; the most downloaded models where there are none. Replaces a search under way."""
        if self._stream is not None:
            self._stream.cancel()
        self.words = text.strip()
        self.banner.hide()
        self._came = False
        self._say(tr("Asking the hub…"))
        self._patience.start()
        stream = self._stream = self._bridge.stream(lambda controller: controller.library.search_stepwise(text))
        stream.updates.connect(lambda batch: self._found(stream, batch[-1]))
        stream.finished.connect(lambda: self._finished(stream))
        stream.failed.connect(lambda error: self._failed(stream, error))

    def again(self) -> None:
        self.search(self.words or "")

    def show_view(self, view: LibraryView) -> None:
        self._view = view
        for card in self.cards.values():
            card.show_view(view, self._token_known)

    def show_token(self, known: bool) -> None:
        self._token_known = known
        self.show_view(self._view)

    def _found(self, stream: Stream, models: tuple[HubModel, ...]) -> None:
        if stream is not self._stream:
            return
        self._came = True
        listed = {model.repo: model for model in models}
        gone = [self.cards.pop(repo) for repo in self.cards.keys() - listed.keys()]
        for repo, model in listed.items():
            if repo not in self.cards:
                self.cards[repo] = self._card(model)
        self.cards = {repo: self.cards[repo] for repo in listed}
        self.grid.set_widgets(list(self.cards.values()))
        tab_through(self.banner.action_button, (stop for card in self.cards.values() for stop in card.stops))
        self.grid.setVisible(bool(self.cards))
        for card in gone:
            card.deleteLater()

    def _finished(self, stream: Stream) -> None:
        if stream is not self._stream:
            return
        self._stream = None
        self._patience.stop()
        if not self.cards:
            self._say(tr('Nothing on the hub fits "{words}". Try fewer words, or owner/name.', words=self.words))
        elif self.words:
            self._say(
                tr(
                    '{models} for "{words}", made for MLX first',
                    models=words.count(len(self.cards), "model"),
                    words=self.words,
                )
            )
        else:
            self._say(BROWSING)

    def _failed(self, stream: Stream, error: BaseException) -> None:
        if stream is not self._stream:
            return
        self._patience.stop()
        if not self._came:  # what is listed was for other words
            self._found(stream, ())
        self._stream = None
        self._say("")
        if isinstance(error, SentenceError):
            remedy = "" if "by itself" in error.remedy else error.remedy  # a search is not tried again by itself
            self.banner.show_message(
                error.cause, joined((remedy, facts.OFFLINE)), "warning", tr("Try again"), self.again, closable=False
            )
        else:
            self.banner.show_error(error, tr("Try again"), self.again)

    def _say(self, text: str) -> None:
        self.status.setText(text)
        self.status.setVisible(bool(text))

    def _card(self, model: HubModel) -> HubCard:
        card = HubCard(model)
        card.check_wanted.connect(self._check)
        card.pull_wanted.connect(self.pull_wanted)
        card.grew.connect(self.grid.relayout)
        card.show_view(self._view, self._token_known)
        self.cards[model.repo] = card
        self._show_known(model.repo)
        return card

    def _check(self, repo: str) -> None:
        self._outlook.want(repo, repo, soon=True)
        self.cards[repo].checking()

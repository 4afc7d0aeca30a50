"""Models as cards in a grid, each with what becomes known of it."""

from __future__ import annotations

from typing import Generic, TypeVar

from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.ui.models.cards import ModelCard
from app.ui.models.outlook import Outlook
from app.ui.theme import SPACE
from app.ui.widgets import ResponsiveGrid

CARD_WIDTH = 390
AnyCard = TypeVar("AnyCard", bound=ModelCard)


class CardPane(QWidget, Generic[AnyCard]):
    """Attributes: cards, by the key by which the outlook knows their models; grid, where they stand."""

    def __init__(self, outlook: Outlook, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._outlook = outlook
        self.cards: dict[str, AnyCard] = {}
        self.grid = ResponsiveGrid(CARD_WIDTH, most=3, widest=640)
        outlook.changed.connect(self._show_known)
        outlook.fitted.connect(lambda: [self._show_known(key) for key in self.cards])

    def _lay_out(self, *parts: QWidget) -> None:
        """One below the other, the grid among them."""
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE.m)
        for part in parts:
            column.addWidget(part)
        column.addStretch(1)

    def _show_known(self, key: str) -> None:
        card = self.cards.get(key)
        if card is None:
            return
        weighed, said, problem = self._outlook.weighed(key), self._outlook.said(key), self._outlook.problem(key)
        if weighed and card.weighed is not weighed:
            card.show_weighed(weighed)
        if problem:
            card.failed(problem)
        elif said:
            card.say(said)

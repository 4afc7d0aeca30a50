"""Models on this machine's disk: what each weighs and holds, and which one the board places."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QVBoxLayout, QWidget

from app.core.library.models import FoundModel, find_models
from app.core.snapshot import Snapshot
from app.ui import words
from app.ui.bridge import CoreBridge
from app.ui.theme import SPACE
from app.ui.widgets import Banner, Card, ElidedLabel, PillLabel, WrappedLabel, explain, label, page_scroll, push_button

HINT = (
    "Models from the Hugging Face cache and from LM Studio's folder appear here. Open another folder with the button."
)


class ModelCard(Card):
    chosen = Signal(str)

    def __init__(self, model: FoundModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.model = model
        self.use = push_button("Place on the board", "", lambda: self.chosen.emit(str(model.directory)))
        self.use.setAccessibleName(f"Place {model.name} on the board")
        row = QHBoxLayout()
        row.setSpacing(SPACE.s)
        row.addWidget(ElidedLabel(model.name, "heading"), 1)
        row.addWidget(PillLabel(model.source))
        row.addWidget(PillLabel(words.size(model.bytes)))
        row.addWidget(self.use)
        self.facts = ElidedLabel("", "muted")
        self.body.addLayout(row)
        self.body.addWidget(self.facts)
        self.facts.setText(str(model.directory))


class ModelsPage(QWidget):
    """Signals: placed(), a model was chosen for the board."""

    placed = Signal()

    def __init__(self, bridge: CoreBridge, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._bridge = bridge
        self.cards: list[ModelCard] = []
        self.banner = Banner()
        self._list = QVBoxLayout()
        self._list.setSpacing(SPACE.m)
        top = QHBoxLayout()
        top.addWidget(label("Models", "title"), 1)
        top.addWidget(push_button("Open folder…", "", self._open_folder))
        top.addWidget(push_button("Look again", "", self.refresh))
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(SPACE.xl, SPACE.l, SPACE.xl, SPACE.l)
        column.setSpacing(SPACE.m)
        column.addLayout(top)
        column.addWidget(WrappedLabel(HINT, "muted"))
        column.addWidget(self.banner)
        column.addLayout(self._list)
        column.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(page_scroll(content))
        bridge.snapshot_changed.connect(self._show_snapshot)
        bridge.ready.connect(self.refresh)

    def refresh(self) -> None:
        self._bridge.run(lambda _controller: find_models(), self._show_models, self.banner.show_error)

    def choose(self, directory: str) -> None:
        self.banner.hide()
        self._bridge.run(
            lambda controller: controller.choose_model(directory),
            lambda _result: self.placed.emit(),
            self.banner.show_error,
        )

    def _open_folder(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "A model's folder")
        if folder:
            self.choose(folder)

    def _show_models(self, models: tuple[FoundModel, ...]) -> None:
        for card in self.cards:
            card.hide()
            card.deleteLater()
        self.cards = [ModelCard(model) for model in models]
        for card in self.cards:
            card.chosen.connect(self.choose)
            self._list.addWidget(card)
        self._show_snapshot(self._bridge.snapshot)

    def _show_snapshot(self, snapshot: Snapshot) -> None:
        chosen = snapshot.model.directory if snapshot.model else ""
        for card in self.cards:
            why_not = "This model is on the board." if str(card.model.directory) == chosen else ""
            explain(card.use, why_not, "Shows its layers on the Cluster page")

"""How the window looks, how much memory stays free on each machine, and how long a conversation may be at first."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker, QSize
from PySide6.QtWidgets import QDoubleSpinBox, QHBoxLayout, QVBoxLayout, QWidget

from app.core.settings.settings import APPEARANCES, MOTIONS, Settings
from app.core.snapshot import NodeView, Snapshot
from app.core.text import phrase
from app.ui import words
from app.ui.board.context_spin import ContextSpin
from app.ui.bridge import CoreBridge
from app.ui.models.cards import tab_through
from app.ui.settings.chosen import Chosen
from app.ui.settings.section import NAME_WIDTH, Section, calm, choice, show_choice
from app.ui.text import tr
from app.ui.theme import SPACE, Theme
from app.ui.widgets import ElidedLabel, WrappedLabel

GB = 1_000_000_000
MOST_GB = 4096.0
SCALES = (0.8, 0.9, 1.0, 1.1, 1.25, 1.5, 1.75, 2.0)
APPEARANCE_WORDS = {"system": phrase("As the system"), "dark": phrase("Dark"), "light": phrase("Light")}
MOTION_WORDS = {"system": phrase("As the system"), "reduced": phrase("Reduced"), "full": phrase("Full")}
RESERVE_NOTE = phrase(
    "What you keep free here is left to other programs: the board, Balance and Deploy count "
    "without it. What is loaded already stays until it is deployed again."
)
CONTEXT_NOTE = phrase(
    "What a new placement begins with, as far as the model was made for it. The board changes it for each."
)


def scale_words(scale: float) -> str:
    return f"{round(scale * 100)} %"


class AppearanceSection(Section):
    """The theme follows at once; the window keeps what it becomes, also by its own menu."""

    def __init__(self, theme: Theme, chosen: Chosen, parent: QWidget | None = None) -> None:
        super().__init__(tr("Appearance"), parent=parent)
        self._theme = theme
        self._chosen = chosen
        self.mode = choice("Appearance", [(APPEARANCE_WORDS[mode], mode) for mode in APPEARANCES])
        self.scale = choice(tr("Text size"), [(scale_words(each), each) for each in SCALES])
        self.motion = choice("Motion", [(MOTION_WORDS[each], each) for each in MOTIONS])
        self.row("Theme", self.mode)
        self.row(tr("Text size"), self.scale)
        self.row("Motion", self.motion, note=tr("Reduced: nothing slides or fades."))
        self.mode.activated.connect(lambda _index: theme.set_mode(self.mode.currentData()))
        self.scale.activated.connect(lambda _index: theme.set_scale(self.scale.currentData()))
        self.motion.activated.connect(lambda _index: chosen.change(motion=self.motion.currentData()))
        theme.changed.connect(self._show_theme)
        chosen.changed.connect(self._show)
        self._show(chosen.now)

    def _show_theme(self) -> None:
        show_choice(self.mode, self._theme.mode)
        show_choice(self.scale, self._theme.scale, scale_words(self._theme.scale))

    def _show(self, settings: Settings) -> None:
        self._show_theme()
        show_choice(self.motion, settings.motion)


class ReserveSpin(QDoubleSpinBox):
    """As wide as for the most that any machine has: the rows below each other keep their columns."""

    def sizeHint(self) -> QSize:
        return self._as_for_most(super().sizeHint())

    def minimumSizeHint(self) -> QSize:
        return self._as_for_most(super().minimumSizeHint())

    def _as_for_most(self, hint: QSize) -> QSize:
        most, own = (self.fontMetrics().horizontalAdvance(f"{each:.1f}") for each in (MOST_GB, self.maximum()))
        return QSize(hint.width() + max(0, most - own), hint.height())


class ReserveRow(QWidget):
    """One machine: what stays free there, and what that leaves."""

    def __init__(self, name: str, chosen: Chosen, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.machine = name
        self.spin = ReserveSpin()
        self.spin.setAccessibleName(tr("Memory kept free on {name}", name=name))
        self.spin.setSuffix(" GB")
        self.spin.setDecimals(1)
        self.spin.setSingleStep(0.5)
        self.spin.setRange(0.0, MOST_GB)
        self.spin.setKeyboardTracking(False)
        calm(self.spin)
        self.left = WrappedLabel(role="muted")
        self.spin.valueChanged.connect(lambda value: chosen.reserve(name, round(value * GB)))
        self.title = ElidedLabel(name)
        self.title.setFixedWidth(NAME_WIDTH)
        self.title.setBuddy(self.spin)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(SPACE.m)
        for part in (self.title, self.spin):
            row.addWidget(part)
        row.addWidget(self.left, 1)

    def show_node(self, node: NodeView, settings: Settings) -> None:
        with QSignalBlocker(self.spin):
            if node.memory:
                self.spin.setMaximum(max(node.memory.total, settings.reserve_of(node.name)) / GB)
            self.spin.setValue(settings.reserve_of(node.name) / GB)
        self.left.setText(room_words(node))


def room_words(node: NodeView) -> str:
    """What a machine lends just now: 9.1 GB of 16.0 GB for models."""
    if node.memory is None:
        return node.state_text
    ours = node.memory.weights + node.memory.kv
    known = {"free": words.size(node.memory.shard_available + ours), "total": words.size(node.memory.total)}
    if not ours:
        return tr("{free} of {total} can hold models just now.", **known)
    return tr("{free} of {total} can hold models just now, {ours} of that does.", ours=words.size(ours), **known)


class MemorySection(Section):
    """A row for each machine that is known, and the context that a placement begins with.

    before: from where the Tab key comes to the rows, which are made later than what stands below them.
    """

    def __init__(self, bridge: CoreBridge, chosen: Chosen, before: QWidget, parent: QWidget | None = None) -> None:
        super().__init__(tr("Memory"), RESERVE_NOTE, parent)
        self._chosen = chosen
        self._snapshot = bridge.snapshot
        self.rows: dict[str, ReserveRow] = {}
        self._before = before
        self._machines = QVBoxLayout()
        self._machines.setSpacing(SPACE.s)
        self.none = WrappedLabel("No machine yet.", "muted")
        self.body.insertLayout(2, self._machines)
        self.body.insertWidget(3, self.none)
        self.context = ContextSpin()
        self.context.setAccessibleName(tr("Default context in tokens"))
        self.context.chosen.connect(lambda tokens: chosen.change(default_context=tokens))
        self.row(tr("Default context"), self.context, note=CONTEXT_NOTE)
        bridge.snapshot_changed.connect(self.show_snapshot)
        chosen.changed.connect(lambda _settings: self.show_snapshot(self._snapshot))
        self.show_snapshot(bridge.snapshot)

    def show_snapshot(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        names = [node.name for node in snapshot.nodes]
        for gone in self.rows.keys() - set(names):
            self.rows.pop(gone).deleteLater()
        for node in snapshot.nodes:
            if node.name not in self.rows:
                self.rows[node.name] = ReserveRow(node.name, self._chosen)
                self._machines.addWidget(self.rows[node.name])
                tab_through(self._before, (row.spin for row in self.rows.values()))
            self.rows[node.name].show_node(node, self._chosen.now)
        self.none.setVisible(not names)
        with QSignalBlocker(self.context):
            if self.context.value() != self._chosen.now.default_context:
                self.context.setValue(self._chosen.now.default_context)

"""The conversation's settings, in small windows that open above their buttons and close with Esc."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from PySide6.QtCore import QPoint, QRegularExpression, Qt, Signal
from PySide6.QtGui import QRegularExpressionValidator
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QLineEdit,
    QPlainTextEdit,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from app.core.chat.conversation import Settings
from app.core.chat.presets import Preset, matching
from app.ui.text import shown, tr
from app.ui.theme import SPACE, scaled
from app.ui.widgets import WrappedLabel, explain, label, push_button

MAX_TOKENS_LIMIT = 131_072
SEED_LIMIT = 2**32 - 1


class Popover(QFrame):
    """A frame in a window of its own; a click beside it, or Esc, closes it. Signals: closed()."""

    closed = Signal()

    def __init__(self, title: str, width: int, parent: QWidget | None = None) -> None:
        super().__init__(parent, Qt.WindowType.Popup)
        self.setProperty("kind", "popover")
        self.setAccessibleName(shown(title))
        self._width = width  # at the usual text size
        self.body = QVBoxLayout(self)
        self.body.setContentsMargins(SPACE.l, SPACE.m, SPACE.l, SPACE.m)
        self.body.setSpacing(SPACE.s)
        self.body.addWidget(label(title, "heading"))

    def open_above(self, anchor: QWidget) -> None:
        """Above the anchor, or under it where there is no room, and within the screen."""
        screen = anchor.screen().availableGeometry()
        self.setFixedWidth(min(scaled(self._width), screen.width() - 2 * SPACE.s))
        self.adjustSize()
        top_left = anchor.mapToGlobal(QPoint(0, 0))
        y = top_left.y() - self.height() - SPACE.s
        if y < screen.top():
            y = min(top_left.y() + anchor.height() + SPACE.s, screen.bottom() - self.height())
        x = max(screen.left(), min(top_left.x(), screen.right() - self.width()))
        self.move(x, y)
        self.show()
        self.focus_first()

    def focus_first(self) -> None:
        raise NotImplementedError

    def hideEvent(self, event) -> None:  # type: ignore[no-untyped-def]
        super().hideEvent(event)
        self.closed.emit()


class SystemPromptPopover(Popover):
    """Signals: edited(text), at each change."""

    edited = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(tr("System prompt"), 330, parent)
        self.edit = QPlainTextEdit()
        self.edit.setAccessibleName(tr("System prompt"))
        self.edit.setPlaceholderText(tr("You are a careful assistant…"))
        self.edit.setTabChangesFocus(True)
        self.edit.setFixedHeight(130)
        self.body.addWidget(WrappedLabel("Sent before the first message. Kept with this conversation.", "small"))
        self.body.addWidget(self.edit)
        row = QHBoxLayout()
        self.clear = push_button("Clear", "quiet", lambda: self.edit.setPlainText(""))
        self.done = push_button("Done", "", self.close)
        row.addWidget(self.clear)
        row.addStretch(1)
        row.addWidget(self.done)
        self.body.addLayout(row)
        self.edit.textChanged.connect(lambda: self.edited.emit(self.edit.toPlainText()))

    def show_text(self, text: str) -> None:
        if text != self.edit.toPlainText():
            self.edit.blockSignals(True)
            self.edit.setPlainText(text)
            self.edit.blockSignals(False)

    def focus_first(self) -> None:
        self.edit.setFocus()


def _number(name: str, low: float, high: float, step: float, tip: str, off: str = "") -> QDoubleSpinBox:
    box = QDoubleSpinBox()
    box.setDecimals(2)
    box.setRange(low, high)
    box.setSingleStep(step)
    _describe(box, name, tip, off)
    return box


def _whole(name: str, low: int, high: int, tip: str, off: str = "") -> QSpinBox:
    box = QSpinBox()
    box.setRange(low, high)
    box.setGroupSeparatorShown(True)
    _describe(box, name, tip, off)
    return box


def _describe(box: QAbstractSpinBox, name: str, tip: str, off: str) -> None:
    """off: shown in place of the lowest value."""
    box.setAccessibleName(shown(name))
    box.setAccessibleDescription(shown(tip))
    box.setToolTip(shown(tip))
    box.lineEdit().setTextMargins(6, 0, 0, 0)  # a style sheet's padding does not reach the field in a spin box
    if off:
        box.setSpecialValueText(shown(off))


class SamplingPopover(Popover):
    """How the next token is chosen, what happens when the context is full, and presets of all that.

    Signals: edited(Settings), at each change; preset_chosen(name); preset_kept(name), the settings are to be kept under
    this name; preset_dropped(name).
    """

    edited = Signal(object)
    preset_chosen = Signal(str)
    preset_kept = Signal(str)
    preset_dropped = Signal(str)

    def __init__(self, defaults: Settings, parent: QWidget | None = None) -> None:
        super().__init__(tr("Sampling"), 310, parent)
        self._defaults = defaults
        self._base = defaults
        self._presets: tuple[Preset, ...] = ()
        self._filling = False
        self.preset = QComboBox()
        self.preset.setEditable(True)
        self.preset.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.preset.setAccessibleName(tr("Preset"))
        self.preset.setToolTip(
            tr("Settings under a name. Choose one, or write a new name and keep these settings as it.")
        )
        self.preset.lineEdit().setPlaceholderText(tr("none; write a name to keep these"))
        self.preset.lineEdit().setAccessibleName(tr("Name of the preset"))
        self.preset.view().setAccessibleName(tr("Presets"))
        self.keep = push_button("Keep", "quiet", lambda: self.preset_kept.emit(self.preset.currentText()))
        self.drop = push_button("Delete", "quiet", lambda: self.preset_dropped.emit(self.preset.currentText()))
        self.keep.setAccessibleName(tr("Keep these settings as a preset"))
        self.drop.setAccessibleName(tr("Delete this preset"))
        self.temperature = _number("Temperature", 0, 2, 0.05, tr("0 always takes the likeliest token."), "0 (greedy)")
        self.top_p = _number("Top-p", 0.01, 1, 0.05, tr("Keeps the likeliest tokens up to this share. 1 keeps all."))
        self.top_k = _whole("Top-k", 0, 10_000, tr("Keeps this many of the likeliest tokens."), "off")
        self.min_p = _number("Min-p", 0, 1, 0.01, tr("Drops tokens below this share of the likeliest one."), "off")
        self.penalty = _number(
            tr("Repetition penalty"), 1, 2, 0.05, tr("Above 1, tokens that were used become rarer."), "off"
        )
        self.max_tokens = _whole(tr("Max tokens"), 1, MAX_TOKENS_LIMIT, tr("The answer ends after this many tokens."))
        self.seed = QLineEdit()
        self.seed.setAccessibleName(tr("Seed"))
        self.seed.setPlaceholderText(tr("random"))
        self.seed.setToolTip(tr("The same seed and settings give the same answer. Empty: a random one."))
        self.seed.setValidator(QRegularExpressionValidator(QRegularExpression(r"\d{0,10}"), self.seed))
        self.when_full = QComboBox()
        self.when_full.setAccessibleName(tr("When the context is full"))
        self.when_full.setToolTip(tr("What happens when the conversation is longer than the deployment's context"))
        self.when_full.addItem(tr("tell me"), "stop")
        self.when_full.addItem(tr("forget the oldest"), "forget")
        self.when_full.view().setAccessibleName(tr("What happens when the context is full"))
        self._lay_out()
        for box in (self.temperature, self.top_p, self.min_p, self.penalty, self.top_k, self.max_tokens):
            box.valueChanged.connect(self._edited)
        self.seed.textChanged.connect(self._edited)
        self.when_full.currentIndexChanged.connect(self._edited)
        self.preset.activated.connect(self._choose)
        self.preset.editTextChanged.connect(self._explain)
        self.show_values(defaults, ())

    def _lay_out(self) -> None:
        row = QHBoxLayout()
        row.setSpacing(0)
        row.addWidget(self.preset, 1)
        row.addWidget(self.keep)
        row.addWidget(self.drop)
        self.body.addLayout(row)
        form = QFormLayout()
        form.setHorizontalSpacing(SPACE.l)
        form.setVerticalSpacing(SPACE.s)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.setLabelAlignment(Qt.AlignmentFlag.AlignLeading | Qt.AlignmentFlag.AlignVCenter)
        fields = (self.temperature, self.top_p, self.top_k, self.min_p, self.penalty, self.seed, self.max_tokens)
        for field in (*fields, self.when_full):
            short = tr("When full") if field is self.when_full else field.accessibleName()
            title = label(short)
            title.setBuddy(field)
            title.setMinimumHeight(field.sizeHint().height())
            form.addRow(title, field)
        self.body.addLayout(form)
        foot = QHBoxLayout()
        self.reset = push_button("Defaults", "quiet", self._reset)
        self.done = push_button("Done", "", self.close)
        foot.addWidget(self.reset)
        foot.addStretch(1)
        foot.addWidget(self.done)
        self.body.addSpacing(SPACE.xs)
        self.body.addLayout(foot)

    def show_values(self, settings: Settings, presets: Sequence[Preset]) -> None:
        self._filling = True
        self._base = settings
        sampling = settings.sampling
        self.temperature.setValue(sampling.temperature)
        self.top_p.setValue(sampling.top_p)
        self.top_k.setValue(sampling.top_k)
        self.min_p.setValue(sampling.min_p)
        self.penalty.setValue(sampling.repetition_penalty)
        self.max_tokens.setValue(settings.max_tokens)
        self.seed.setText("" if sampling.seed is None else str(sampling.seed))
        self.when_full.setCurrentIndex(self.when_full.findData(settings.when_full))
        if tuple(presets) != self._presets or not self.preset.count():
            self._presets = tuple(presets)
            self.preset.clear()
            self.preset.addItems([preset.name for preset in presets])
        self._filling = False
        self._name(settings)

    def values(self) -> Settings:
        seed = self.seed.text()
        sampling = replace(
            self._base.sampling,
            temperature=round(self.temperature.value(), 4),
            top_p=round(self.top_p.value(), 4),
            top_k=self.top_k.value(),
            min_p=round(self.min_p.value(), 4),
            repetition_penalty=round(self.penalty.value(), 4),
            seed=min(int(seed), SEED_LIMIT) if seed else None,
        )
        when_full = "forget" if self.when_full.currentData() == "forget" else "stop"
        return replace(self._base, sampling=sampling, max_tokens=self.max_tokens.value(), when_full=when_full)

    def focus_first(self) -> None:
        self.temperature.setFocus()
        self.temperature.selectAll()

    def _name(self, settings: Settings) -> None:
        """The preset that these settings are; none, where they are none."""
        self.preset.setCurrentIndex(self.preset.findText(matching(self._presets, settings)))
        if self.preset.currentIndex() < 0:
            self.preset.setEditText("")
        self._explain()

    def _explain(self) -> None:
        name = self.preset.currentText().strip()
        known = next((preset for preset in self._presets if preset.name == name), None)
        fixed = tr("It comes with Shardboard and stays as it is.") if known and known.built_in else ""
        explain(self.keep, fixed or ("" if name else "Write a name for these settings first."), "Keep under this name")
        explain(self.drop, fixed or ("" if known else "Choose one of your presets first."), "Delete this preset")

    def _choose(self, number: int) -> None:
        if 0 <= number < len(self._presets):
            self.preset_chosen.emit(self._presets[number].name)

    def _reset(self) -> None:
        self.show_values(replace(self._defaults, system_prompt=self._base.system_prompt), self._presets)
        self._edited()

    def _edited(self) -> None:
        if not self._filling:
            self._base = self.values()
            self._name(self._base)
            self.edited.emit(self._base)

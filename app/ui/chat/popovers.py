"""The conversation's settings, in small windows that open above their buttons and close with Esc."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import QPoint, QRegularExpression, Qt, Signal
from PySide6.QtGui import QRegularExpressionValidator
from PySide6.QtWidgets import (
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

from app.core.generation.request import Sampling
from app.ui.theme import SPACE
from app.ui.widgets import WrappedLabel, label, push_button

MAX_TOKENS_LIMIT = 131_072
SEED_LIMIT = 2**32 - 1


class Popover(QFrame):
    """A frame in a window of its own; a click beside it, or Esc, closes it. Signals: closed()."""

    closed = Signal()

    def __init__(self, title: str, width: int, parent: QWidget | None = None) -> None:
        super().__init__(parent, Qt.WindowType.Popup)
        self.setProperty("kind", "popover")
        self.setAccessibleName(title)
        self.setFixedWidth(width)
        self.body = QVBoxLayout(self)
        self.body.setContentsMargins(SPACE.l, SPACE.m, SPACE.l, SPACE.m)
        self.body.setSpacing(SPACE.s)
        self.body.addWidget(label(title, "heading"))

    def open_above(self, anchor: QWidget) -> None:
        """Above the anchor, or under it where there is no room, and within the screen."""
        self.adjustSize()
        screen = anchor.screen().availableGeometry()
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
        super().__init__("System prompt", 330, parent)
        self.edit = QPlainTextEdit()
        self.edit.setAccessibleName("System prompt")
        self.edit.setPlaceholderText("You are a careful assistant…")
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
    box.setAccessibleName(name)
    box.setAccessibleDescription(tip)
    box.setToolTip(tip)
    box.lineEdit().setTextMargins(6, 0, 0, 0)  # a style sheet's padding does not reach the field in a spin box
    if off:
        box.setSpecialValueText(off)
    return box


def _whole(name: str, low: int, high: int, tip: str, off: str = "") -> QSpinBox:
    box = QSpinBox()
    box.setRange(low, high)
    box.setGroupSeparatorShown(True)
    box.setAccessibleName(name)
    box.setAccessibleDescription(tip)
    box.setToolTip(tip)
    box.lineEdit().setTextMargins(6, 0, 0, 0)  # a style sheet's padding does not reach the field in a spin box
    if off:
        box.setSpecialValueText(off)
    return box


class SamplingPopover(Popover):
    """How the next token is chosen. Signals: edited(Sampling, max_tokens), at each change."""

    edited = Signal(object, int)

    def __init__(self, defaults: tuple[Sampling, int], parent: QWidget | None = None) -> None:
        super().__init__("Sampling", 290, parent)
        self._defaults = defaults
        self._base = defaults[0]
        self._filling = False
        self.temperature = _number("Temperature", 0, 2, 0.05, "0 always takes the likeliest token.", "0 (greedy)")
        self.top_p = _number("Top-p", 0.01, 1, 0.05, "Keeps the likeliest tokens up to this share. 1 keeps all.")
        self.top_k = _whole("Top-k", 0, 10_000, "Keeps this many of the likeliest tokens.", "off")
        self.min_p = _number("Min-p", 0, 1, 0.01, "Drops tokens below this share of the likeliest one.", "off")
        self.penalty = _number("Repetition penalty", 1, 2, 0.05, "Above 1, tokens that were used become rarer.", "off")
        self.max_tokens = _whole("Max tokens", 1, MAX_TOKENS_LIMIT, "The answer ends after this many tokens.")
        self.seed = QLineEdit()
        self.seed.setAccessibleName("Seed")
        self.seed.setPlaceholderText("random")
        self.seed.setToolTip("The same seed and settings give the same answer. Empty: a random one.")
        self.seed.setValidator(QRegularExpressionValidator(QRegularExpression(r"\d{0,10}"), self.seed))

        form = QFormLayout()
        form.setHorizontalSpacing(SPACE.l)
        form.setVerticalSpacing(SPACE.s)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.setLabelAlignment(Qt.AlignmentFlag.AlignLeading | Qt.AlignmentFlag.AlignVCenter)
        fields = (self.temperature, self.top_p, self.top_k, self.min_p, self.penalty, self.seed, self.max_tokens)
        for field in fields:
            title = label(field.accessibleName())
            title.setBuddy(field)
            title.setMinimumHeight(field.sizeHint().height())
            form.addRow(title, field)
        self.body.addLayout(form)
        row = QHBoxLayout()
        self.reset = push_button("Defaults", "quiet", self._reset)
        self.done = push_button("Done", "", self.close)
        row.addWidget(self.reset)
        row.addStretch(1)
        row.addWidget(self.done)
        self.body.addSpacing(SPACE.xs)
        self.body.addLayout(row)
        for box in (self.temperature, self.top_p, self.min_p, self.penalty, self.top_k, self.max_tokens):
            box.valueChanged.connect(self._edited)
        self.seed.textChanged.connect(self._edited)
        self.show_values(*defaults)

    def show_values(self, sampling: Sampling, max_tokens: int) -> None:
        self._filling = True
        self._base = sampling
        self.temperature.setValue(sampling.temperature)
        self.top_p.setValue(sampling.top_p)
        self.top_k.setValue(sampling.top_k)
        self.min_p.setValue(sampling.min_p)
        self.penalty.setValue(sampling.repetition_penalty)
        self.max_tokens.setValue(max_tokens)
        self.seed.setText("" if sampling.seed is None else str(sampling.seed))
        self._filling = False

    def values(self) -> tuple[Sampling, int]:
        seed = self.seed.text()
        sampling = replace(
            self._base,
            temperature=round(self.temperature.value(), 4),
            top_p=round(self.top_p.value(), 4),
            top_k=self.top_k.value(),
            min_p=round(self.min_p.value(), 4),
            repetition_penalty=round(self.penalty.value(), 4),
            seed=min(int(seed), SEED_LIMIT) if seed else None,
        )
        return sampling, self.max_tokens.value()

    def focus_first(self) -> None:
        self.temperature.setFocus()
        self.temperature.selectAll()

    def _reset(self) -> None:
        self.show_values(*self._defaults)
        self._edited()

    def _edited(self) -> None:
        if not self._filling:
            self.edited.emit(*self.values())

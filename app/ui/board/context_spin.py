"""How many tokens of context the caches are reserved for."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker, QSize, Signal
from PySide6.QtWidgets import QSpinBox, QWidget

from app.core.text import joined, phrase
from app.ui.text import shown, tr

LOWEST = 256
HIGHEST = 1 << 20


def stepped(value: int, steps: int, highest: int) -> int:
    """Up doubles to the next power of two, down halves to the one before; the ends are LOWEST and `highest`."""
    for _ in range(abs(steps)):
        power = 1 << (value.bit_length() - 1)
        value = power * 2 if steps > 0 else (power if power < value else power // 2)
    return max(LOWEST, min(highest, value))


class ContextSpin(QSpinBox):
    """Signals: chosen(tokens), when the person is done typing or steps."""

    chosen = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(tr("Context length in tokens"))
        self.setRange(LOWEST, HIGHEST)
        self.setGroupSeparatorShown(True)
        self.setSuffix(tr(" tokens"))
        self.setKeyboardTracking(False)
        self.lineEdit().setTextMargins(6, 0, 0, 0)
        self.valueChanged.connect(self.chosen)

    def sizeHint(self) -> QSize:
        """The same whatever the model's limit is."""
        widest = self.fontMetrics().horizontalAdvance(f"{HIGHEST:,}{self.suffix()}")
        return QSize(widest + 44, super().sizeHint().height())

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def stepBy(self, steps: int) -> None:
        self.setValue(stepped(self.value(), steps, self.maximum()))

    def show_tokens(self, value: int, limit: int | None, enabled: bool) -> None:
        with QSignalBlocker(self):
            self.setMaximum(limit or HIGHEST)
            if not self.hasFocus() or self.value() != value:
                self.setValue(value)
        self.setEnabled(enabled)
        upper = phrase("The model was made for at most {limit:,}.", limit=limit) if limit else ""
        says = joined((phrase("Memory for this many tokens is reserved on every machine."), upper))
        self.setToolTip(shown(says) if enabled else tr("Choose a model first."))
        self.setAccessibleDescription(self.toolTip())

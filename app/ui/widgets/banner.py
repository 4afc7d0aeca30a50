"""A message that stands where it belongs: a cause, a remedy, and what can be done about it."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from app.core.errors import SentenceError
from app.ui.text import shown, tr
from app.ui.theme.resources import icon_pixmap
from app.ui.theme.tokens import SPACE, scaled, tokens
from app.ui.widgets.buttons import IconButton, push_button
from app.ui.widgets.labels import WrappedLabel, set_tone

ICONS = {"danger": "error", "warning": "warning", "info": "info", "success": "check"}


class Banner(QFrame):
    """Hidden until show_message(). Signals: dismissed()."""

    dismissed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("kind", "banner")
        self.setProperty("tone", "info")
        self._tone = "info"
        self._icon = QLabel()
        self._cause = WrappedLabel()
        self._remedy = WrappedLabel(role="muted")
        self._action = push_button("", parent=self)
        self._action.setAccessibleName(tr("What can be done"))
        self._action.hide()
        self._action.clicked.connect(self._on_action)
        self._close = IconButton("close", "Dismiss", self._on_close, size=14)
        self._on_click: Callable[[], object] | None = None
        texts = QVBoxLayout()
        texts.setSpacing(2)
        texts.addWidget(self._cause)
        texts.addWidget(self._remedy)
        row = QHBoxLayout(self)
        row.setContentsMargins(SPACE.m, SPACE.s, SPACE.s, SPACE.s)
        row.setSpacing(SPACE.s)
        row.addWidget(self._icon, 0, Qt.AlignmentFlag.AlignTop)
        row.addLayout(texts, 1)
        row.addWidget(self._action, 0, Qt.AlignmentFlag.AlignVCenter)
        row.addWidget(self._close, 0, Qt.AlignmentFlag.AlignTop)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
        self.hide()

    def show_message(
        self,
        cause: str,
        remedy: str = "",
        tone: str = "danger",
        action: str = "",
        on_action: Callable[[], object] | None = None,
        closable: bool = True,
    ) -> None:
        """tone: "danger", "warning", "success" or "info"."""
        cause, remedy, action = shown(cause), shown(remedy), tr(action)
        self._tone = tone
        set_tone(self, "tone", tone)
        self._cause.setText(cause)
        self._remedy.setText(remedy)
        self._remedy.setVisible(bool(remedy))
        self._action.setText(action)
        self._action.setVisible(bool(action))
        self._on_click = on_action
        self._close.setVisible(closable)
        self._draw_icon()
        self.setAccessibleName(f"{cause} {remedy}".strip())
        self.show()

    def show_error(self, error: BaseException, action: str = "", on_action: Callable[[], object] | None = None) -> None:
        if isinstance(error, SentenceError):
            self.show_message(error.cause, error.remedy, action=action, on_action=on_action)
        else:
            cause = str(error) or type(error).__name__
            remedy = tr("This is a fault of Shardboard itself; the log has more.")
            self.show_message(cause, remedy, action=action, on_action=on_action)

    @property
    def text(self) -> str:
        return f"{self._cause.text()} {self._remedy.text()}".strip()

    @property
    def action_button(self) -> QPushButton:
        return self._action

    def changeEvent(self, event) -> None:  # type: ignore[no-untyped-def]
        super().changeEvent(event)
        if event.type() in (event.Type.PaletteChange, event.Type.FontChange):
            self._draw_icon()

    def _draw_icon(self) -> None:
        values = tokens()
        tint = {"danger": values.danger, "warning": values.warning, "success": values.success}
        ink = tint.get(self._tone, values.accent_text)
        self._icon.setPixmap(icon_pixmap(ICONS[self._tone], ink, scaled(18), self.devicePixelRatioF()))

    def _on_action(self) -> None:
        if self._on_click is not None:
            self._on_click()

    def _on_close(self) -> None:
        self.hide()
        self.dismissed.emit()

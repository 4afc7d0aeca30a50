"""The hub token: entered once, kept in the system's keychain, never shown again."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QDialog, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from app.core.text import phrase
from app.ui.bridge import CoreBridge
from app.ui.text import tr
from app.ui.theme import SPACE
from app.ui.widgets import Banner, WrappedLabel, explain, label, push_button

if TYPE_CHECKING:
    from app.core.controller import Controller

WHY = phrase(
    "Gated and private models need a token of your account on the hub. Make one there under "
    "Settings, Access Tokens; reading is all it must be allowed. It is sent to the hub alone."
)


class TokenDialog(QDialog):
    """Signals: known_changed(bool), whether a token is known."""

    known_changed = Signal(bool)

    def __init__(self, bridge: CoreBridge, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._bridge = bridge
        self.setWindowTitle(tr("Hub token"))
        self.setMinimumWidth(480)
        self.status = WrappedLabel("Looking…", "muted")
        self.field = QLineEdit()
        self.field.setEchoMode(QLineEdit.EchoMode.Password)
        self.field.setPlaceholderText(tr("hf_…"))
        self.field.setAccessibleName(tr("Hub token"))
        self.field.textChanged.connect(lambda _text: self._show_buttons())
        self.field.returnPressed.connect(self.keep)
        self.banner = Banner()
        self.keep_button = push_button("Keep token", "primary", self.keep)
        self.forget_button = push_button("Forget token", "", self.forget)
        self._known = False
        buttons = QHBoxLayout()
        buttons.addWidget(self.forget_button)
        buttons.addStretch(1)
        buttons.addWidget(push_button("Close", "", self.reject))
        buttons.addWidget(self.keep_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(SPACE.xl, SPACE.l, SPACE.xl, SPACE.l)
        column.setSpacing(SPACE.m)
        column.addWidget(label("Hub token", "heading"))
        column.addWidget(WrappedLabel(WHY, "muted"))
        column.addWidget(self.field)
        column.addWidget(self.status)
        column.addWidget(self.banner)
        column.addStretch(1)
        column.addLayout(buttons)
        self._show_buttons()
        bridge.run(known_token, self._show, self.banner.show_error)

    def keep(self) -> None:
        token = self.field.text().strip()
        if token:
            self.field.clear()
            self._change(lambda controller: controller.library.tokens.set(token))

    def forget(self) -> None:
        self._change(lambda controller: controller.library.tokens.forget())

    def _change(self, change) -> None:  # type: ignore[no-untyped-def]
        async def work(controller: Controller) -> tuple[bool, str]:
            await asyncio.to_thread(change, controller)
            return await known_token(controller)

        self.banner.hide()
        self._bridge.run(work, self._show, self.banner.show_error)

    def _show(self, known: tuple[bool, str]) -> None:
        self._known, place = known
        kept = tr("A token is known. It is kept in {place}, or was there before Shardboard.", place=place)
        self.status.setText(kept if self._known else tr("No token is known. It will be kept in {place}.", place=place))
        self._show_buttons()
        self.known_changed.emit(self._known)

    def _show_buttons(self) -> None:
        explain(self.keep_button, "" if self.field.text().strip() else "Type or paste a token first.")
        explain(self.forget_button, "" if self._known else "No token is known.", "Takes it out of its place")


async def known_token(controller: Controller) -> tuple[bool, str]:
    """Whether a token is known, and where ours is kept, in words."""
    tokens = controller.library.tokens
    return await asyncio.to_thread(tokens.get) is not None, tokens.place

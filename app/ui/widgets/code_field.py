"""Where the code is typed that another machine shows."""

from __future__ import annotations

from PySide6.QtWidgets import QLineEdit, QWidget

from app.ui.theme.resources import mono
from app.ui.theme.tokens import TEXT, scaled
from shardd.identity.pairing import PairingError, clean_code

LONGEST = 16  # with whatever separates the digits


class CodeField(QLineEdit):
    """Takes a pairing code in any form in which people write it. width: in points."""

    def __init__(self, width: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setPlaceholderText("123 456")
        self.setMaxLength(LONGEST)
        self.setFont(mono(TEXT.heading))
        self.setFixedWidth(scaled(width))

    @property
    def complete(self) -> bool:
        """Whether all of a code is there."""
        try:
            clean_code(self.text())
        except PairingError:
            return False
        return True

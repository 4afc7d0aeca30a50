"""The hub token: in the system's keychain where there is one, else in a file that only its owner can read."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import keyring
import keyring.errors
from huggingface_hub import get_token

from app.core.text import phrase
from shardd.host import atomic_write

SERVICE = "shardboard"
NAME = "hugging-face-token"


class TokenStore:
    """file: used where the system has no keychain. A token is never logged and never shown again."""

    def __init__(self, file: Path, *, keychain: bool = True) -> None:
        self._file = file
        self._keychain = keychain and _has_keychain()

    @property
    def place(self) -> str:
        """Where a token is kept, in words."""
        return (
            phrase("the system's keychain")
            if self._keychain
            else phrase("the file {file}, which only you can read", file=self._file)
        )

    def get(self) -> str | None:
        """Ours, else what the environment or the Hugging Face client has."""
        return self._own() or get_token()

    def set(self, token: str) -> None:
        if self._keychain:
            keyring.set_password(SERVICE, NAME, token)
        else:
            atomic_write(self._file, token.encode())
            os.chmod(self._file, 0o600)

    def forget(self) -> None:
        if self._keychain:
            with contextlib.suppress(keyring.errors.KeyringError):
                keyring.delete_password(SERVICE, NAME)
        self._file.unlink(missing_ok=True)

    def _own(self) -> str | None:
        if self._keychain:
            with contextlib.suppress(keyring.errors.KeyringError):
                return keyring.get_password(SERVICE, NAME)
        with contextlib.suppress(OSError):
            return self._file.read_text().strip() or None
        return None


def _has_keychain() -> bool:
    """A backend of priority 1 or more is a real one; others keep nothing, or plain text."""
    try:
        return keyring.get_keyring().priority >= 1  # type: ignore[operator]
    except Exception:  # a backend that cannot even say so
        return False

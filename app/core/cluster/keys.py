"""This controller's key, which another window or command on the same data may change."""

from __future__ import annotations

from pathlib import Path

from app.core.cluster.registry import not_written
from shardd.host import SentenceError
from shardd.identity import (
    Identity,
    load_or_create_identity,
    prepare_next_identity,
    take_next_identity,
)

NAME = "controller"


class OwnKey:
    """current: the identity to connect with. Raises IdentityError and OSError as its files do."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.current: Identity = load_or_create_identity(directory, NAME)

    def prepare(self) -> Identity:
        """The key to come; the same one until it is taken. Raises ShardboardError where the disk refuses."""
        try:
            return prepare_next_identity(self._directory, NAME)
        except OSError as error:
            raise not_written(self._directory, error) from error

    def take(self) -> None:
        """The key to come is ours from now on."""
        take_next_identity(self._directory)
        self.current = load_or_create_identity(self._directory, NAME)

    def refresh(self) -> None:
        """Reads it again; a folder that cannot be read leaves it as it is."""
        try:
            self.current = load_or_create_identity(self._directory, NAME)
        except SentenceError:
            return

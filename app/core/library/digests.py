"""The digest of each unit: BLAKE3 of its whole content, remembered for as long as the source files do not change."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from pathlib import Path

from blake3 import blake3

from app.core.text import phrase
from shardd.host import atomic_write, private_directory
from shardd.model.errors import CheckpointError
from shardd.model.units import Unit, unit_header, unit_pieces


class DigestCache:
    """One small file per model directory under root. Safe for several threads; calls block on the disk."""

    def __init__(self, root: Path) -> None:
        self._root = private_directory(root)
        self._known: dict[str, str] = {}
        self._read: set[Path] = set()
        self._lock = threading.Lock()

    def known(self, unit: Unit) -> str | None:
        """The digest where it was computed before and no source file has changed since."""
        key = _key(unit)
        with self._lock:
            self._load(self._file(unit))
            return self._known.get(key) if key else None

    def digest(self, unit: Unit) -> str:
        """The digest, computed where it is not known.

        Raises:
            CheckpointError: a file cannot be read, or changed meanwhile.
        """
        known = self.known(unit)
        if known is not None:
            return known
        before = _key(unit)
        hasher = blake3()
        for piece in unit_pieces(unit):
            hasher.update(piece)
        if before is None or _key(unit) != before:
            raise CheckpointError(
                phrase("The files in {folder} changed while they were read.", folder=unit.tensors[0].file.parent),
                phrase("Wait until the model is downloaded, then try again."),
            )
        with self._lock:
            self._known[before] = hasher.hexdigest()
            return self._known[before]

    def save(self, units: tuple[Unit, ...]) -> None:
        """Writes what is known of one model's units: all of them, or those left out are hashed again some day."""
        if not units:
            return
        keys = [key for unit in units if (key := _key(unit))]
        with self._lock:
            entries = {key: self._known[key] for key in keys if key in self._known}
            atomic_write(self._file(units[0]), json.dumps(entries).encode())

    def _file(self, unit: Unit) -> Path:
        folder = str(unit.tensors[0].file.parent)
        return self._root / f"{hashlib.sha256(folder.encode()).hexdigest()[:16]}.json"

    def _load(self, file: Path) -> None:
        if file in self._read:
            return
        self._read.add(file)
        try:
            entries = json.loads(file.read_bytes())
            self._known |= {str(key): str(value) for key, value in entries.items()}
        except (OSError, ValueError, AttributeError):
            return  # a damaged cache costs one more hashing


def _key(unit: Unit) -> str | None:
    """Changes with the unit's form, with its place in the files, and with the files themselves. None: one is gone."""
    hasher = hashlib.sha256(unit_header(unit))
    facts: dict[Path, os.stat_result] = {}
    for tensor in unit.tensors:
        if tensor.file not in facts:
            try:
                facts[tensor.file] = tensor.file.stat()
            except OSError:
                return None
        fact = facts[tensor.file]
        place = (str(tensor.file), tensor.offset, fact.st_size, fact.st_mtime_ns, fact.st_ino)
        hasher.update(repr(place).encode())
    return hasher.hexdigest()

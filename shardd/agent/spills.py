"""Where kept caches lie on this machine's disk, and when they go. The names are digests, never a caller's words.

<data>/kept/<shard id>/<digest of what else must be the same>/<number>.safetensors
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Collection
from importlib.metadata import version
from pathlib import Path

from blake3 import blake3

from shardd.store.manifest import is_digest

LAYOUT = "1"  # of what the files hold


class Spills:
    """root: the folder of all kept caches; made when the first is written."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def folder(self, shard_id: str, bits: int) -> Path:
        """For caches of this shard, at rest in so many bits, of the versions that run here."""
        if not is_digest(shard_id):
            raise ValueError("a shard's id that is no digest")
        kind = "/".join((LAYOUT, str(bits), version("mlx"), version("mlx-lm")))
        return self._root / shard_id / blake3(kind.encode()).hexdigest()[:16]

    def forget(self, shard_id: str) -> None:
        """Removes all kept caches of a shard."""
        if is_digest(shard_id):
            shutil.rmtree(self._root / shard_id, ignore_errors=True)

    def sweep(self, shards: Collection[str]) -> None:
        """Removes the kept caches of shards that are not on this machine any more."""
        with contextlib.suppress(OSError):
            for name in os.listdir(self._root):
                if name not in shards:
                    shutil.rmtree(self._root / name, ignore_errors=True)

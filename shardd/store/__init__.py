"""Units on disk: content-addressed, verified, resumable."""

from shardd.store.errors import DiskFull, ManifestError, StoreError, UnitBusy, WrongDigest
from shardd.store.limit import read_limit, write_limit
from shardd.store.manifest import ShardManifest, UnitReference
from shardd.store.store import Store, UnitState
from shardd.store.writer import UnitWriter

__all__ = [
    "DiskFull",
    "ManifestError",
    "ShardManifest",
    "Store",
    "StoreError",
    "UnitBusy",
    "UnitReference",
    "UnitState",
    "UnitWriter",
    "WrongDigest",
    "read_limit",
    "write_limit",
]

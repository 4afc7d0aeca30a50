"""What can go wrong with units and shards on disk."""

from shardd.host.errors import SentenceError


class StoreError(SentenceError):
    """A unit or a shard that cannot be kept, found or removed."""


class ManifestError(StoreError):
    """A manifest that is not well-formed."""


class WrongDigest(StoreError):
    """The bytes that arrived are not the ones that were announced. The partial unit is gone."""


class UnitBusy(StoreError):
    """Another push writes this unit already."""


class DiskFull(StoreError):
    """Not enough room. `missing` says by how many bytes."""

    missing: int

    def __init__(self, cause: str, remedy: str, missing: int) -> None:
        super().__init__(cause, remedy)
        self.missing = missing

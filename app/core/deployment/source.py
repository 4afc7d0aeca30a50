"""What is pushed to nodes: blobs with a digest, read straight from the checkpoint's files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from blake3 import blake3

from app.core.library.digests import DigestCache
from shardd.model.inventory import Inventory
from shardd.model.units import Unit, unit_pieces, unit_size
from shardd.rpc.options import PIECE_BYTES


@dataclass(frozen=True, slots=True)
class Blob:
    """One thing to push. pieces(start) gives its bytes from an offset on, about 1 MB at a time.

    changed() tells whether its content is another one by now than what was hashed.
    """

    name: str
    digest: str
    size: int
    pieces: Callable[[int], Iterator[bytes]]
    changed: Callable[[], bool]


@dataclass(frozen=True, slots=True)
class ModelSource:
    """A model as blobs: its blueprint, and one blob per unit."""

    blueprint: Blob
    units: dict[str, Blob]


def blueprint_blob(inventory: Inventory) -> Blob:
    content = inventory.blueprint()

    def pieces(start: int) -> Iterator[bytes]:
        for at in range(start, len(content), PIECE_BYTES):
            yield content[at : at + PIECE_BYTES]

    return Blob("blueprint", blake3(content).hexdigest(), len(content), pieces, lambda: False)


def unit_blob(unit: Unit, digests: DigestCache) -> Blob:
    """Hashes the unit where that was not done before: blocks on the disk."""
    digest = digests.digest(unit)
    return Blob(
        unit.name,
        digest,
        unit_size(unit),
        lambda start: unit_pieces(unit, PIECE_BYTES, start),
        lambda: digests.known(unit) != digest,
    )


def model_source(inventory: Inventory, digests: DigestCache, progress: Callable[[int], None]) -> ModelSource:
    """All blobs of a model. progress(bytes hashed or known so far). Blocks on the disk: call it in a thread."""
    units: dict[str, Blob] = {}
    done = 0
    for unit in inventory.units:
        units[unit.name] = unit_blob(unit, digests)
        done += unit.nbytes
        progress(done)
    return ModelSource(blueprint_blob(inventory), units)

"""The store: whole units, partial units and the shards made of them.

root/units/<digest>     whole: verified, synced, read-only. Being here is what makes a unit whole.
root/partial/<digest>   arriving; believed only after it was hashed again
root/shards/<id>.json   manifests
"""

import contextlib
import fcntl
import os
import stat
import threading
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from blake3 import blake3

from shardd.host.paths import TEMPORARY_PREFIX, atomic_write, disk_free, private_directory, read_file
from shardd.host.sizes import format_bytes
from shardd.store.errors import DiskFull, StoreError, UnitBusy
from shardd.store.eviction import HeldShard, evictable
from shardd.store.folder import Folder
from shardd.store.manifest import LARGEST_MANIFEST, LARGEST_UNIT, ShardManifest, is_digest
from shardd.store.writer import UnitWriter, disk_error

MOST_SHARDS = 1024
DEFAULT_RESERVE = 2_000_000_000
"""Bytes that shards leave free on the disk: macOS misbehaves on a full one."""

WANTED_S = 600.0

_SUFFIX = ".json"
_HASH_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class UnitState:
    """What is here of a unit: its digest, how many bytes, and whether it is whole and verified."""

    digest: str
    have_bytes: int
    whole: bool


class Store:
    """Units and shards in a folder. Safe to use from several threads; calls block on the disk.

    Only one agent may use a folder (hold `shardd.host.locked(root, wait=False)`); two by mistake cannot
    damage a unit, for each writer locks its file.

    Args:
        root: made private (0700).
        in_use: tells whether a shard is loaded; such a shard is neither deleted nor evicted. It must not call back.
        reserve_bytes: what to leave free on the disk.
        limit_bytes: what all shards together may take; None: what the disk has. Where something new does not fit, the
            shards that were used longest ago give way.
        free: how many bytes the disk has free, for tests.

    Raises:
        HostError: the folder cannot be used.
    """

    def __init__(
        self,
        root: Path,
        in_use: Callable[[str], bool] = lambda shard_id: False,
        reserve_bytes: int = DEFAULT_RESERVE,
        free: Callable[[Path], int] = disk_free,
        limit_bytes: int | None = None,
    ) -> None:
        self._root = private_directory(root)
        self._units = Folder(root / "units")
        self._partial = Folder(root / "partial")
        self._shards = Folder(root / "shards")
        self._in_use = in_use
        self._reserve = reserve_bytes
        self._free = free
        self.limit_bytes = limit_bytes
        self._wanted: dict[str, float] = {}  # units that a controller asked about: when
        self._lock = threading.RLock()
        self._writers: dict[str, UnitWriter] = {}

    # Units

    def states(self, digests: Sequence[str]) -> dict[str, UnitState]:
        """Tell what is here of each unit. Nothing is hashed.

        Raises:
            StoreError: a digest is malformed.
        """
        return {digest: self._state(_checked(digest)) for digest in digests}

    def offered(self, digests: Sequence[str]) -> dict[str, UnitState]:
        """As states, for units that are about to be used: they are not evicted in the next minutes."""
        states = self.states(digests)
        now = time.monotonic()
        with self._lock:
            self._wanted = {digest: at for digest, at in self._wanted.items() if now - at < WANTED_S}
            self._wanted |= dict.fromkeys(digests, now)
        return states

    def path(self, digest: str) -> Path | None:
        """Return where a whole unit lies; None where it is not whole.

        Raises:
            StoreError: the digest is malformed.
        """
        return None if self.size(digest) is None else self._units.path / digest

    def size(self, digest: str) -> int | None:
        """Return a whole unit's size in bytes; None where it is not whole.

        Raises:
            StoreError: the digest is malformed.
        """
        return self._units.size(_checked(digest))

    def open_writer(self, digest: str, size: int) -> UnitWriter:
        """Begin or go on receiving a unit of `size` bytes; `offset` of the result says from where.

        Returns at once: bytes from an earlier push are hashed again beside the writing. A unit that is whole already
        gives a writer that has nothing to do.

        Raises:
            UnitBusy: another push writes it.
            DiskFull: not enough room for what is still to come, with what other pushes have announced.
            StoreError: the digest or the size is malformed, or the disk refused.
        """
        _checked(digest)
        if not 0 < size <= LARGEST_UNIT:
            raise StoreError("The size of a unit is impossible.", "Deploy again.")
        with self._lock:
            if digest in self._writers:
                raise _busy()
            try:
                writer = self._open_writer(digest, size)
            except OSError as error:
                raise disk_error(error, size) from error
            self._writers[digest] = writer
            return writer

    def verify(self, digest: str) -> bool:
        """Hash a whole unit again; one that is damaged is removed, to be pushed anew. Takes 0.4 s a gigabyte.

        Returns:
            Whether the unit is here and right.

        Raises:
            StoreError: the digest is malformed, or the disk refused.
        """
        _checked(digest)
        try:
            descriptor = self._units.open_read(digest)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise disk_error(error, 0) from error
        with os.fdopen(descriptor, "rb", buffering=0) as file:
            hasher, buffer = blake3(), bytearray(_HASH_BYTES)
            try:
                while count := file.readinto(buffer):
                    hasher.update(memoryview(buffer)[:count])
            except OSError as error:
                raise disk_error(error, 0) from error
        if hasher.hexdigest() == digest:
            return True
        self._units.remove(digest)
        return False

    # Shards

    def put_shard(self, manifest: ShardManifest) -> None:
        """Record a shard whose units are all whole. Recording it again changes nothing.

        Raises:
            StoreError: units are missing or have another size, there are too many shards, or the disk refused.
        """
        with self._lock:
            sizes = self._units.sizes()
            missing = manifest.digests - sizes.keys()
            if missing:
                raise StoreError(
                    f"{len(missing)} of the {len(manifest.digests)} units of layers {manifest.first} to "
                    f"{manifest.last} of {manifest.model} are missing on this machine.",
                    "Deploy again: only what is missing is sent.",
                )
            for unit in manifest.units:
                if sizes[unit.digest] != unit.bytes:
                    raise StoreError(f"The unit {unit.name} has another size than announced.", "Deploy again.")
            names = self._shards.sizes()
            name = f"{manifest.shard_id}{_SUFFIX}"
            for digest in manifest.digests:  # from now on the shard speaks for them
                self._wanted.pop(digest, None)
            # A damaged file of that name is written anew.
            if name in names and any(known.shard_id == manifest.shard_id for known in self._manifests()):
                self.used(manifest.shard_id)
                return
            if name not in names and len(names) >= MOST_SHARDS:
                raise StoreError(f"This machine holds {MOST_SHARDS} shards already.", "Delete some of them first.")
            try:
                atomic_write(self._shards.path / name, manifest.to_json().encode())
            except OSError as error:
                raise disk_error(error, LARGEST_MANIFEST) from error

    def shards(self) -> tuple[ShardManifest, ...]:
        """Return the shards that can be loaded, by model and range. Damaged or incomplete ones are left out."""
        sizes = self._units.sizes()
        usable = [manifest for manifest in self._manifests() if _is_complete(manifest, sizes)]
        return tuple(sorted(usable, key=lambda shard: (shard.model, shard.first, shard.last, shard.shard_id)))

    def shard(self, shard_id: str) -> ShardManifest | None:
        """Return one shard that can be loaded; None where it is not here."""
        return next((manifest for manifest in self.shards() if manifest.shard_id == shard_id), None)

    def used(self, shard_id: str) -> None:
        """Note that a shard is being loaded: it is the last to be evicted."""
        with contextlib.suppress(OSError):
            os.utime(self._shards.path / f"{shard_id}{_SUFFIX}")

    def used_at(self, shard_id: str) -> float:
        """Return when a shard was recorded or used last, in seconds since 1970; 0 where it is not here."""
        try:
            return (self._shards.path / f"{shard_id}{_SUFFIX}").stat().st_mtime
        except OSError:
            return 0.0

    def delete_shard(self, shard_id: str) -> int:
        """Delete a shard and those of its units that no other shard needs; return the bytes freed.

        Raises:
            StoreError: the shard is loaded, or not here, or the disk refused.
        """
        if self._in_use(shard_id):
            raise StoreError("The shard is loaded.", "Undeploy the model first.")
        with self._lock:
            manifests = {manifest.shard_id: manifest for manifest in self._manifests()}
            doomed = manifests.pop(shard_id, None)
            if doomed is None:
                raise StoreError("The shard is not on this machine.", "It may have been deleted already.")
            try:
                return self._remove_shard(doomed, manifests.values())
            except OSError as error:
                raise disk_error(error, 0) from error

    # The disk

    def used_bytes(self) -> int:
        """Return what the store takes on the disk, partial units included."""
        return sum(sum(folder.sizes().values()) for folder in (self._units, self._partial, self._shards))

    def free_bytes(self) -> int:
        """Return how many bytes may still be pushed: free on the disk, less the reserve and what is announced.

        Raises:
            StoreError: the disk cannot be asked.
        """
        return max(0, self._room())

    def room_bytes(self) -> int:
        """Return how many bytes may be pushed when everything that may be evicted is.

        Raises:
            StoreError: the disk cannot be asked.
        """
        with self._lock:
            return max(0, self._room() + sum(self._evictable().values()))

    def sweep(self) -> int:
        """Tidy up after a crash; call it when the agent starts. Return the bytes freed.

        Goes: temporary files, empty partials, partials of units that are whole, units whose size is not what their
        shard says. Stays: every partial that a push can go on with, and every unit, with a shard or without.

        Raises:
            StoreError: the disk refused.
        """
        with self._lock:
            units, partials, freed = self._units.sizes(), self._partial.sizes(), 0
            try:
                for name, size in partials.items():
                    if name not in self._writers and (size == 0 or name in units or not is_digest(name)):
                        freed += self._partial.remove(name)
                for name in self._shards.sizes():
                    if name.startswith(TEMPORARY_PREFIX):
                        freed += self._shards.remove(name)
                for unit in (unit for manifest in self._manifests() for unit in manifest.units):
                    if units.get(unit.digest, unit.bytes) != unit.bytes:
                        freed += self._units.remove(unit.digest)
            except OSError as error:
                raise disk_error(error, 0) from error
            return freed

    def prune(self) -> int:
        """Remove every unit that no shard needs and every partial that is not being written; return the bytes freed.

        A push that is under way for a shard not yet recorded has to send such units again.

        Raises:
            StoreError: the disk refused.
        """
        with self._lock:
            needed = {digest for manifest in self._manifests() for digest in manifest.digests}
            try:
                freed = sum(self._units.remove(name) for name in self._units.sizes().keys() - needed)
                return freed + sum(self._partial.remove(name) for name in self._partial.sizes().keys() - self._writers)
            except OSError as error:
                raise disk_error(error, 0) from error

    def _state(self, digest: str) -> UnitState:
        whole = self._units.size(digest)
        if whole is not None:
            return UnitState(digest, whole, True)
        return UnitState(digest, self._partial.size(digest) or 0, False)

    def _open_writer(self, digest: str, size: int) -> UnitWriter:
        whole = self._units.size(digest)
        if whole is not None:
            if whole != size:
                raise StoreError("A unit was announced with another size than it has here.", "Deploy again.")
            return UnitWriter(digest, size, None, size, self._partial, self._units, lambda: self._forget(digest))
        self._check_room(size - (self._partial.size(digest) or 0))
        descriptor = self._partial.open_append(digest)
        try:
            offset = self._lock_partial(descriptor, digest, size)
        except BaseException:
            os.close(descriptor)
            raise
        return UnitWriter(digest, size, descriptor, offset, self._partial, self._units, lambda: self._forget(digest))

    def _lock_partial(self, descriptor: int, digest: str, size: int) -> int:
        """Lock a partial file against other processes; return how many bytes to keep of it."""
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise _busy() from error
        # Between opening and locking, another process may have finished the unit and moved it away.
        if not self._partial.is_same(digest, descriptor) or not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise _busy()
        offset = os.fstat(descriptor).st_size
        if offset > size:
            os.ftruncate(descriptor, 0)
            return 0
        return offset

    def _forget(self, digest: str) -> None:
        with self._lock:
            self._writers.pop(digest, None)

    def _room(self) -> int:
        with self._lock:
            announced = sum(writer.remaining for writer in self._writers.values())
        try:
            room = self._free(self._root) - self._reserve - announced
        except OSError as error:
            raise disk_error(error, 0) from error
        return room if self.limit_bytes is None else min(room, self.limit_bytes - self.used_bytes() - announced)

    def _evictable(self) -> dict[str, int]:
        """What may give way, the first to go first, with the bytes that it frees: units without a shard, then shards.

        Not what is loaded, being written, or wanted by a controller just now.
        """
        sizes = self._units.sizes()
        shards = [
            HeldShard(manifest.shard_id, manifest.digests, self.used_at(manifest.shard_id))
            for manifest in self._manifests()
        ]
        now = time.monotonic()
        safe = {digest for digest, at in self._wanted.items() if now - at < WANTED_S} | self._writers.keys()
        return evictable(shards, sizes, safe, self._in_use)

    def _make_room(self, missing: int) -> None:
        """Evict until so many bytes are free, or nothing more may go."""
        for name, frees in self._evictable().items():
            if missing <= 0:
                return
            missing -= frees
            manifests = {manifest.shard_id: manifest for manifest in self._manifests()}
            doomed = manifests.pop(name, None)
            if doomed is None:
                self._units.remove(name)
            else:
                self._remove_shard(doomed, manifests.values(), self._wanted.keys())

    def _remove_shard(
        self, doomed: ShardManifest, others: Iterable[ShardManifest], wanted: Collection[str] = ()
    ) -> int:
        """Remove a shard and its units, but for those that others need or that are wanted; return the bytes freed."""
        needed = {digest for manifest in others for digest in manifest.digests}
        # The manifest goes first: a crash in between leaves units without a shard, never the reverse.
        freed = self._shards.remove(f"{doomed.shard_id}{_SUFFIX}")
        self._shards.sync()
        return freed + sum(self._units.remove(digest) for digest in doomed.digests.difference(needed, wanted))

    def _check_room(self, wanted: int) -> None:
        missing = wanted - self._room()
        if missing > 0:
            self._make_room(missing)
            missing = wanted - self._room()
        if missing <= 0:
            return
        if self.limit_bytes is not None and self._free(self._root) - self._reserve >= wanted:
            raise DiskFull(
                f"The shards on this machine may take {format_bytes(self.limit_bytes)}, and {format_bytes(missing)} "
                "more are needed than older shards can give way for.",
                "Allow more there (shardd run --store-limit), or give it fewer layers.",
                missing,
            )
        raise DiskFull(
            f"The disk lacks {format_bytes(missing)}: {format_bytes(self._reserve)} always stay free.",
            f"Free {format_bytes(missing)} on this machine, delete shards there, or give it fewer layers.",
            missing,
        )

    def _manifests(self) -> list[ShardManifest]:
        """Return every readable manifest, also those with units missing."""
        found: list[ShardManifest] = []
        for name in self._shards.sizes():
            if name.endswith(_SUFFIX) and is_digest(name.removesuffix(_SUFFIX)):
                try:
                    manifest = ShardManifest.from_json(read_file(self._shards.path / name, LARGEST_MANIFEST))
                except (OSError, StoreError):
                    continue
                if name == f"{manifest.shard_id}{_SUFFIX}":
                    found.append(manifest)
        return found


def _is_complete(manifest: ShardManifest, sizes: dict[str, int]) -> bool:
    return manifest.digests <= sizes.keys() and all(sizes[unit.digest] == unit.bytes for unit in manifest.units)


def _checked(digest: str) -> str:
    if not is_digest(digest):
        raise StoreError("The name of a unit is malformed.", "Update Shardboard and shardd to the same version.")
    return digest


def _busy() -> UnitBusy:
    return UnitBusy("The same unit is arriving from another push.", "Wait for that one to end.")

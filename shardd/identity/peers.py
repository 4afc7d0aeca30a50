"""The durable list of pinned peers: one small JSON file each, named after the fingerprint."""

import json
import os
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import cast

from shardd.host.paths import TEMPORARY_PREFIX, atomic_write, private_directory, read_file, sync_directory
from shardd.identity.certificates import Role, TrustedPeer, is_fingerprint, parse_certificate
from shardd.identity.errors import IdentityError

MOST_PEERS = 256
"""More than any home has; each pinned certificate costs time in every handshake."""

_LARGEST_FILE = 16384
_SUFFIX = ".json"
_Stamp = tuple[int, int, int, int]


class TrustedPeers:
    """The peers this device trusts, as they lie in a folder. Safe to use from several threads.

    Another process (`shardd pair`) may change the folder at any time: every call looks at the folder again, and
    parses only the files that changed (0.1 ms for ten peers). A file that is damaged, or whose content
    is not what its name says, is skipped and reported by `problems`.

    Args:
        directory: made private (0700) if need be.

    Raises:
        HostError: the folder cannot be used.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = private_directory(directory)
        self._lock = threading.Lock()
        self._known: dict[str, tuple[_Stamp, TrustedPeer | IdentityError]] = {}

    def all(self) -> tuple[TrustedPeer, ...]:
        """Return the pinned peers, the oldest first.

        Raises:
            IdentityError: the folder cannot be read. Nobody may be trusted then.
        """
        peers = [entry for entry in self._entries() if isinstance(entry, TrustedPeer)]
        return tuple(sorted(peers, key=lambda peer: (peer.added_at, peer.fingerprint)))

    def problems(self) -> tuple[IdentityError, ...]:
        """Return what is wrong with files that were skipped.

        Raises:
            IdentityError: as `all`.
        """
        return tuple(entry for entry in self._entries() if isinstance(entry, IdentityError))

    def get(self, fingerprint: str) -> TrustedPeer | None:
        """Return the pinned peer with this fingerprint; None where it is not trusted.

        Raises:
            IdentityError: as `all`.
        """
        return next((peer for peer in self.all() if peer.fingerprint == fingerprint), None)

    def add(self, pem: bytes, name: str, role: Role, follows: str = "") -> TrustedPeer:
        """Pin a certificate, durably. A peer that is pinned already takes the new name and role.

        Args:
            pem, name, role: as `TrustedPeer`.
            follows: the certificate whose place this one is to take; it goes when that one is removed.

        Raises:
            IdentityError: it is no certificate of a device, the list is full, or the disk refused.
        """
        peer = replace(parse_certificate(pem, name, role, added_at=time.time()), follows=follows)
        pinned = self.all()
        same = next((known for known in pinned if replace(known, added_at=peer.added_at) == peer), None)
        if same is not None:  # a full disk is no reason not to start
            return same
        if len(pinned) >= MOST_PEERS and all(known.fingerprint != peer.fingerprint for known in pinned):
            raise IdentityError(f"This device is paired with {MOST_PEERS} others already.", "Unpair one of them first.")
        try:
            atomic_write(self._path(peer.fingerprint), _to_json(peer))
        except OSError as error:
            raise self._refused(error) from error
        return peer

    def remove(self, fingerprint: str) -> bool:
        """Forget a peer and whoever follows it, durably; a damaged file of its name goes too.

        False where there was none.
        Connections that are open stay open: the caller cancels them.

        Raises:
            IdentityError: the disk refused.
        """
        if not is_fingerprint(fingerprint):
            return False
        for follower in self.all():
            if follower.follows == fingerprint:
                self.remove(follower.fingerprint)
        try:
            os.unlink(self._path(fingerprint))
            sync_directory(self._directory)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise self._refused(error) from error
        return True

    def _entries(self) -> list[TrustedPeer | IdentityError]:
        with self._lock:
            try:
                stamps = self._stamps()
            except OSError as error:
                raise self._refused(error) from error
            fresh: dict[str, tuple[_Stamp, TrustedPeer | IdentityError]] = {}
            for name, stamp in stamps.items():
                known = self._known.get(name)
                if known and known[0] == stamp:
                    fresh[name] = known
                elif (entry := self._read(name)) is not None:
                    fresh[name] = (stamp, entry)
            self._known = fresh
            return [entry for _, entry in fresh.values()]

    def _stamps(self) -> dict[str, _Stamp]:
        stamps: dict[str, _Stamp] = {}
        with os.scandir(self._directory) as entries:
            for entry in entries:
                if entry.name.endswith(_SUFFIX) and not entry.name.startswith(TEMPORARY_PREFIX):
                    try:
                        facts = entry.stat(follow_symlinks=False)
                    except FileNotFoundError:
                        continue
                    # A replaced file has another inode, even within one tick of the clock.
                    stamps[entry.name] = (facts.st_ino, facts.st_mtime_ns, facts.st_ctime_ns, facts.st_size)
        return stamps

    def _read(self, name: str) -> TrustedPeer | IdentityError | None:
        path = self._directory / name
        try:
            peer = _from_json(read_file(path, _LARGEST_FILE))
        except FileNotFoundError:
            # Removed since the folder was listed.
            return None
        except (OSError, ValueError, RecursionError, IdentityError) as error:
            return IdentityError(f"The pairing in {path} is damaged ({error}).", "Delete the file, and pair again.")
        if name != f"{peer.fingerprint}{_SUFFIX}":
            return IdentityError(f"The pairing in {path} is for another device.", "Delete the file, and pair again.")
        return peer

    def _path(self, fingerprint: str) -> Path:
        return self._directory / f"{fingerprint}{_SUFFIX}"

    def _refused(self, error: OSError) -> IdentityError:
        return IdentityError(
            f"The list of paired devices in {self._directory} cannot be used: {error.strerror or error}.",
            "Check the folder's permissions and the free space on its disk.",
        )


def _to_json(peer: TrustedPeer) -> bytes:
    record = {"name": peer.name, "role": peer.role, "added_at": peer.added_at, "pem": peer.pem.decode("ascii")}
    if peer.follows:
        record["follows"] = peer.follows
    return json.dumps(record, indent=1).encode()


def _from_json(data: bytes) -> TrustedPeer:
    """Read a peer.

    Raises:
        ValueError: not the form that `_to_json` writes.
        IdentityError: the certificate is none of a device.
    """
    record = cast(object, json.loads(data))
    if not isinstance(record, dict):
        raise ValueError("not an object")
    fields = cast(dict[str, object], record)
    name, role, added_at, pem = (fields.get(key) for key in ("name", "role", "added_at", "pem"))
    if not isinstance(name, str) or not isinstance(pem, str) or not isinstance(added_at, int | float):
        raise ValueError("a field is missing")
    if role not in ("controller", "agent"):
        raise ValueError("an unknown role")
    follows = fields.get("follows", "")
    if follows != "" and not (isinstance(follows, str) and is_fingerprint(follows)):
        raise ValueError("it follows nobody")
    return replace(parse_certificate(pem.encode("ascii"), name, role, float(added_at)), follows=follows)

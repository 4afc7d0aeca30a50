"""Kept caches on this machine's disk: one safetensors file each, readable by its owner only.

    <root>/<shard>/<kind>/<number, 16 hex digits>.safetensors

The agent chooses the folder, so that a file is only ever read by a stage of the same units, range, bits and versions.
Everything that is not as it was written is a file that is not there. No call here touches MLX.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import stat
from array import array
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from blake3 import blake3

from shardd.host.paths import TEMPORARY_PREFIX, private_directory, write_all

FORMAT = "shardboard-kept-1"
MAX_HEADER_BYTES = 16 * 1024 * 1024
MAX_FILES = 4096  # looked at in one stage's folder
TOKEN_IDS = "token_ids"
ITEM_BYTES = {
    "F32": 4, "F16": 2, "BF16": 2, "F64": 8, "I8": 1, "I16": 2, "I32": 4, "I64": 8,
    "U8": 1, "U16": 2, "U32": 4, "U64": 8, "BOOL": 1,
}  # fmt: skip

_NAME = re.compile(r"([0-9a-f]{16})\.safetensors")

Buffer = bytes | bytearray | memoryview


@dataclass(frozen=True, slots=True)
class Tensor:
    """An array as it lies in a file. dtype as safetensors names it; data: its bytes."""

    dtype: str
    shape: tuple[int, ...]
    data: Buffer


@dataclass(frozen=True, slots=True)
class SpilledCache:
    """What a file holds.

    tokens: how many the cache holds. token_ids: which, in the head's files only. trims: whether the cache can forget
    its last tokens. entries: descriptions of its parts; JSON values. full_bytes: what it would take without fewer bits.
    """

    tokens: int
    token_ids: array[int]
    trims: bool
    entries: list[Any]
    tensors: tuple[Tensor, ...]
    full_bytes: int = 0


class Damaged(Exception):
    """A file is not what was written."""


class SpillFolder:
    """The files of one stage. limit_bytes: what all stages' files on this machine may take together.

    Raises HostError where the folder cannot be used; after that, what cannot be done is not done, and said.
    """

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        self._root = private_directory(folder.parent.parent)
        private_directory(folder.parent)
        self._folder = private_directory(folder)
        self._limit = limit_bytes
        for debris in list(self._folder.glob(f"{TEMPORARY_PREFIX}*")):
            debris.unlink(missing_ok=True)

    def numbers(self) -> list[int]:
        """Which caches lie here, the latest used first."""
        found: list[tuple[int, int]] = []
        with contextlib.suppress(OSError), os.scandir(self._folder) as entries:
            for entry in entries:
                match = _NAME.fullmatch(entry.name)
                with contextlib.suppress(OSError):
                    if match and entry.is_file(follow_symlinks=False):
                        found.append((entry.stat(follow_symlinks=False).st_mtime_ns, int(match[1], 16)))
        return [number for _, number in sorted(found, reverse=True)[:MAX_FILES]]

    def write(self, number: int, cache: SpilledCache) -> bool:
        """Puts a cache's file here, whole or not at all; makes room for it. False: it is not here."""
        ids = Tensor("I32", (len(cache.token_ids),), array("i", cache.token_ids).tobytes())
        tensors = {TOKEN_IDS: ids} | {str(place): tensor for place, tensor in enumerate(cache.tensors)}
        record = json.dumps(
            {
                "number": number,
                "tokens": cache.tokens,
                "trims": cache.trims,
                "full_bytes": cache.full_bytes,
                "entries": cache.entries,
            },
            separators=(",", ":"),
        )
        header = _header(record, tensors)
        size = 8 + len(header) + sum(memoryview(tensor.data).nbytes for tensor in tensors.values())
        if size > self._limit or len(header) > MAX_HEADER_BYTES:
            return False
        self._make_room(size)
        temporary = self._folder / f"{TEMPORARY_PREFIX}{secrets.token_hex(8)}"
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            try:
                write_all(descriptor, len(header).to_bytes(8, "little") + header)
                for tensor in tensors.values():
                    write_all(descriptor, memoryview(tensor.data).cast("B"))
            finally:
                os.close(descriptor)
            os.replace(temporary, self._path(number))  # a power cut may still tear it: the digest tells
        except OSError:
            with contextlib.suppress(OSError):
                temporary.unlink()
            return False
        return True

    def read(self, number: int) -> SpilledCache | None:
        """A cache, verified; None where it is not here. What is damaged is removed."""
        try:
            with self._opened(number) as descriptor:
                size = os.fstat(descriptor).st_size
                header, record = _read_header(descriptor, number)
                begin = os.lseek(descriptor, 0, os.SEEK_CUR)
                data = _read_exactly(descriptor, size - begin)
            if header["__metadata__"]["digest"] != _digest(record, _tensors(header), [data]):
                raise Damaged("another content")
            with contextlib.suppress(OSError):
                os.utime(self._path(number))
            return _cache_of(record, header, memoryview(data))
        except FileNotFoundError:
            return None
        except (OSError, Damaged):
            self.remove(number)
            return None

    def token_ids(self, number: int) -> tuple[array[int], bool] | None:
        """The tokens of the head's file, and whether the cache can forget its last ones; the rest is not verified."""
        try:
            with self._opened(number) as descriptor:
                header, record = _read_header(descriptor, number)
                ids = array("i", bytes(_read_exactly(descriptor, 4 * int(record["tokens"]))))
            if header[TOKEN_IDS].get("shape") != [len(ids)]:
                raise Damaged("no token ids")
            return array("q", ids), record["trims"]
        except FileNotFoundError:
            return None
        except (OSError, Damaged):
            self.remove(number)
            return None

    def remove(self, number: int) -> None:
        with contextlib.suppress(OSError):
            self._path(number).unlink()

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:016x}.safetensors"

    @contextlib.contextmanager
    def _opened(self, number: int) -> Generator[int]:
        descriptor = os.open(self._path(number), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise Damaged("no regular file")
            yield descriptor
        finally:
            os.close(descriptor)

    def _make_room(self, size: int) -> None:
        """Removes files of any stage, those used longest ago first, until there is room for so many bytes."""
        files = list(_files(self._root))
        for path in to_remove([(facts.st_mtime_ns, facts.st_size, path) for path, facts in files], size, self._limit):
            with contextlib.suppress(OSError):
                path.unlink()


def to_remove(files: Sequence[tuple[int, int, Path]], size: int, limit: int) -> list[Path]:
    """Which of these files (time of use, bytes, path) go, so that `size` bytes more stay within `limit`."""
    excess = sum(each[1] for each in files) + size - limit
    doomed: list[Path] = []
    for _, freed, path in sorted(files):
        if excess <= 0:
            break
        doomed.append(path)
        excess -= freed
    return doomed


def _files(root: Path) -> Iterator[tuple[Path, os.stat_result]]:
    for folder, _, names in os.walk(root):
        for name in names:
            with contextlib.suppress(OSError):
                facts = os.lstat(Path(folder) / name)
                if stat.S_ISREG(facts.st_mode):
                    yield Path(folder) / name, facts


def _header(record: str, tensors: dict[str, Tensor]) -> bytes:
    table: dict[str, Any] = {}
    offset = 0
    for name, tensor in tensors.items():
        size = prod(tensor.shape) * ITEM_BYTES[tensor.dtype]
        table[name] = {"dtype": tensor.dtype, "shape": list(tensor.shape), "data_offsets": [offset, offset + size]}
        offset += size
    digest = _digest(json.loads(record), table, [tensor.data for tensor in tensors.values()])
    metadata = {"format": FORMAT, "digest": digest, "record": record}
    text = json.dumps({"__metadata__": metadata} | table, separators=(",", ":")).encode()
    return text + b" " * (-len(text) % 8)  # so that the arrays begin at a multiple of eight


def _digest(record: Any, table: dict[str, Any], data: Sequence[Buffer]) -> str:
    hasher = blake3(json.dumps([record, table], sort_keys=True).encode())
    for part in data:
        hasher.update(part)
    return hasher.hexdigest()


def _read_header(descriptor: int, number: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """The header and the record in it, of the cache with this number. Raises Damaged."""
    length = int.from_bytes(_read_exactly(descriptor, 8), "little")
    if length > MAX_HEADER_BYTES:
        raise Damaged("a header that is too long")
    try:
        header: dict[str, Any] = json.loads(bytes(_read_exactly(descriptor, length)))
        record: dict[str, Any] = json.loads(header["__metadata__"]["record"])
        if (
            header["__metadata__"]["format"] != FORMAT
            or record["number"] != number
            or not (record["tokens"] > 0 and isinstance(record["trims"], bool))
        ):
            raise Damaged("another cache")
        if not isinstance(header["__metadata__"]["digest"], str) or header[TOKEN_IDS]["data_offsets"][0] != 0:
            raise Damaged("no token ids in the first place")
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise Damaged("no header of ours") from error
    return header, record


def _tensors(header: dict[str, Any]) -> dict[str, Any]:
    return {name: entry for name, entry in header.items() if name != "__metadata__"}


def _cache_of(record: dict[str, Any], header: dict[str, Any], data: memoryview) -> SpilledCache:
    """From a header that the digest has vouched for."""
    table = _tensors(header)
    tensors = {
        name: Tensor(entry["dtype"], tuple(entry["shape"]), data[slice(*entry["data_offsets"])])
        for name, entry in table.items()
    }
    ids = array("i", bytes(tensors.pop(TOKEN_IDS).data))
    return SpilledCache(
        record["tokens"],
        array("q", ids),
        record["trims"],
        record["entries"],
        tuple(tensors[str(place)] for place in range(len(tensors))),
        record["full_bytes"],
    )


def _read_exactly(descriptor: int, size: int) -> bytearray:
    """Raises Damaged where the file is shorter."""
    if size < 0:
        raise Damaged("an impossible size")
    if size > os.fstat(descriptor).st_size:
        raise Damaged("a file that is too short")
    data = bytearray(size)
    view = memoryview(data)
    done = 0
    while done < size:
        count = os.readv(descriptor, [view[done:]])
        if not count:
            raise Damaged("a file that is too short")
        done += count
    return data

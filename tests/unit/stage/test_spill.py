"""Kept caches as files: whole or not there, within their limit, and readable by any reader of safetensors."""

from __future__ import annotations

import os
import stat
from array import array
from pathlib import Path

import mlx.core as mx
import pytest

from shardd.agent.spills import Spills
from shardd.stage.spill import SpilledCache, SpillFolder, Tensor, to_remove

ENTRIES = [{"class": "a.Cache", "state": {"keys": {"array": 0}, "offset": {"plain": 3}}}]


def cache(size: int = 6, fill: int = 1) -> SpilledCache:
    tensor = Tensor("F16", (1, size, 2), bytes([fill]) * (4 * size))
    return SpilledCache(3, array("q", [7, 8, 70_000]), True, ENTRIES, (tensor, Tensor("U32", (0,), b"")), 99)


def folder(tmp_path: Path, limit: int = 1 << 20, name: str = "kind") -> SpillFolder:
    return SpillFolder(tmp_path / "kept" / "shard" / name, limit)


def the_file(tmp_path: Path) -> Path:
    (found,) = (tmp_path / "kept").rglob("*.safetensors")
    return found


def test_comes_back_as_it_was(tmp_path: Path) -> None:
    written = folder(tmp_path)
    assert written.write(2**63 + 5, cache())
    path = the_file(tmp_path)
    assert path.name == "8000000000000005.safetensors" and stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    again = folder(tmp_path)
    assert again.numbers() == [2**63 + 5]
    back = again.read(2**63 + 5)
    assert back and (back.tokens, back.token_ids, back.trims, back.entries) == (3, cache().token_ids, True, ENTRIES)
    assert [bytes(tensor.data) for tensor in back.tensors] == [b"\1" * 24, b""] and back.full_bytes == 99
    assert again.token_ids(2**63 + 5) == (cache().token_ids, True)
    arrays = mx.load(str(path))
    assert (
        isinstance(arrays, dict) and arrays["0"].shape == (1, 6, 2) and arrays["token_ids"].tolist() == [7, 8, 70_000]
    )
    assert again.read(1) is None and again.token_ids(1) is None
    again.remove(2**63 + 5)
    assert again.numbers() == []


def test_every_damage_is_a_miss(tmp_path: Path) -> None:
    spill = folder(tmp_path)
    assert spill.write(1, cache())
    path = the_file(tmp_path)
    whole = path.read_bytes()
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 0x10
        path.write_bytes(damaged)
        spill.token_ids(1)
        back = spill.read(1)
        # White space in the header says nothing; everything else is covered.
        assert back is None or (back == cache() and bytes(back.tensors[0].data) == b"\1" * 24), place
    for length in (0, 5, 8, 100, len(whole) - 1):
        path.write_bytes(whole[:length])
        assert spill.read(1) is None and not path.exists(), "what is damaged goes"
    path.write_bytes(whole + b"more")
    assert spill.read(1) is None


def test_another_cache_under_this_name_is_a_miss(tmp_path: Path) -> None:
    spill = folder(tmp_path)
    assert spill.write(1, cache())
    path = the_file(tmp_path)
    path.rename(path.with_name(f"{2:016x}.safetensors"))
    assert spill.read(2) is None
    os.symlink("/dev/zero", path)
    assert spill.read(1) is None and spill.numbers() == []


def test_a_half_written_file_is_swept(tmp_path: Path) -> None:
    spill = folder(tmp_path)
    assert spill.write(1, cache())
    debris = the_file(tmp_path).parent / ".tmp-0123"
    debris.write_bytes(b"half of a cache")
    assert folder(tmp_path).numbers() == [1] and not debris.exists()


@pytest.mark.parametrize(
    ("files", "size", "limit", "doomed"),
    [
        ([(1, 40), (2, 40)], 20, 100, []),
        ([(2, 40), (1, 40)], 21, 100, [1]),
        ([(3, 40), (1, 40), (2, 10)], 100, 100, [1, 2, 3]),
    ],
)
def test_the_longest_unused_go(files: list[tuple[int, int]], size: int, limit: int, doomed: list[int]) -> None:
    paths = [(used, size_, Path(str(used))) for used, size_ in files]
    assert to_remove(paths, size, limit) == [Path(str(number)) for number in doomed]


def test_all_stages_share_the_limit(tmp_path: Path) -> None:
    one, other = folder(tmp_path, 3500, "one"), folder(tmp_path, 3500, "other")
    for number in (1, 2):
        assert one.write(number, cache(200))
        os.utime(
            the_file(tmp_path) if number == 1 else tmp_path / "kept/shard/one" / f"{2:016x}.safetensors",
            (number, number),
        )
    assert one.read(1), "used again: the other one is older now"
    assert other.write(3, cache(200))
    assert (one.numbers(), other.numbers()) == ([1], [3])
    assert not other.write(4, cache(2000)), "larger than all there is"


def test_the_agent_s_folders(tmp_path: Path) -> None:
    spills = Spills(tmp_path / "kept")
    shards = ["a" * 64, "b" * 64]
    folders = {spills.folder(shard, bits) for shard in shards for bits in (0, 8)}
    assert len(folders) == 4 and all(each.is_relative_to(tmp_path / "kept") for each in folders)
    with pytest.raises(ValueError, match="digest"):
        spills.folder("../../etc", 0)
    for each in folders:
        assert SpillFolder(each, 1 << 20).write(1, cache())
    spills.sweep(shards[:1])
    assert [path.name for path in (tmp_path / "kept").iterdir()] == shards[:1]
    spills.forget(shards[0])
    spills.forget("../kept")
    assert list((tmp_path / "kept").iterdir()) == []

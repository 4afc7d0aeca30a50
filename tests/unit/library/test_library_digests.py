"""Digests are those of the bytes sent, are remembered, and are forgotten when a file changes."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from blake3 import blake3

from app.core.library import digests
from app.core.library.digests import DigestCache
from shardd.model.errors import CheckpointError
from shardd.model.headers import TensorInfo
from shardd.model.units import Unit, unit_pieces


def tensor(name: str, file: Path, offset: int, nbytes: int) -> TensorInfo:
    return TensorInfo(name, "U8", (nbytes,), file, offset, nbytes)


@pytest.fixture
def units(tmp_path: Path) -> tuple[Unit, ...]:
    """Two units in two files; the second one reads from both."""
    files = [tmp_path / "model" / f"model-{number}.safetensors" for number in (1, 2)]
    files[0].parent.mkdir()
    for number, file in enumerate(files):
        file.write_bytes(bytes(range(number, number + 200)))
    return (
        Unit("embedding", (tensor("e", files[0], 0, 100),)),
        Unit("layer.0", (tensor("a", files[0], 100, 100), tensor("b", files[1], 0, 200))),
    )


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the units that were hashed."""
    names: list[str] = []

    def pieces(unit: Unit):  # type: ignore[no-untyped-def]
        names.append(unit.name)
        return unit_pieces(unit)

    monkeypatch.setattr(digests, "unit_pieces", pieces)
    return names


def real(unit: Unit) -> str:
    return blake3(b"".join(unit_pieces(unit))).hexdigest()


def test_a_digest_is_of_the_units_whole_content(tmp_path: Path, units: tuple[Unit, ...]) -> None:
    cache = DigestCache(tmp_path / "digests")
    assert [cache.digest(unit) for unit in units] == [real(unit) for unit in units]


def test_digests_are_remembered_and_survive_a_restart(
    tmp_path: Path, units: tuple[Unit, ...], reads: list[str]
) -> None:
    cache = DigestCache(tmp_path / "digests")
    assert cache.known(units[0]) is None
    found = [cache.digest(unit) for unit in units]
    assert cache.known(units[0]) == found[0]
    cache.save(units)
    again = DigestCache(tmp_path / "digests")
    assert [again.digest(unit) for unit in units] == found
    assert reads == ["embedding", "layer.0"]
    assert [file.suffix for file in (tmp_path / "digests").iterdir()] == [".json"]


def rewritten(file: Path) -> None:
    file.write_bytes(file.read_bytes()[::-1])
    os.utime(file, ns=(0, 5))


def touched(file: Path) -> None:
    os.utime(file, ns=(0, 5))


def longer(file: Path) -> None:
    facts = file.stat()
    file.write_bytes(file.read_bytes() + b"more")
    os.utime(file, ns=(facts.st_atime_ns, facts.st_mtime_ns))


def replaced(file: Path) -> None:
    facts = file.stat()
    other = file.with_suffix(".new")
    other.write_bytes(file.read_bytes()[::-1])
    os.utime(other, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    other.replace(file)


@pytest.mark.parametrize("change", [rewritten, touched, longer, replaced])
def test_a_changed_file_is_hashed_again(
    tmp_path: Path, units: tuple[Unit, ...], reads: list[str], change: object
) -> None:
    cache = DigestCache(tmp_path / "digests")
    for unit in units:
        cache.digest(unit)
    cache.save(units)
    assert callable(change)
    change(units[1].tensors[1].file)
    for later in (cache, DigestCache(tmp_path / "digests")):
        assert later.known(units[0]) is not None, "it reads only the other file"
        assert later.known(units[1]) is None
    assert cache.digest(units[1]) == real(units[1])
    assert reads == ["embedding", "layer.0", "layer.0"]


def test_a_tensor_of_another_name_has_another_digest(tmp_path: Path, units: tuple[Unit, ...]) -> None:
    cache = DigestCache(tmp_path / "digests")
    file = units[0].tensors[0].file
    assert cache.digest(units[0]) != cache.digest(Unit("embedding", (tensor("f", file, 0, 100),)))
    assert cache.digest(units[0]) != cache.digest(Unit("embedding", (tensor("e", file, 50, 100),)))


def test_a_file_that_changes_while_it_is_hashed_is_refused(
    tmp_path: Path, units: tuple[Unit, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    def pieces(unit: Unit):  # type: ignore[no-untyped-def]
        yield from unit_pieces(unit)
        rewritten(unit.tensors[0].file)

    cache = DigestCache(tmp_path / "digests")
    monkeypatch.setattr(digests, "unit_pieces", pieces)
    with pytest.raises(CheckpointError, match="changed while they were read"):
        cache.digest(units[0])
    assert cache.known(units[0]) is None


def test_a_file_that_is_gone_is_told_in_words(tmp_path: Path, units: tuple[Unit, ...]) -> None:
    cache = DigestCache(tmp_path / "digests")
    units[0].tensors[0].file.unlink()
    assert cache.known(units[0]) is None
    with pytest.raises(CheckpointError, match="cannot be read"):
        cache.digest(units[0])
    cache.save(units)


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff\xfe", b'"text"'])
def test_a_damaged_cache_costs_one_more_hashing(tmp_path: Path, units: tuple[Unit, ...], content: bytes) -> None:
    cache = DigestCache(tmp_path / "digests")
    cache.digest(units[0])
    cache.save(units)
    (file,) = (tmp_path / "digests").iterdir()
    file.write_bytes(content)
    assert DigestCache(tmp_path / "digests").digest(units[0]) == real(units[0])


def test_several_threads_may_ask_at_once(tmp_path: Path, units: tuple[Unit, ...]) -> None:
    cache = DigestCache(tmp_path / "digests")
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(cache.digest, units * 8))
    assert found == [real(unit) for unit in units] * 8


def test_nothing_to_save_is_nothing(tmp_path: Path) -> None:
    DigestCache(tmp_path / "digests").save(())
    assert list((tmp_path / "digests").iterdir()) == []

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from shardd.host import HostError, atomic_write, data_directory, disk_free, locked, private_directory, read_file


def mode_of(path: Path) -> int:
    return stat.S_IMODE(os.lstat(path).st_mode)


def test_the_data_folder_is_the_first_that_is_given(tmp_path: Path) -> None:
    assert data_directory(tmp_path / "a", {"SHARDD_DATA": str(tmp_path / "b")}) == tmp_path / "a"
    assert data_directory(None, {"SHARDD_DATA": str(tmp_path / "b")}) == tmp_path / "b"
    assert data_directory(None, {"SHARDD_DATA": "~/x"}) == Path.home() / "x"
    assert data_directory(Path("x"), {}) == Path.cwd() / "x"
    usual = data_directory(None, {"SHARDD_DATA": ""})
    assert usual.is_absolute() and usual.name == "shardd"


def test_a_private_folder_is_made_with_its_parents_and_tightened(tmp_path: Path) -> None:
    made = private_directory(tmp_path / "a" / "b")
    assert mode_of(made) == mode_of(made.parent) == 0o700
    made.chmod(0o755)
    assert mode_of(private_directory(made)) == 0o700


@pytest.mark.parametrize("kind", ["file", "link", "shared"])
def test_what_is_no_folder_of_our_own_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "x"
    if kind == "file":
        path.write_text("")
    elif kind == "link":
        path.symlink_to(tmp_path)
    else:
        path.mkdir()
        path.chmod(0o1777)
    with pytest.raises(HostError) as caught:
        private_directory(path)
    assert str(path) in caught.value.cause
    assert caught.value.remedy


def test_an_atomic_write_replaces_the_file_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "f"
    atomic_write(path, b"old", 0o644)
    old_umask = os.umask(0o077)
    try:
        atomic_write(path, b"new", 0o640)
    finally:
        os.umask(old_umask)
    assert path.read_bytes() == b"new"
    assert mode_of(path) == 0o640
    assert os.listdir(tmp_path) == ["f"]


def test_a_failed_write_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "f"
    atomic_write(path, b"old")

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(OSError, match="No space"):
        atomic_write(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["f"]


def test_reading_is_bounded_and_follows_no_link(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"12345")
    assert read_file(path, 5) == b"12345"
    with pytest.raises(OSError, match="larger"):
        read_file(path, 4)
    (tmp_path / "link").symlink_to(path)
    with pytest.raises(OSError, match=r"symbolic links|symlink"):
        read_file(tmp_path / "link", 5)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="regular"):
        read_file(tmp_path / "pipe", 5)


def test_the_lock_of_a_folder_holds_between_processes_and_ends_with_them(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from shardd.host import locked\n"
        "with locked(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with other:
        assert other.stdout is not None and other.stdout.readline() == b"held\n"
        with pytest.raises(HostError, match="Another shardd"), locked(tmp_path, wait=False):
            pass
        other.kill()
        with locked(tmp_path):
            pass
    with locked(tmp_path, wait=False):
        pass


def test_free_space_is_told_for_folders_that_do_not_exist_yet(tmp_path: Path) -> None:
    assert disk_free(tmp_path / "not" / "yet") > 0

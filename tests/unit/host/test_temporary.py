"""Temporary folders of programs that were killed are swept, and no others."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from shardd.host.temporary import sweep_temporary, temporary_folder

HOLD = """
import sys
from shardd.host.temporary import temporary_folder
with temporary_folder("shardboard-") as folder:
    (folder / "shard").write_bytes(b"x")
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def own_temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


def test_it_is_gone_afterwards(own_temporary: Path) -> None:
    with temporary_folder("shardd-") as folder:
        (folder / "file").write_bytes(b"x")
        assert folder.parent == own_temporary and sweep_temporary() == ()
    assert not folder.exists()


def test_what_a_killed_program_leaves_is_swept_by_the_next(own_temporary: Path) -> None:
    program = subprocess.Popen([sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert program.stdout is not None
    folder = Path(program.stdout.readline().strip())
    assert sweep_temporary() == () and (folder / "shard").exists(), "its program is alive"
    program.kill()
    program.communicate()
    assert (folder / "shard").exists()
    assert sweep_temporary() == (folder,)
    assert not folder.exists()


def test_what_is_not_ours_stays(own_temporary: Path) -> None:
    (own_temporary / "shardboard-being-made").mkdir()
    (own_temporary / "another").mkdir()
    (own_temporary / "another" / ".lock").touch()
    target = own_temporary / "target"
    target.mkdir()
    (target / ".lock").touch()
    (own_temporary / "shardd-link").symlink_to(target)
    (own_temporary / "shardd-file").touch()
    assert sweep_temporary() == ()
    assert len(list(own_temporary.iterdir())) == 5

"""The laws of the house: lint, types, imports, current stubs, pinned versions, and no traces of a machine."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
LONGEST_FILE = 450


def run(*command: str) -> None:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-3000:]


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in listed.stdout.decode().split("\0") if name and (ROOT / name).is_file()]


def test_lint() -> None:
    run(str(BIN / "ruff"), "check", "--no-cache", ".")


def test_format() -> None:
    run(str(BIN / "ruff"), "format", "--no-cache", "--check", ".")


@pytest.mark.timeout(420)
def test_types() -> None:
    run(str(BIN / "basedpyright"), "--level", "error")


def test_imports_run_downhill() -> None:
    run(str(BIN / "lint-imports"), "--no-cache")


def test_stubs_are_current(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "grpc_tools.protoc", "-Ishardd/rpc=protos/shardd/v1"]
    command += [f"--{kind}_out={tmp_path}" for kind in ("python", "pyi", "grpc_python")]
    run(*command, *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "protos" / "shardd" / "v1").glob("*.proto")))
    made = {path.name: path.read_text() for path in (tmp_path / "shardd" / "rpc").iterdir()}
    kept = {path.name: path.read_text() for path in (ROOT / "shardd" / "rpc").glob("*_pb2*.py*")}
    assert kept == made, "run: sh packaging/protos"


def test_every_requirement_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["test"]]
    pinned = (ROOT / "packaging" / "constraints.txt").read_text()
    names = {line.split("==")[0].lower().replace("_", "-") for line in pinned.splitlines()}
    missing = [name for name in wanted if re.split(r"[\[;<>=! ]", name)[0].lower().replace("_", "-") not in names]
    assert not missing
    assert "://" not in pinned


def test_no_machine_paths_or_registries() -> None:
    """Nothing that is committed names this machine or an index."""
    pattern = re.compile(r"(?<![\w.])(/work/|/root/|/home/\w)|pypi\.org|files\.pythonhosted|registry\.npmjs")
    allowed = Path(__file__)
    found = [
        f"{path.relative_to(ROOT)}: {match.group()}"
        for path in tracked()
        if path != allowed and path.suffix not in (".png", ".ttf", ".otf", ".safetensors")
        for match in pattern.finditer(path.read_text(errors="replace"))
    ]
    assert not found


def test_no_file_is_two_rooms() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in tracked()
        if path.suffix == ".py" and "_pb2" not in path.name and "recipe/topics" not in str(path)  # those are texts
        if (lines := len(path.read_text().splitlines())) > LONGEST_FILE
    }
    assert not long


def test_qt_keeps_references_to_none(qapp: object) -> None:
    """PySide6 6.12.0 on Python below 3.12 lost a reference to None per void call, until the program aborted."""
    from PySide6.QtWidgets import QLabel

    label = QLabel()
    before = sys.getrefcount(None)
    for number in range(1000):
        label.setText(str(number))
    assert abs(sys.getrefcount(None) - before) < 100
    label.deleteLater()

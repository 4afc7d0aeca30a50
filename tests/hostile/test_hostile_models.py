"""Model directories that want harm are refused or harmless, in every way in which a model is looked at."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from app.core.controller import Controller
from app.core.errors import SentenceError
from app.core.paths import controller_paths
from app.core.placement.placement import even_split
from tests.hostile.models import DIRECTORIES, good

ABOVE_BYTES = 64 << 20
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Zoo:
    """root/good, and root/NAME of each hostile directory. The canary appears when code of theirs runs."""

    root: Path
    canary: Path

    def folder(self, name: str) -> Path:
        return self.root / name


@pytest.fixture(scope="module")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zoo]:
    made = Zoo(tmp_path_factory.mktemp("zoo"), tmp_path_factory.mktemp("mine") / "canary")
    good(made.root / "good")
    for hostile in DIRECTORIES:
        hostile.make(made.folder(hostile.name), made.canary)
    yield made
    assert not made.canary.exists()


def surveyed(folder: Path) -> tuple[dict[str, Any], int]:
    """What the child process that reads a model says, and the most memory that it took."""
    command = [sys.executable, "-m", "shardd.model.survey", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT)
    peak = 0
    over = threading.Event()

    def look() -> None:
        nonlocal peak
        while not over.wait(0.005):
            try:
                peak = max(peak, psutil.Process(process.pid).memory_info().rss)
            except psutil.Error:
                return

    watch = threading.Thread(target=look)
    watch.start()
    out, errors = process.communicate(timeout=60)
    over.set()
    watch.join()
    lines = out.splitlines()
    return (json.loads(lines[-1]) if lines else {"error": errors.decode()[-300:]}), peak


@pytest.fixture(scope="module")
def usual_bytes(zoo: Zoo) -> int:
    document, peak = surveyed(zoo.folder("good"))
    assert document["layer_count"] == 12
    return peak


@pytest.mark.in_turn
@pytest.mark.parametrize("hostile", DIRECTORIES, ids=lambda each: each.name)
def test_a_survey_refuses_it_or_takes_no_harm(zoo: Zoo, usual_bytes: int, hostile: Any) -> None:
    document, peak = surveyed(zoo.folder(hostile.name))
    if hostile.described:
        assert document["layer_count"] == 12
    else:
        assert document["cause"].endswith((".", ". ")), document
    assert peak < usual_bytes + ABOVE_BYTES
    assert not zoo.canary.exists()


@pytest.mark.in_turn
def test_tokenizers_and_templates(zoo: Zoo) -> None:
    """One process loads them all, so that what one leaves behind counts as well."""
    folders = [str(zoo.folder(name)) for name in ("good", *(each.name for each in DIRECTORIES))]
    done = subprocess.run(
        [sys.executable, "-m", "tests.hostile.attempt", *folders],
        capture_output=True,
        text=True,
        timeout=170,
        cwd=ROOT,
        check=True,
    )
    *lines, figures = [json.loads(line) for line in done.stdout.splitlines()]
    outcomes = {line["name"]: line["outcome"] for line in lines}
    expected = {each.name for each in DIRECTORIES if each.loaded}
    assert {name for name, outcome in outcomes.items() if outcome == "loaded"} == expected
    assert all(" " in outcome for name, outcome in outcomes.items() if name not in expected), outcomes
    assert "did not come to an end" in outcomes["endless-template"]
    assert "memory" in outcomes["doubling-template"].lower()
    assert figures["peak"] < figures["baseline"] + ABOVE_BYTES, figures
    assert not zoo.canary.exists()


async def test_choosing_and_deploying_one(zoo: Zoo, tmp_path: Path) -> None:
    """Through the controller, with a real agent: what cannot be used is refused before a byte moves."""
    paths = controller_paths(tmp_path / "controller")
    controller = Controller(paths, local_agents=("local",), known_nodes=False, discover=False)
    try:
        await controller.start()
        await controller.wait_ready()
        for name in ("pickles-alone", "model-file", "index-traversal", "flood-header", "pipes", "billion-layers"):
            with pytest.raises(SentenceError):
                await controller.choose_model(str(zoo.folder(name)))
                await controller.deploy(even_split(("local",), 12), 128)
        await controller.choose_model(str(zoo.folder("pickles-beside")))
        await controller.deploy(even_split(("local",), 12), 128)
        assert controller.snapshot().deployment.model
    finally:
        await controller.close()
    assert not zoo.canary.exists()


@pytest.mark.parametrize("name", ["code-beside", "wide-header", "escaping-template"])
@pytest.mark.parametrize("command", [("models", "show"), ("plan",)], ids=" ".join)
def test_the_command_line_says_one_sentence(zoo: Zoo, name: str, command: tuple[str, ...]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "app.cli.main", *command, str(zoo.folder(name))],
        capture_output=True,
        text=True,
        timeout=60,
        stdin=subprocess.DEVNULL,
        cwd=ROOT,
    )
    assert "Traceback" not in done.stderr
    if name == "wide-header":
        assert done.returncode == 1
        assert len(done.stderr.strip().splitlines()) == 1
    assert not zoo.canary.exists()

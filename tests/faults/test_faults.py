"""The fault suite, short: see `python -m tests.faults --help` for long."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NOT_HERE = 3  # what calm answers where the system has no namespaces


def run(module: str, *arguments: str, seconds: float = 280) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=seconds,
    )
    print(done.stdout)
    return done


@pytest.mark.in_turn
def test_answers_outlive_what_they_run_on() -> None:
    done = run("tests.faults", "--machines", "3", "--streams", "2", "--faults", "2", "--seed", "20",
               "--pairs", "0", "--moves", "0", "--only", "kill stage,kill agent,cut,freeze machine")  # fmt: skip
    assert done.returncode == 0


@pytest.mark.in_turn
def test_faults_of_every_kind() -> None:
    assert run("tests.faults", "--faults", "12", "--minutes", "2").returncode == 0


@pytest.mark.in_turn
def test_without_namespaces() -> None:
    assert run("tests.faults", "--machines", "3", "--faults", "3", "--no-network").returncode == 0


@pytest.mark.in_turn
@pytest.mark.parametrize("what", ["loss", "push", "idle", "prefill"])
def test_nobody_is_given_up_for_being_slow(what: str, shared: Path) -> None:
    done = run("tests.faults.calm", what)
    if done.returncode == NOT_HERE:
        pytest.skip(done.stdout.strip())
    assert done.returncode == 0

"""The whole story of tests.ui.story, once: real events in a real window under Xvfb."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
STEPS = (
    "first-start",
    "pair-by-code",
    "paired",
    "a-model-that-fits",
    "add-machine",
    "three-machines",
    "download",
    "on-this-disk",
    "carried",
    "placed-by-drag",
    "deployed",
    "two-answers",
    "answered",
    "boundary-moved",
    "layers-moved",
    "moved-and-answered",
    "machine-lost",
    "answer-went-on",
    "recovered",
    "export-dialog",
    "exported",
    "found-again",
    "conversations",
    "goes-on",
    "links",
    "shards",
    "settings",
)


@pytest.mark.timeout(600)
def test_the_first_day(tmp_path: Path) -> None:
    missing = [program for program in ("Xvfb", "xdotool") if not shutil.which(program)]
    if missing:
        pytest.skip(f"{' and '.join(missing)} is needed; sh packaging/test installs them where it may")
    done = subprocess.run(
        [sys.executable, "-m", "tests.ui.story", str(tmp_path)], cwd=ROOT, capture_output=True, text=True, timeout=580
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-6000:]
    assert [path.stem.partition("-")[2] for path in sorted(tmp_path.glob("*.png"))] == list(STEPS)

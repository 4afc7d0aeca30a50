"""What every test gets: a home of its own, the shared material, and a check that nothing is left behind."""

from __future__ import annotations

import datetime
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"
SETTLE_S = 5.0

# The machine is shared: how long one example takes says nothing.
settings.register_profile("shardboard", deadline=None)
settings.load_profile("shardboard")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A twelfth of the tests marked `in_turn` runs each day, with SHARDBOARD_SLOW_TESTS=1 all: it stays short."""
    if os.environ.get("SHARDBOARD_SLOW_TESTS"):
        return
    today = datetime.date.today().toordinal()
    for number, item in enumerate(each for each in items if each.get_closest_marker("in_turn")):
        if (number + today) % 12:
            item.add_marker(pytest.mark.skip(reason="another day's; SHARDBOARD_SLOW_TESTS=1 runs it"))


@pytest.fixture(scope="session", autouse=True)
def own_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """No test touches the user's folders."""
    home = tmp_path_factory.mktemp("home")
    patch = pytest.MonkeyPatch()
    patch.setenv("HOME", str(home))
    patch.setenv("SHARDBOARD_DATA", str(home / "shardboard"))
    patch.setenv("SHARDD_DATA", str(home / "shardd"))
    patch.setenv("HF_HOME", str(home / "huggingface"))
    patch.setenv("HF_HUB_OFFLINE", "1")
    temporary = home / "tmp"
    temporary.mkdir()
    patch.setenv("TMPDIR", str(temporary))
    patch.setattr(tempfile, "tempdir", None)  # it remembers where it was first
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        patch.setenv(name, str(home / name.lower()))
    yield home
    patch.undo()


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of shared material beside the checkout."""
    if not SHARED.is_dir():
        pytest.skip("../shared is not here: it holds the models and tokenizers that this test reads")
    return SHARED


@pytest.fixture(autouse=True)
def nothing_left_behind(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fails a test that leaves a thread or a child process behind. Fixtures of a wider scope may keep theirs."""
    threads, children = set(threading.enumerate()), _children()
    yield
    deadline = time.monotonic() + SETTLE_S
    while time.monotonic() < deadline:
        left = [thread for thread in threading.enumerate() if thread not in threads and not _harmless(thread)]
        orphans = _children() - children
        if not left and not orphans:
            return
        time.sleep(0.05)
    if "keeps_processes" not in request.keywords:
        pytest.fail(f"left behind: threads {[t.name for t in left]}, processes {sorted(orphans)}")


def _children() -> set[int]:
    """Child processes but zombies and helpers of the test run itself."""
    found: set[int] = set()
    for child in psutil.Process(os.getpid()).children(recursive=True):
        try:
            if child.status() != psutil.STATUS_ZOMBIE and child.name() not in ("Xvfb", "pyright", "node"):
                found.add(child.pid)
        except psutil.NoSuchProcess:
            continue
    return found


def _harmless(thread: threading.Thread) -> bool:
    """Threads of pools that live as long as the program."""
    return thread.daemon or thread.name.startswith(("asyncio_", "ThreadPoolExecutor", "tqdm"))

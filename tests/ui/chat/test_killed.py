"""A window that is killed in mid-answer loses at most the last second of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from app.core.chat.shelf import StoreShelf
from app.core.chat.store import ConversationStore

ROOT = Path(__file__).resolve().parents[3]
RUN_S = 2.3  # of the child's own clock, from its first text on


def test_a_kill_loses_at_most_a_second(tmp_path: Path) -> None:
    database = tmp_path / "chat.sqlite"
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.ui.chat.killed_child", str(database)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    lengths: list[tuple[float, int]] = []
    with child.stdout:
        for line in child.stdout:
            at, length = line.split()
            lengths.append((float(at), int(length)))
            if lengths[-1][0] - lengths[0][0] > RUN_S and child.poll() is None:
                child.kill()
    assert child.wait(60) == -9
    store = ConversationStore(database)
    kept = StoreShelf(store).load(store.list()[0].id)
    store.close()
    assert [turn.role for turn in kept.shown] == ["user", "assistant"]
    last = lengths[-1][0]
    a_second_before = max(length for at, length in lengths if at <= last - 1)
    assert a_second_before > 100
    assert a_second_before <= len(kept.shown[1].text) <= lengths[-1][1] + 4000
    assert kept.shown[1].outcome == "interrupted" and kept.shown[1].text.startswith("0 1 2 3 ")

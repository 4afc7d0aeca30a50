"""kill -9 at every call of the operating system, and at random moments: nothing false is ever believed."""

import os
import random
import shutil
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import crash_child
import pytest

from shardd.host.paths import TEMPORARY_PREFIX
from shardd.store import Store

PROGRAM = Path(crash_child.__file__)
PROJECT = Path(__file__).parents[3]
CONTENTS = {
    crash_child.digest_of(content): content for content in (crash_child.BLUEPRINT, crash_child.LAYER, crash_child.LARGE)
}


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(PROJECT), "PYTHONDONTWRITEBYTECODE": "1"}


class Victim:
    """A process that plays a scenario again and again, dying at a later event each time."""

    def __init__(self, root: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(PROGRAM), str(root)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment(),
        )

    def play(self, scenario: str, event: int) -> str:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(f"{scenario} {event}\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def victim(root: Path) -> Generator[Victim]:
    victim = Victim(root)
    with victim.process:
        yield victim
        assert victim.process.stdin is not None
        victim.process.stdin.close()
        assert victim.process.wait(60) == 0


def check_consistent(root: Path) -> Store:
    """What lies in units is whole and right, what lies in partial is a beginning, and every shard is complete."""
    store = Store(root, reserve_bytes=0)
    store.sweep()
    for path in (root / "units").iterdir():
        assert path.read_bytes() == CONTENTS[path.name]
    for path in (root / "partial").iterdir():
        assert CONTENTS[path.name].startswith(path.read_bytes())
    assert not [path for path in (root / "shards").iterdir() if path.name.startswith(TEMPORARY_PREFIX)]
    for shard in store.shards():
        assert all(state.whole for state in store.states(sorted(shard.digests)).values())
    return store


def test_a_push_survives_a_kill_at_each_system_call(root: Path, victim: Victim) -> None:
    kills = 0
    while (outcome := victim.play("push", kills + 1)) == "killed":
        kills += 1
        store = check_consistent(root)
        crash_child.play(root, "push")
        assert [shard.shard_id for shard in store.shards()] == [crash_child.SHARD.shard_id]
        check_consistent(root)
        shutil.rmtree(root)
    assert outcome == "done"
    assert kills > 60, "the scenario has at least 30 calls, each with a moment before and after"
    assert check_consistent(root).shards() == (crash_child.SHARD,)


def test_a_deletion_survives_a_kill_at_each_system_call(root: Path, victim: Victim) -> None:
    crash_child.play(root, "push")
    kills = 0
    while (outcome := victim.play("delete", kills + 1)) == "killed":
        kills += 1
        store = check_consistent(root)
        if not store.shards():
            store.prune()
            assert store.used_bytes() == 0
        crash_child.play(root, "push")
        assert check_consistent(root).shards() == (crash_child.SHARD,)
    assert outcome == "done"
    assert kills > 10
    assert check_consistent(root).used_bytes() == 0


def test_a_push_killed_at_random_moments_goes_on_each_time(root: Path) -> None:
    chance = random.Random(7)
    digest = crash_child.digest_of(crash_child.LARGE)
    before = 0
    for _ in range(8):
        with subprocess.Popen(
            [sys.executable, str(PROGRAM), str(root), "stream"], stdout=subprocess.PIPE, env=environment()
        ) as process:
            assert process.stdout is not None
            pieces = len(process.stdout.read(chance.randint(1, 20)))
            process.kill()
        (state,) = check_consistent(root).states([digest]).values()
        assert state.have_bytes >= min(before + pieces * crash_child.PIECE, len(crash_child.LARGE))
        before = state.have_bytes
        if state.whole:
            break
    store = Store(root, reserve_bytes=0)
    crash_child.push(store, crash_child.LARGE)
    assert store.verify(digest)

"""Several programs of one controller: one changes stages at a time, and the others know that it did."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from app.core.deployment.deployment import Deployment
from app.core.deployment.elsewhere import what_became
from app.core.deployment.live import find_live
from app.core.deployment.turns import Turns
from shardd.rpc import agent_pb2
from tests.unit.deployment.test_remains import A, B, C, cluster, stage

HOLD = """
import asyncio, pathlib, sys
from app.core.deployment.turns import Turns

async def main():
    turns = Turns(pathlib.Path(sys.argv[1]))
    turns.look()
    async with turns.taken():
        if "begin" in sys.argv:
            turns.begin()
        print("taken", flush=True)
        sys.stdin.read()

asyncio.run(main())
"""


def holder(file: Path, *words: str) -> subprocess.Popen[str]:
    """Another program in its turn, until its stdin is closed or it is killed."""
    other = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(file), *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout and other.stdout.readline() == "taken\n"
    return other


def pair(folder: Path) -> tuple[Turns, Turns]:
    one, other = Turns(folder / "turns"), Turns(folder / "turns")
    one.look()
    other.look()
    return one, other


async def test_one_at_a_time(tmp_path: Path) -> None:
    one, other = pair(tmp_path)
    order: list[str] = []
    waits = asyncio.Event()

    async def second() -> None:
        async with other.taken(waits=waits.set):
            order.append("second")

    async with one.taken(waits=lambda: order.append("nobody was there")):
        task = asyncio.create_task(second())
        await waits.wait()
        order.append("first")
    await task
    assert order == ["first", "second"]


@pytest.mark.parametrize("begins", [True, False])
async def test_what_a_killed_program_had_begun_is_known(tmp_path: Path, begins: bool) -> None:
    mine = Turns(tmp_path / "turns")
    mine.look()
    other = holder(tmp_path / "turns", *(["begin"] if begins else []))
    waits = asyncio.Event()

    async def take() -> bool:
        async with mine.taken(waits=waits.set):
            return mine.behind

    try:
        task = asyncio.create_task(take())
        await waits.wait()
        assert not task.done()
    finally:
        other.kill()
        other.communicate()
    assert await task is begins


async def test_who_changed_something_is_not_behind_and_the_other_is(tmp_path: Path) -> None:
    one, other = pair(tmp_path)
    async with one.taken():
        pass
    assert not one.behind and not other.behind, "nothing was changed"
    async with one.taken():
        one.begin()
        assert other.behind and not one.behind
        other.look()  # in the middle of it
        one.settled()
    assert other.behind and not one.behind
    async with other.taken():
        other.begin()
    assert one.behind and other.behind, "it had not looked before, and nothing is whole"


async def test_what_failed_half_way_is_its_own_business(tmp_path: Path) -> None:
    one, other = pair(tmp_path)
    with pytest.raises(ValueError):
        async with one.taken():
            one.begin()
            raise ValueError
    assert not one.behind and other.behind


async def test_an_unloaded_model_is_a_wish(tmp_path: Path) -> None:
    one, other = pair(tmp_path)
    async with one.taken():
        one.begin(unloaded=True)
        one.begin()
    assert other.unloaded
    async with one.taken():
        one.begin(unloaded=True)
        one.settled()
    assert not other.unloaded, "something else was deployed"


async def test_nobody_waits_for_one_that_stands_still(tmp_path: Path) -> None:
    one, patient = Turns(tmp_path / "turns"), Turns(tmp_path / "turns", still_s=0.2)
    async with one.taken():
        for task in asyncio.all_tasks():
            if task.get_name() == "turn":
                task.cancel()
        async with patient.taken():  # else this waits for ever
            pass
    other = holder(tmp_path / "turns")
    try:
        async with one.taken(seconds=0.1):  # nor does a person wait for long
            pass
    finally:
        other.kill()
        other.communicate()


async def test_a_folder_that_cannot_be_written_stops_nobody(tmp_path: Path) -> None:
    turns = Turns(tmp_path / "missing" / "turns")
    turns.look()
    async with turns.taken():
        turns.begin()
        turns.settled()
    assert not turns.behind


def other_model(index: int, first: int, last: int) -> agent_pb2.Stage:
    made = stage(index, first, last, epoch=3)
    made.model = "another"
    return made


WHOLE = cluster(a=[A], b=[B], c=[C])
MOVED = cluster(a=[A], d=[stage(1, 4, 7, lane_port=8)], c=[C])


@pytest.mark.parametrize(
    ("nodes", "unloaded", "expected"),
    [
        (WHOLE, False, ("whole", ["a", "b", "c"])),
        (MOVED, False, ("whole", ["a", "d", "c"])),
        (MOVED, True, ("whole", ["a", "d", "c"])),  # somebody deployed it again
        (cluster(a=[A], d=[stage(1, 4, 7, joined=False)], c=[C]), False, ("parts", ["a", "d", "c"])),
        (cluster(a=[A], c=[C]), False, ("parts", ["a", "b", "c"])),
        (cluster(d=[stage(1, 4, 7, lane_port=8)]), False, ("parts", ["a", "d", "c"])),
        (cluster(a=[stage(0, 0, 5, count=2, epoch=2)]), False, ("parts", ["a", "unknown machine 1"])),
        (cluster(a=[A], c=[C]), True, ("ended", [])),
        (cluster(), False, ("nothing", [])),
        (cluster(), True, ("ended", [])),
        (cluster(a=[other_model(0, 0, 3)], b=[other_model(1, 4, 7)], c=[other_model(2, 8, 11)]), False, ("ended", [])),
        (cluster(a=[other_model(0, 0, 3)]), False, ("ended", [])),
    ],
)
def test_what_became_of_it(nodes: Any, unloaded: bool, expected: tuple[str, list[str]]) -> None:
    former: Deployment = find_live(WHOLE, "me")
    became = what_became(former, nodes, "me", unloaded=unloaded)
    word = "ended" if became.ended else "whole" if became.whole else "parts" if became.deployment else "nothing"
    homes = [] if became.ended or became.deployment is None else [each.node for each in became.deployment.stages]
    assert (word, homes) == expected

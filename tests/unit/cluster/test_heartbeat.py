"""Beats that are late on the way: what a machine answers on another connection counts as life, and silence does not."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from app.core.cluster.client import AgentError
from app.core.cluster.heartbeat import signs_of_life
from shardd.host.silence import Silence
from shardd.rpc import agent_pb2

TICK_S = 0.25


class Clock:
    """A tick passes whenever somebody looks at it."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += TICK_S
        return self.now


class Machine:
    """beats: how many come before they are held up; then the stream goes on, ends or breaks. answers: on the other
    connection, at once; False: never; an error: that."""

    name = "mini-1"

    def __init__(self, beats: int, answers: bool | AgentError, then: str = "") -> None:
        self._beats = beats
        self._answers = answers
        self._then = then
        self.asked = 0

    async def watch(self, interval_ms: int) -> AsyncIterator[agent_pb2.Beat]:
        for number in range(self._beats):
            yield agent_pb2.Beat(number=number)
        if self._then == "breaks":
            raise AgentError("It broke.")
        if self._then != "ends":
            await asyncio.Event().wait()

    async def list_stages(self) -> None:
        self.asked += 1
        if isinstance(self._answers, AgentError):
            raise self._answers
        if not self._answers:
            await asyncio.Event().wait()


async def signs(machine: Machine, count: int) -> list[float | str]:
    """The first so many: "beat", or seconds of silence."""
    found: list[float | str] = []
    async with contextlib.aclosing(signs_of_life(machine, 250, 0.005, lambda: Silence(Clock()))) as coming:
        async for sign in coming:
            found.append("beat" if isinstance(sign, agent_pb2.Beat) else sign)
            if len(found) == count:
                break
    return found


async def test_beats_are_all_that_is_needed() -> None:
    machine = Machine(5, True)
    assert await signs(machine, 5) == ["beat"] * 5 and not machine.asked


async def test_a_machine_that_answers_is_there() -> None:
    machine = Machine(1, True)
    assert await signs(machine, 9) == ["beat", 0.25, 0.5, 0.25, 0.5, 0.25, 0.5, 0.25, 0.5]
    assert machine.asked == 3, "the fourth had no time to be sent"


@pytest.mark.parametrize("answers", [False, AgentError("It cannot be reached.")])
async def test_silence_grows_where_nothing_answers(answers: bool | AgentError) -> None:
    machine = Machine(1, answers)
    found = await signs(machine, 12)
    silent = [sign for sign in found[1:] if isinstance(sign, float)]
    assert silent == sorted(silent) and silent[-1] == 11 * TICK_S
    assert machine.asked <= 10


async def test_how_a_stream_ends() -> None:
    assert await signs(Machine(2, True, "ends"), 9) == ["beat", "beat"]
    with pytest.raises(AgentError, match="It broke"):
        await signs(Machine(2, True, "breaks"), 9)


async def test_answers_alone_are_not_enough_for_ever() -> None:
    with pytest.raises(AgentError, match="mini-1 answers, and says nothing of itself any more"):
        await signs(Machine(1, True), 1_000_000)

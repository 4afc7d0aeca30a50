"""A window and a command line of one controller at once: what is lost is mended by one, and the other sees it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from app.core.controller import Controller
from app.core.library.models import built_in_model
from app.core.paths import controller_paths
from shardd.rpc import agent_pb2
from tests.agents import Agent
from tests.process.programs import Program, deploys, is_token
from tests.process.test_interrupted import back
from tests.process.test_released import stages

PROMPT = [1, 2, 3]


def four_agents(agent: Any, folder: Path) -> list[Agent]:
    Controller(controller_paths(folder), discover=False)  # makes the certificate
    trust = ("--trust", str(controller_paths(folder).identity / "certificate.pem"))
    return [agent(*trust, "--name", f"mini-{number}") for number in (1, 2, 3, 4)]


def story(reference: Any) -> tuple[list[int], list[int]]:
    """A prompt and what is written to it by one process alone."""
    return PROMPT, reference(built_in_model()).run(PROMPT, 96)["token_ids"]


async def two_writing(agent: Any, program: Any, reference: Any, folder: Path) -> tuple[list[Agent], Program, Program]:
    """Four agents, and two programs of one controller, each of which writes an answer; the first has deployed."""
    agents, told = four_agents(agent, folder), story(reference)
    first: Program = program(folder, agents, told)
    await first.until(is_token)
    second: Program = program(folder, [], told)
    await second.until(is_token)
    return agents, first, second


def kill(one: Agent) -> None:
    one.process.kill()
    one.process.communicate()


def continued(told: dict[str, Any]) -> bool:
    return told["kind"] == "note" and told["note"] == "continued"


def mended(program: Program) -> int:
    return sum(told["kind"] == "log" and told["message"].startswith("Recovered: ") for told in program.told)


def all_exact(program: Program) -> bool:
    assert not [told for told in program.told if told["kind"] == "refused"]
    return all(told["exact"] for told in program.told if told["kind"] == "end")


async def ended(*programs: Program) -> None:
    """One more answer of each."""
    await asyncio.gather(*(each.until(lambda told: told["kind"] == "end") for each in programs))


async def one_stage_each(folder: Path, names: Sequence[str]) -> None:
    """What the next program finds, before it tidies."""
    async with back(folder, len(names)) as controller:
        await controller._cluster.refresh_stages()
        found = {name: list(node.stages.values()) for name, node in controller.nodes.items() if node.stages}
        assert {name: len(each) for name, each in found.items()} == dict.fromkeys(names, 1)
        flat = [stage for each in found.values() for stage in each]
        assert all(stage.state == agent_pb2.STAGE_STATE_READY and stage.joined for stage in flat)
        assert len({stage.epoch for stage in flat}) == 1


@pytest.mark.in_turn
async def test_one_of_two_mends(agent: Any, program: Any, reference: Any, tmp_path: Path) -> None:
    folder = tmp_path / "controller"
    agents, first, second = await two_writing(agent, program, reference, folder)
    both = (first, second)

    kill(agents[1])  # its layers move to mini-4
    told = await asyncio.gather(*(each.until(continued) for each in both))
    assert sum("another program moved its layers" in each["message"].lower() for each in told) == 1, told
    await ended(*both)
    assert mended(first) + mended(second) == 1

    (process,) = stages(agents[0])  # it is loaded again in its place
    process.kill()
    await asyncio.gather(*(each.until(continued) for each in both))
    await ended(*both)
    assert mended(first) + mended(second) == 2
    assert all_exact(first) and all_exact(second)
    first.kill()
    second.kill()
    await one_stage_each(folder, ["mini-1", "mini-3", "mini-4"])


@pytest.mark.in_turn
async def test_the_other_takes_up_what_a_killed_one_was_mending(
    agent: Any, program: Any, reference: Any, tmp_path: Path
) -> None:
    folder = tmp_path / "controller"
    agents, first, second = await two_writing(agent, program, reference, folder)

    kill(agents[1])
    working = [asyncio.create_task(each.until(deploys)) for each in (first, second)]
    await asyncio.wait(working, return_when=asyncio.FIRST_COMPLETED)
    mends, other = (first, second) if working[0].done() else (second, first)
    mends.kill()
    for task in working:
        task.cancel()
    await asyncio.gather(*working, return_exceptions=True)
    await other.until(continued)
    await ended(other)
    assert all_exact(other)
    other.kill()
    await one_stage_each(folder, ["mini-1", "mini-3", "mini-4"])

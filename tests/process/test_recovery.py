"""Answers that outlive what they run on: stages and agents that are killed or frozen in the middle of them."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Generator
from contextlib import contextmanager

import pytest

from app.core.controller import Controller
from app.core.generation.request import (
    GenerationEventNote,
    GenerationRequest,
    GenerationResult,
    GenerationUpdate,
    Sampling,
    TokenEvent,
)
from app.core.library.models import built_in_model
from app.core.snapshot import DeploymentState, NodeState
from shardd.stage.orders import PipelineOptions
from tests.clusters import ask
from tests.process.conftest import Opener, eventually
from tests.process.test_pipeline import stage_process

SLOW = PipelineOptions(layer_delay_ms=2.0)
STORY = GenerationRequest(prompt="Once", max_tokens=60, ignore_end=True)


def agent_id(controller: Controller, name: str) -> int:
    agents = controller.local_agents
    assert agents is not None
    return agents.process_ids[agents.names.index(name)]


@contextmanager
def frozen(controller: Controller, name: str) -> Generator[Callable[[], None]]:
    """The agent can be frozen by a call, and goes on at the end: it could not be stopped otherwise."""
    process = agent_id(controller, name)
    try:
        yield lambda: os.kill(process, signal.SIGSTOP)
    finally:
        os.kill(process, signal.SIGCONT)


async def hurt(
    controller: Controller, request: GenerationRequest, after: int, act: Callable[[], object]
) -> tuple[GenerationResult, list[GenerationUpdate]]:
    """The whole answer, where act() happens after so many tokens."""
    seen: list[GenerationUpdate] = []
    async for update in controller.generate(request):
        seen.append(update)
        if isinstance(update, TokenEvent) and sum(isinstance(each, TokenEvent) for each in seen) == after:
            act()
        if isinstance(update, GenerationResult):
            return update, seen
    raise AssertionError("an answer ended without a result")


def kinds(result: GenerationResult) -> list[str]:
    return [event.kind for event in result.events]


async def test_an_answer_goes_on_when_a_stage_is_killed(cluster: Opener) -> None:
    async with cluster(built_in_model(), 3, options=SLOW) as controller:
        plain = await ask(controller, STORY)
        for victim in ("local-1", "local-2", "local-3"):
            process = stage_process(controller, victim)
            result, seen = await hurt(controller, STORY, 10, process.kill)
            assert result.token_ids == plain.token_ids and result.text == plain.text
            assert result.finish_reason == "length" and result.completion_tokens == 60
            assert kinds(result) == ["stage_lost", "continued"]
            lost, continued = result.events
            assert lost.node == victim and "SIGKILL" in lost.message
            assert f"; {victim} loaded layers" in continued.message and " again; continued after" in continued.message
            assert set(continued.parts_ms) == {"noticed", "planned", "pushed", "loaded", "joined", "replayed"}
            place = int(victim[-1]) - 1
            again = continued.replayed_tokens
            assert all(again[: place + 1]) and not any(again[place + 1 :]), "stages after it kept their caches"
            told = [update for update in seen if isinstance(update, GenerationEventNote)]
            assert tuple(told) == result.events, "told while it happened too"
            assert controller.snapshot().deployment.state is DeploymentState.READY


@pytest.mark.in_turn
async def test_several_answers_go_on_each_once(cluster: Opener) -> None:
    seeded = Sampling(temperature=0.9, seed=7, repetition_penalty=1.3, frequency_penalty=0.2, logprobs=True)
    requests = [
        STORY,
        GenerationRequest(prompt="The shard", max_tokens=50, ignore_end=True, sampling=seeded),
        GenerationRequest(prompt="One night", max_tokens=70, ignore_end=True, sampling=Sampling(speculate=False)),
    ]
    async with cluster(built_in_model(), 3, options=SLOW) as controller:
        plain = [await ask(controller, request) for request in requests]
        word = plain[2].text.split()[-3]
        requests.append(GenerationRequest(prompt="One night", max_tokens=70, ignore_end=True, stop=(word,)))
        plain.append(await ask(controller, requests[-1]))
        process = stage_process(controller, "local-2")
        first = hurt(controller, requests[0], 8, process.kill)
        beside = asyncio.gather(*(ask(controller, request) for request in requests[1:]))
        results = [(await first)[0], *await beside]
        assert [each.token_ids for each in results] == [each.token_ids for each in plain]
        assert [each.text for each in results] == [each.text for each in plain]
        assert [each.finish_reason for each in results] == [each.finish_reason for each in plain]
        assert results[1].logprobs == pytest.approx(plain[1].logprobs, abs=1e-3)
        assert all(kinds(each) == ["stage_lost", "continued"] for each in results[:3])
        await eventually(lambda: all(n.beat and not n.beat.stages[0].sequences for n in controller.nodes.values()))


@pytest.mark.in_turn
async def test_layers_move_to_the_machines_that_are_left(cluster: Opener) -> None:
    async with cluster(built_in_model(), 3, options=SLOW) as controller:
        plain = await ask(controller, STORY)
        killed = agent_id(controller, "local-2")
        hit = hurt(controller, STORY, 10, lambda: os.kill(killed, signal.SIGKILL))
        (result, _), beside = await asyncio.gather(hit, ask(controller, STORY))
        assert result.token_ids == beside.token_ids == plain.token_ids
        assert [stage.node for stage in result.stages] == ["local-1", "local-3"]
        assert "its layers 4 to 7 moved to local-1 and local-3" in result.events[-1].message
        assert controller.deployment is not None and controller.deployment.placement.nodes == ("local-1", "local-3")
        assert (await ask(controller, STORY)).token_ids == plain.token_ids


@pytest.mark.in_turn
async def test_a_machine_without_layers_takes_over(cluster: Opener) -> None:
    async with cluster(built_in_model(), 3, "local-1=0-5,local-2=6-11", options=SLOW) as controller:
        plain = await ask(controller, STORY)
        assert controller.deployment is not None
        before = {stage.node: stage.stage_id for stage in controller.deployment.stages}
        with frozen(controller, "local-2") as freeze:
            result, _ = await hurt(controller, STORY, 10, freeze)
            while controller.nodes["local-2"].state is not NodeState.LOST:  # its stage may have ended the answer alone
                result, _ = await hurt(controller, STORY, 10, lambda: None)
            assert result.token_ids == plain.token_ids
            later = await ask(controller, STORY)
            assert later.token_ids == plain.token_ids and [s.node for s in later.stages] == ["local-1", "local-3"]
            after = {stage.node: stage.stage_id for stage in controller.deployment.stages}
            assert after["local-1"] == before["local-1"], "its process was left alone"
        back = controller.nodes["local-2"]
        await eventually(lambda: back.state is NodeState.READY and not back.stages, 60)  # what it had is unloaded


@pytest.mark.in_turn
async def test_a_stage_that_stands_still_is_ended_and_loaded_again(cluster: Opener) -> None:
    async with cluster(built_in_model(), 2, options=SLOW) as controller:
        plain = await ask(controller, STORY)
        result, _ = await hurt(controller, STORY, 10, stage_process(controller, "local-2").suspend)
        assert result.token_ids == plain.token_ids
        assert "stood still for 2.5 s" in result.events[0].message and result.events[0].node == "local-2"
        assert any("has said nothing for 1.2 s" in entry.message for entry in controller.activity())


@pytest.mark.in_turn
async def test_where_nothing_fits_an_answer_waits_for_the_machine(cluster: Opener) -> None:
    async with cluster(built_in_model(), 1, options=PipelineOptions(layer_delay_ms=8.0)) as controller:
        plain = await ask(controller, STORY)
        with frozen(controller, "local-1") as freeze:
            freeze()
            await eventually(lambda: controller.nodes["local-1"].state is NodeState.LOST)
            updates = controller.generate(STORY)
            notes: list[GenerationEventNote] = []
            async for update in updates:
                assert isinstance(update, GenerationEventNote)
                notes.append(update)
                if update.kind == "waiting":
                    break
            assert "There is no machine to place layers on" in notes[-1].message
            assert "The answer goes on when local-1 is back" in notes[-1].message
        async for update in updates:
            if isinstance(update, GenerationResult):
                assert update.token_ids == plain.token_ids
                break
        else:
            raise AssertionError("it ended without a result")
        assert controller.snapshot().deployment.state is DeploymentState.READY


@pytest.mark.in_turn
async def test_undeploying_ends_an_answer_that_waits(cluster: Opener) -> None:
    async with cluster(built_in_model(), 2, options=SLOW) as controller:
        for name in ("local-1", "local-2"):
            os.kill(agent_id(controller, name), signal.SIGKILL)
        asked = asyncio.create_task(ask(controller, STORY))
        await eventually(lambda: "goes on when" in controller.snapshot().deployment.text)
        await controller.undeploy()
        result = await asked
        assert result.finish_reason == "error"
        assert result.events[-1].message == "The model was unloaded."


@pytest.mark.in_turn
async def test_a_stage_that_dies_while_nobody_asks_is_loaded_again(cluster: Opener) -> None:
    async with cluster(built_in_model(), 2) as controller:
        plain = await ask(controller, STORY)
        assert controller.deployment is not None
        port = controller.deployment.stages[0].lane_port
        stage_process(controller, "local-1").kill()
        ready = DeploymentState.READY
        await eventually(
            lambda: (
                controller.deployment is not None
                and controller.deployment.stages[0].lane_port != port
                and controller.snapshot().deployment.state is ready
            )
        )
        result = await ask(controller, STORY)
        assert result.token_ids == plain.token_ids and not result.events


@pytest.mark.in_turn
async def test_an_answer_goes_on_while_its_model_is_placed_anew(cluster: Opener) -> None:
    from app.core.placement.placement import parse_placement

    async with cluster(built_in_model(), 2, "0-5,6-11", options=SLOW) as controller:
        plain = await ask(controller, STORY)
        moves: list[asyncio.Task[None]] = []
        move = controller.deploy(parse_placement("0-3,4-11", tuple(controller.nodes), 12), 512, stop_first=True)
        result, _ = await hurt(controller, STORY, 10, lambda: moves.append(asyncio.create_task(move)))
        await moves[0]
        assert result.token_ids == plain.token_ids
        assert kinds(result) == ["moved", "continued"]
        assert [(stage.first, stage.last) for stage in result.stages] == [(0, 3), (4, 11)]


@pytest.mark.in_turn
async def test_a_machine_that_was_away_learns_that_all_was_unloaded(cluster: Opener) -> None:
    async with cluster(built_in_model(), 2) as controller:
        away = controller.nodes["local-2"]
        process = stage_process(controller, "local-2")
        with frozen(controller, "local-2") as freeze:
            freeze()
            await eventually(lambda: away.state is NodeState.LOST, 60)
            await controller.undeploy()
            assert process.is_running()
        await eventually(lambda: not process.is_running(), 60)

"""Sequences over real stages: sampling, stopping, several at once, and stages that die."""

from __future__ import annotations

import asyncio
import os
import signal

import psutil
import pytest

from app.core.controller import Controller
from app.core.errors import ShardboardError
from app.core.generation.request import GenerationRequest, TokenEvent
from app.core.library.models import built_in_model
from app.core.snapshot import DeploymentState, NodeState
from tests.clusters import ask
from tests.process.conftest import Opener, chat, eventually


def stage_process(controller: Controller, node: str) -> psutil.Process:
    """The process of a node's stage: the agent's child."""
    agents = controller.local_agents
    assert agents is not None
    agent = psutil.Process(agents.process_ids[agents.names.index(node)])
    return next(child for child in agent.children() if "shardd.stage" in " ".join(child.cmdline()))


def caches(controller: Controller) -> int:
    return sum(node.stage.sequences for node in controller.snapshot().nodes if node.stage)


async def test_several_sequences_do_not_mix(cluster: Opener) -> None:
    questions = ["What is a shard?", "Hello!", "What is 3 + 4?", "Tell me a short story.", "Why is my answer slow?"]
    async with cluster(built_in_model(), 3) as controller:
        alone = [await ask(controller, chat(question)) for question in questions]
        together = await asyncio.gather(*(ask(controller, chat(question)) for question in questions))
        assert [r.token_ids for r in together] == [r.token_ids for r in alone]
        # Every stage has given its caches back.
        await eventually(lambda: caches(controller) == 0)


@pytest.mark.in_turn
async def test_seeded_sampling_is_repeatable_also_beside_others(cluster: Opener) -> None:
    settings = {"temperature": 0.9, "top_p": 0.9, "top_k": 40, "min_p": 0.02, "repetition_penalty": 1.1}
    async with cluster(built_in_model(), 2) as controller:
        first = await ask(controller, chat("Tell me a short story.", seed=7, **settings))
        again, _, other = await asyncio.gather(
            ask(controller, chat("Tell me a short story.", seed=7, **settings)),
            ask(controller, chat("Hello!", seed=1, **settings)),
            ask(controller, chat("Tell me a short story.", seed=8, **settings)),
        )
    assert first.token_ids == again.token_ids
    assert first.token_ids != other.token_ids


async def test_logit_bias_and_top_logprobs(cluster: Opener) -> None:
    async with cluster(built_in_model(), 2) as controller:
        plain = await ask(controller, chat("Hello!"))
        banned = await ask(controller, chat("Hello!", logit_bias={plain.token_ids[0]: -100.0}))
        assert banned.token_ids[0] != plain.token_ids[0]
        events: list[TokenEvent] = []
        async for update in controller.generate(chat("Hello!", logprobs=True, top_logprobs=3)):
            if isinstance(update, TokenEvent):
                events.append(update)
    assert all(len(event.top_logprobs) == 3 and event.top_logprobs[0][0] == event.token for event in events)
    assert all(event.logprob == pytest.approx(event.top_logprobs[0][1]) for event in events)


async def test_stop_takes_effect_at_the_next_token(cluster: Opener) -> None:
    async with cluster(built_in_model(), 3) as controller:
        request = GenerationRequest(prompt="Once", max_tokens=400, ignore_end=True)
        seen = 0
        updates = controller.generate(request)
        async for update in updates:
            seen += isinstance(update, TokenEvent)
            if seen == 5:
                break
        await updates.aclose()
        await eventually(lambda: caches(controller) == 0, 60)
        steps = [n.beat.stages[0].steps for n in controller.nodes.values() if n.beat]
        assert max(steps) < 60, steps  # not the 400 that were asked for


async def test_stop_strings(cluster: Opener) -> None:
    async with cluster(built_in_model(), 2) as controller:
        whole = await ask(controller, chat("What is a shard?"))
        word = whole.text.split()[3]
        request = chat("What is a shard?")
        cut = await ask(controller, GenerationRequest(messages=request.messages, max_tokens=64, stop=(word,)))
    assert cut.finish_reason == "stop"
    assert cut.text == whole.text[: whole.text.index(word)]


async def test_refusals_are_sentences(cluster: Opener) -> None:
    async with cluster(built_in_model(), 2, context=64) as controller:
        too_long = await ask(controller, GenerationRequest(prompt_ids=(5,) * 64, max_tokens=4))
        assert too_long.finish_reason == "error"
        assert "The prompt has 64 tokens and the context holds 64." in too_long.events[0].message
        unknown = await ask(controller, GenerationRequest(prompt_ids=(10**6,), max_tokens=4))
        assert "token ids that the model does not know" in unknown.events[0].message
        wrong = await ask(controller, chat("Hello!", temperature=-1.0))
        assert "temperature must be between 0 and 100" in wrong.events[0].message
        filled = await ask(controller, GenerationRequest(prompt="Once", max_tokens=500, ignore_end=True))
        assert filled.finish_reason == "length"
        assert filled.prompt_tokens + filled.completion_tokens == 64


async def test_a_killed_agent_is_named(cluster: Opener) -> None:
    async with cluster(built_in_model(), 3) as controller:
        assert controller.local_agents is not None
        os.kill(controller.local_agents.process_ids[1], signal.SIGKILL)
        lost = controller.nodes["local-2"]
        await eventually(lambda: lost.state is NodeState.LOST and "shardd is not running there" in lost.state_text)
        assert controller.snapshot().deployment.state is DeploymentState.FAILED


async def test_moving_layers_sends_only_what_is_missing(cluster: Opener) -> None:
    from app.core.placement.placement import parse_placement

    async with cluster(built_in_model(), 2, "0-5,6-11") as controller:
        before = (await ask(controller, chat("What is a shard?"))).token_ids
        names = tuple(controller.nodes)
        await controller.deploy(parse_placement("0-3,4-11", names, 12), 512)
        deployment = controller.deployment
        assert deployment is not None
        inventory = controller.snapshot().model.inventory  # type: ignore[union-attr]
        four_layers = sum(unit.nbytes for unit in inventory.units if unit.name in ("layer.4", "layer.5"))
        moved = deployment.sent_bytes + deployment.fetched_bytes
        assert four_layers <= moved < four_layers * 1.1  # small layers: their headers weigh something
        assert deployment.sent_bytes == 0, "the other machine has them"
        assert (await ask(controller, chat("What is a shard?"))).token_ids == before
        await controller.deploy(parse_placement("0-5,6-11", names, 12), 512)
        assert controller.deployment is not None
        assert controller.deployment.sent_bytes == controller.deployment.fetched_bytes == 0


async def test_a_bad_placement_is_refused_before_anything_changes(cluster: Opener) -> None:
    from app.core.placement.placement import Placement, StageRange

    async with cluster(built_in_model(), 2) as controller:
        running = controller.deployment
        cases = {
            "on no machine": (StageRange("local-1", 0, 4), StageRange("local-2", 6, 11)),
            "overlap": (StageRange("local-1", 0, 6), StageRange("local-2", 6, 11)),
            "no machine named": (StageRange("local-1", 0, 6), StageRange("elsewhere", 7, 11)),
        }
        for words, stages in cases.items():
            with pytest.raises(ShardboardError, match=words):
                await controller.deploy(Placement(12, stages), 512)
        with pytest.raises(ShardboardError, match="lacks"):
            await controller.deploy(Placement(12, (StageRange("local-1", 0, 11),)), 10**10)
        assert controller.deployment is running
        assert (await ask(controller, chat("Hello!"))).finish_reason == "stop"

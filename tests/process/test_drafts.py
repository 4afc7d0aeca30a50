"""A draft model beside the head: the text is what it would be without, and nothing of it stays."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from app.core.controller import Controller
from app.core.errors import ShardboardError
from app.core.generation.request import GenerationRequest, GenerationResult, Sampling, TokenEvent
from app.core.library.models import built_in_model
from app.core.snapshot import DeploymentState
from shardd.stage.orders import PipelineOptions
from tests.clusters import ask
from tests.process.conftest import Opener, eventually
from tests.process.test_pipeline import stage_process

FAR = PipelineOptions(link="latency=20ms")  # so that a draft pays, also on a busy machine
SAMPLED = {"temperature": 0.9, "seed": 5, "top_p": 0.95, "repetition_penalty": 1.1}


def story(prompt: list[int], count: int, speculate: bool, **sampling: Any) -> GenerationRequest:
    return GenerationRequest(
        prompt_ids=tuple(prompt),
        max_tokens=count,
        ignore_end=True,
        sampling=Sampling(speculate=speculate, **sampling),
    )


def kv_bytes(controller: Controller) -> int:
    return sum(stage.kv_bytes for node in controller.nodes.values() if node.beat for stage in node.beat.stages)


def sequences(controller: Controller) -> int:
    return sum(stage.sequences for node in controller.nodes.values() if node.beat for stage in node.beat.stages)


async def proposed(controller: Controller, prompt: list[int]) -> None:
    """Until guesses were right, of a text that says nothing twice. On a busy machine a draft may not pay at first."""
    while True:
        result = await ask(controller, story(prompt, 60, True, temperature=3.0, seed=5))
        if result.laps < result.completion_tokens:
            return


@pytest.mark.in_turn
@pytest.mark.parametrize(
    ("name", "draft"),
    [
        ("tinychat-llama", "tinychat-llama-4bit"),
        ("tinychat-llama-4bit", "tinychat-llama"),
        ("tinychat-llama-bf16-5files", "tinychat-llama"),
        ("tinychat-gpt2", "tinychat-gpt2"),
        ("stories260K", "stories260K"),
    ],
)
async def test_a_draft_changes_the_speed_and_not_the_text(name: str, draft: str, shared: Path, cluster: Opener) -> None:
    models = shared / "models"
    async with cluster(models / name, 2, options=FAR, draft=models / draft) as controller:
        assert controller.deployment is not None and controller.deployment.draft == draft
        tokenizer = await controller.tokenizer()
        prompts = [tokenizer.encode(text) for text in ("Once upon a time", "The cat")]
        count = 12 if "4bit" in name + draft else 20
        for sampling in ({}, SAMPLED):
            plain = [await ask(controller, story(prompt, count, False, **sampling)) for prompt in prompts]
            alone = await ask(controller, story(prompts[0], count, True, **sampling))
            together = await asyncio.gather(*(ask(controller, story(p, count, True, **sampling)) for p in prompts))
            assert alone.token_ids == plain[0].token_ids
            assert [each.token_ids for each in together] == [each.token_ids for each in plain]
            assert {each.laps for each in plain} == {count}
        if "4bit" not in name + draft:  # these may be too slow on a CPU, and are then left out
            await proposed(controller, prompts[0])


@pytest.mark.in_turn
async def test_stopped_and_killed_in_the_middle(cluster: Opener) -> None:
    model = built_in_model()
    async with cluster(model, 2, options=FAR, draft=model) as controller:
        prompt = (await controller.tokenizer()).encode("Once upon a time")
        plain = await ask(controller, story(prompt, 48, False))
        await eventually(lambda: sequences(controller) == 0)
        await eventually(lambda: kv_bytes(controller) > 0)  # what is kept
        kept = kv_bytes(controller)
        for wanted in (5, 17):
            seen: list[int] = []
            updates = controller.generate(story(prompt, 200, True))
            async for update in updates:
                if isinstance(update, TokenEvent):
                    seen.append(update.token)
                    if len(seen) == wanted:
                        break
            await updates.aclose()  # type: ignore[attr-defined]
            assert tuple(seen) == plain.token_ids[:wanted]
        again = await ask(controller, story(prompt, 48, True))
        assert again.token_ids == plain.token_ids
        await proposed(controller, prompt)
        await eventually(lambda: sequences(controller) == 0 and kv_bytes(controller) <= 2 * kept)

        async def until_killed() -> GenerationResult:
            async for update in controller.generate(story(prompt, 400, True)):
                if isinstance(update, TokenEvent) and update.at_ms and not killed:
                    killed.append(os.kill(stage_process(controller, "local-1").pid, signal.SIGKILL))
                elif isinstance(update, GenerationResult):
                    return update
            raise AssertionError

        killed: list[None] = []
        survived = await until_killed()
        assert killed and survived.token_ids[:48] == plain.token_ids[: survived.completion_tokens]
        await eventually(lambda: controller.snapshot().deployment.state is not DeploymentState.DEPLOYING)
        if controller.snapshot().deployment.state is DeploymentState.FAILED:
            await controller.restart_stage("local-1")
        restarted = await ask(controller, story(prompt, 48, True))
        assert restarted.token_ids == plain.token_ids
        await proposed(controller, prompt)


async def test_a_model_with_other_tokens_is_refused(shared: Path, cluster: Opener) -> None:
    with pytest.raises(ShardboardError, match="stories260K cannot draft for shardboard-tiny: its tokens are not those"):
        async with cluster(built_in_model(), 1, draft=shared / "models" / "stories260K"):
            pass

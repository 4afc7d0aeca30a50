"""Many answers at once, kept caches, proposals and queues: always the text of an answer that runs alone."""

from __future__ import annotations

import asyncio
import random

import pytest

from app.core.controller import Controller
from app.core.generation.request import (
    GenerationRequest,
    GenerationResult,
    PrefillProgress,
    Queued,
    Sampling,
    TokenEvent,
)
from app.core.library.models import built_in_model
from shardd.stage.orders import PipelineOptions
from tests.bench import sequences
from tests.clusters import ask
from tests.process.conftest import Opener, eventually

PROMPTS = ["Once upon a time", "The cat", "In the old house by the river there was a", "A", "One day, Lily and her dog"]
ALONE = PipelineOptions(max_batch=1, speculate=False)


def story(prompt: list[int], count: int = 40, **sampling: object) -> GenerationRequest:
    return GenerationRequest(
        prompt_ids=tuple(prompt),
        max_tokens=count,
        ignore_end=True,
        sampling=Sampling(**sampling),  # type: ignore[arg-type]
    )


async def encoded(controller: Controller, texts: list[str]) -> list[list[int]]:
    tokenizer = await controller.tokenizer()
    return [tokenizer.encode(text) for text in texts]


@pytest.mark.in_turn
@pytest.mark.parametrize("name", ["tinychat-llama", "tinychat-gpt2"])
async def test_batches_write_what_each_writes_alone(name: str, shared, cluster: Opener) -> None:
    directory = shared / "models" / name
    async with cluster(directory, 3, options=PipelineOptions(layer_delay_ms=6.0, speculate=False)) as controller:
        prompts = await encoded(controller, PROMPTS * 2)
        prompts = [prompt + prompt[:number] for number, prompt in enumerate(prompts)]  # ten different lengths
        alone = [await ask(controller, story(prompt, 14 + n)) for n, prompt in enumerate(prompts)]
        shared: list[int] = []

        async def beside_others(request: GenerationRequest) -> tuple[int, ...]:
            async for update in controller.generate(request):
                if isinstance(update, TokenEvent):
                    shared.append(update.shared)
                elif isinstance(update, GenerationResult):
                    return update.token_ids
            raise AssertionError

        together = await asyncio.gather(*(beside_others(story(p, 14 + n)) for n, p in enumerate(prompts)))
    assert together == [result.token_ids for result in alone]
    assert max(shared) > 1, "answers that wait together should share steps"


async def test_the_next_turn_and_an_edit_compute_only_what_is_new(shared, cluster: Opener) -> None:
    directory = shared / "models" / "tinychat-llama"
    async with cluster(directory, 3, context=1024, options=ALONE) as controller:
        (text,) = await encoded(controller, ["The quick fox liked to play in the garden. " * 30])
        first = await ask(controller, story(text, 24))
        history = [*text, *first.token_ids]
        turn = [*history, *text[:20]]
        second = await ask(controller, story(turn, 24))
        edited = [*text[:100], *text[50:90]]
        third = await ask(controller, story(edited, 24))
        again = await ask(controller, story(turn, 24))
    assert first.reused_tokens == 0
    assert second.reused_tokens == len(history) - 1  # all but the last token, which was chosen and never computed
    assert third.reused_tokens == 100
    assert again.reused_tokens == len(turn) - 1 and again.token_ids == second.token_ids
    async with cluster(directory, 3, context=1024, options=ALONE) as controller:
        assert (await ask(controller, story(turn, 24))).token_ids == second.token_ids
    async with cluster(directory, 2, context=1024, options=ALONE) as controller:
        assert (await ask(controller, story(edited, 24))).token_ids == third.token_ids


@pytest.mark.in_turn
async def test_proposals_change_the_speed_and_not_the_text(shared, cluster: Opener) -> None:
    directory = shared / "models" / "tinychat-llama"
    samplings = ({}, {"temperature": 0.8, "seed": 7, "top_p": 0.9})
    async with cluster(directory, 3, options=PipelineOptions(layer_delay_ms=1.0, speculate=False)) as controller:
        (prompt,) = await encoded(controller, ["one two three four five six " * 8])
        plain = [await ask(controller, story(prompt, 120, **sampling)) for sampling in samplings]
    assert [result.laps for result in plain] == [120, 120]
    async with cluster(directory, 3, options=PipelineOptions(layer_delay_ms=1.0)) as controller:
        while True:  # the text repeats itself, but on a busy machine what was proposed may not pay for a while
            results = [await ask(controller, story(prompt, 120, **sampling)) for sampling in samplings]
            assert [result.token_ids for result in results] == [result.token_ids for result in plain]
            assert results[1].laps <= 120
            if results[0].laps < 90:
                break


async def test_an_answer_waits_for_memory_and_says_at_which_place(cluster: Opener) -> None:
    options = PipelineOptions(kv_tokens=512)
    async with cluster(built_in_model(), 2, context=512, options=options) as controller:
        (prompt,) = await encoded(controller, ["Once upon a time"])
        places: list[int] = []
        order: list[int] = []

        async def run(number: int) -> GenerationResult:
            async for update in controller.generate(story(prompt, 300)):
                if isinstance(update, Queued):
                    places.append(update.place)
                elif isinstance(update, GenerationResult):
                    order.append(number)
                    return update
            raise AssertionError

        results = await asyncio.gather(*(run(number) for number in range(3)))
    assert {1, 2} <= set(places)
    assert order == [0, 1, 2]
    assert len({result.token_ids for result in results}) == 1 and results[0].completion_tokens == 300


@pytest.mark.in_turn
async def test_a_long_prompt_leaves_running_answers_their_turn(cluster: Opener) -> None:
    options = PipelineOptions(layer_delay_ms=1.0, token_delay_ms=0.05, speculate=False)
    async with cluster(built_in_model(), 3, context=4096, options=options, prefill_chunk_tokens=128) as controller:
        (prompt, long) = await encoded(controller, ["Once upon a time", "The fox played in the garden. " * 150])
        chunks: list[int] = []
        tokens_meanwhile = 0

        async def prefill() -> None:
            async for update in controller.generate(story(long[:1100], 2)):
                if isinstance(update, PrefillProgress):
                    chunks.append(update.done_tokens)

        task: asyncio.Task[None] | None = None
        async for update in controller.generate(story(prompt, 300)):
            if isinstance(update, TokenEvent):
                if update.at_ms and task is None:
                    task = asyncio.create_task(prefill())
                elif task is not None and not task.done():
                    tokens_meanwhile += 1
                elif task is not None:
                    break
        assert task is not None
        await task
    assert len(chunks) >= 8 and chunks == sorted(chunks)
    assert tokens_meanwhile >= len(chunks), "an answer must go on between the chunks of a prompt"


@pytest.mark.in_turn
async def test_answers_that_come_and_go_never_mix(cluster: Opener) -> None:
    """Started and cancelled at random: every text is the beginning of the one that was written alone."""
    seed = random.randrange(1 << 30)
    chance = random.Random(seed)
    async with cluster(built_in_model(), 3, options=PipelineOptions(max_batch=4, kv_tokens=6000)) as controller:
        prompts = await encoded(controller, [f"{text} {number}" for number in range(4) for text in PROMPTS])
        alone = [(await ask(controller, story(prompt, 60))).token_ids for prompt in prompts]
        cancelled = 0

        async def one(number: int) -> None:
            nonlocal cancelled
            await asyncio.sleep(chance.random() * 3)
            wanted = chance.choice([60, 60, chance.randrange(1, 40)])
            seen: list[int] = []
            updates = controller.generate(story(prompts[number], 60))
            async for update in updates:
                if isinstance(update, TokenEvent):
                    seen.append(update.token)
                    if len(seen) == wanted and wanted < 60:
                        cancelled += 1
                        break
                elif isinstance(update, GenerationResult):
                    assert update.finish_reason == "length", (seed, update.events)
            await updates.aclose()  # type: ignore[attr-defined]
            assert tuple(seen) == alone[number][: len(seen)] and len(seen) == wanted, seed

        for _ in range(2):
            await asyncio.gather(*(one(number) for number in range(len(prompts))))
        assert cancelled > 0
        await eventually(
            lambda: all(s.sequences == 0 for n in controller.nodes.values() if n.beat for s in n.beat.stages)
        )


@pytest.mark.in_turn
async def test_answers_that_begin_and_are_cancelled_at_random(shared, cluster: Opener) -> None:
    """Short here; for minutes by `python -m tests.bench.sequences`."""
    seed = random.randrange(1 << 30)
    async with cluster(shared / "models" / "stories260K", 3) as controller:
        outcome = await sequences.run(controller, 8.0, seed)
    assert outcome.mixed == [] and outcome.failed == [], seed
    assert outcome.most_at_once >= 16 and outcome.ended > 20 and outcome.cancelled > 10, seed
    assert outcome.sequences_left == 0, seed


@pytest.mark.in_turn
async def test_activations_in_8_bits_change_little(shared, cluster: Opener) -> None:
    """Half the bytes or less on the wire; what that does to the log-probabilities is what the help says: a little."""
    model = shared / "models" / "tinychat-llama"
    found: list[GenerationResult] = []
    for bits in (0, 8):
        async with cluster(model, 3, options=PipelineOptions(wire_bits=bits)) as controller:
            (prompt,) = await encoded(controller, ["Once upon a time there was"])
            found.append(await ask(controller, story(prompt, 12, logprobs=True)))
    exact, packed = found
    assert packed.finish_reason == "length" and packed.logprobs != exact.logprobs, "nothing was packed"
    assert abs(packed.logprobs[0] - exact.logprobs[0]) < 0.1

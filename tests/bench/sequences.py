"""Many answers at once, begun and cancelled at random: `python -m tests.bench.sequences [--minutes 3] [--seed S]`.

Three real agents, the smallest of ../shared/models (or `--model DIR`). Each answer that ends is compared with the one
the same request gave alone; a cancelled one with as much of it as had come. At the end every stage must have given its
caches back but those kept for a next turn.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from app.core.controller import Controller
from app.core.generation.request import GenerationRequest, GenerationResult, Sampling, TokenEvent
from shardd.stage.orders import PipelineOptions
from tests.clusters import SHARED, ask, deployed

WORDS = ("Once upon a time", "The cat", "In the old house", "A", "One day, Lily and her dog", "Why", "The sun was")
REQUESTS = 24
REST_S = 3.0  # after which a stage has given back what it needed for many sequences


@dataclass
class Outcome:
    """mixed: requests whose text was not their own. kept: what stages hold for a next turn, before and after."""

    ended: int = 0
    cancelled: int = 0
    mixed: list[str] = field(default_factory=list[str])
    failed: list[str] = field(default_factory=list[str])
    most_at_once: int = 0
    sequences_left: int = 0
    kv_before: int = 0
    kv_after: int = 0
    memory_before: int = 0
    memory_after: int = 0


def requests_for(prompts: Sequence[Sequence[int]], chance: random.Random) -> list[GenerationRequest]:
    """Different ones: greedy and sampled, short and long, some that begin as another does."""
    made: list[GenerationRequest] = []
    for number in range(REQUESTS):
        prompt = list(prompts[number % len(prompts)]) * (1 + number % 3) + list(prompts[(number * 5) % len(prompts)])
        sampling = Sampling(temperature=0.8, seed=number) if number % 4 == 3 else Sampling()
        made.append(
            GenerationRequest(
                prompt_ids=tuple(prompt), max_tokens=chance.randint(5, 90), ignore_end=True, sampling=sampling
            )
        )
    return made


async def some(controller: Controller, request: GenerationRequest, count: int) -> list[int]:
    """The first tokens; then the answer is cancelled."""
    tokens: list[int] = []
    updates = controller.generate(request)
    async for update in updates:
        if isinstance(update, TokenEvent):
            tokens.append(update.token)
        if len(tokens) >= count or isinstance(update, GenerationResult):
            break
    await updates.aclose()  # type: ignore[attr-defined]
    return tokens


async def at_rest(controller: Controller, seconds: float = 20.0) -> None:
    """Until no stage has a sequence any more, or so long, and the latest readings are of that."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        await asyncio.sleep(0.6)  # a beat comes four times a second
        stages = [stage for node in controller.nodes.values() if node.beat for stage in node.beat.stages]
        if stages and not any(stage.sequences for stage in stages):
            await asyncio.sleep(REST_S)
            return


def sizes(controller: Controller) -> tuple[int, int, int]:
    """Sequences and cache bytes on all stages, and the resident memory of their processes."""
    stages = [stage for node in controller.nodes.values() if node.beat for stage in node.beat.stages]
    assert controller.local_agents is not None
    memory = 0
    for agent in controller.local_agents.process_ids:
        memory += sum(child.memory_info().rss for child in psutil.Process(agent).children())
    return sum(stage.sequences for stage in stages), sum(stage.kv_bytes for stage in stages), memory


async def run(controller: Controller, seconds: float, seed: int, at_once: int = 32) -> Outcome:
    """Keeps `at_once` answers running for so long."""
    chance = random.Random(seed)
    tokenizer = await controller.tokenizer()
    requests = requests_for([tokenizer.encode(text) for text in WORDS], chance)
    alone = [list((await ask(controller, request)).token_ids) for request in requests]
    outcome = Outcome()
    await at_rest(controller)
    _, outcome.kv_before, outcome.memory_before = sizes(controller)
    until = time.monotonic() + seconds
    running = 0

    async def client() -> None:
        nonlocal running
        while time.monotonic() < until:
            number = chance.randrange(len(requests))
            running += 1
            outcome.most_at_once = max(outcome.most_at_once, running)
            if chance.random() < 0.4:
                count = chance.randint(0, len(alone[number]))
                got = await some(controller, requests[number], max(1, count))
                outcome.cancelled += 1
                right = got == alone[number][: len(got)]
            else:
                result = await ask(controller, requests[number])
                got, right = list(result.token_ids), list(result.token_ids) == alone[number]
                outcome.ended += 1
                if result.finish_reason == "error":
                    outcome.failed.append(" ".join(event.message for event in result.events))
            running -= 1
            if not right:
                outcome.mixed.append(f"request {number}: {got} instead of {alone[number]}")
            await asyncio.sleep(chance.random() * 0.05)

    await asyncio.gather(*(client() for _ in range(at_once)))
    await at_rest(controller)
    outcome.sequences_left, outcome.kv_after, outcome.memory_after = sizes(controller)
    return outcome


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    parser.add_argument("--model", type=Path, default=SHARED / "models" / "stories260K")
    options = parser.parse_args()
    async with deployed(options.model, options=PipelineOptions(kept_share=0.25)) as controller:
        outcome = await run(controller, options.minutes * 60, options.seed)
    print(f"seed {options.seed}: {outcome.ended} ended, {outcome.cancelled} cancelled, {outcome.most_at_once} at once")
    print(f"not their own text: {len(outcome.mixed)}; failed: {len(outcome.failed)}; left: {outcome.sequences_left}")
    print(f"caches {outcome.kv_before:,} bytes before, {outcome.kv_after:,} after (kept for a next turn)")
    print(
        f"memory of the stages {outcome.memory_before / 1e6:.0f} MB before, {outcome.memory_after / 1e6:.0f} MB after"
    )
    for each in [*outcome.mixed, *outcome.failed][:5]:
        print(" ", each)


if __name__ == "__main__":
    asyncio.run(main())

"""What running answers keep of their speed beside a long prompt: `python -m tests.bench.beside_prompts [--delays]`.

Three answers are written over three stages; in every second run a prompt of 2000 tokens joins them. The ratio is the
time that the same tokens took without it, by the time they took beside it: answers become slower with their length of
themselves. --delays: layers wait as for an accelerator, instead of computing on this machine's processors.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from app.core.controller import Controller
from app.core.generation.request import GenerationRequest, TokenEvent
from shardd.stage.orders import PipelineOptions
from tests.clusters import deployed, make_model

ANSWERS = 3
PROMPT_TOKENS = 2000
BEFORE_S = 4.0
SENTENCE = "The quick fox liked to play in the old garden by the river. "


@dataclass(slots=True)
class Run:
    """When each answer's tokens came, and when the prompt was there and computed, of one clock."""

    times: list[list[float]]
    began: float
    ended: float


async def answers(controller: Controller, prompt: tuple[int, ...], seconds: float, words: list[int]) -> Run:
    """Answers with a prompt beside them; without one for so many seconds."""
    times: list[list[float]] = [[] for _ in range(ANSWERS)]

    async def one(number: int) -> None:
        request = GenerationRequest(prompt_ids=tuple(words[number : number + 20]), max_tokens=4000, ignore_end=True)
        async for event in controller.generate(request):
            if isinstance(event, TokenEvent):
                times[number].append(time.monotonic())

    tasks = [asyncio.create_task(one(number)) for number in range(ANSWERS)]
    await asyncio.sleep(BEFORE_S)
    began = time.monotonic()
    if prompt:
        async for _ in controller.generate(GenerationRequest(prompt_ids=prompt, max_tokens=1, ignore_end=True)):
            pass
    else:
        await asyncio.sleep(seconds)
    ended = time.monotonic()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return Run(times, began, ended)


def kept(beside: Run, alone: Run) -> float:
    """The mean over the answers."""
    shares: list[float] = []
    for ours, theirs in zip(beside.times, alone.times, strict=True):
        first = sum(at <= beside.began for at in ours)
        last = min(sum(at <= beside.ended for at in ours), len(theirs)) - 1
        shares.append((theirs[last] - theirs[first]) / (ours[last] - ours[first]))
    return statistics.mean(shares)


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--delays", action="store_true")
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    delays = PipelineOptions(layer_delay_ms=4, token_delay_ms=0.25, kept_share=0, speculate=False)
    computing = PipelineOptions(kept_share=0, speculate=False)
    with tempfile.TemporaryDirectory() as folder:
        sizes = {"hidden": 64, "layers": 12, "heads": 2, "kv_heads": 2, "inter": 128, "ctx": 4200}
        model = make_model(Path(folder) / "model", **sizes)
        async with deployed(model, context=4096, options=delays if options.delays else computing) as controller:
            words = (await controller.tokenizer()).encode(SENTENCE * 40)
            ratios: list[float] = []
            for number in range(options.repeat):
                prompt = tuple(words[(i * 13 + number * 31 + i // 7) % len(words)] for i in range(PROMPT_TOKENS))
                beside = await answers(controller, prompt, 0.0, words)
                alone = await answers(controller, (), beside.ended - beside.began, words)
                ratios.append(kept(beside, alone))
                print(f"kept {ratios[-1]:.2f}, the prompt took {beside.ended - beside.began:.1f} s")
    print(f"running answers keep {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")


if __name__ == "__main__":
    asyncio.run(main())

"""How long a conversation's second turn takes to its first token, beside the first turn with the same history.

`python -m tests.bench.second_turn [--model DIR] [--history N] [--stages N] [--runs R] [--kept-bits B] [--spill]` prints
medians and the ratio of the two. With --spill the deployment is taken down and made again between the turns.
"""

from __future__ import annotations

import argparse
import asyncio
import random
from statistics import median

from app.core.generation.request import GenerationRequest
from app.core.library.models import BUILT_IN
from shardd.stage.orders import PipelineOptions
from tests.clusters import ask, deployed

ANSWER, QUESTION = 16, 24


async def measure(options: argparse.Namespace) -> None:
    pipeline = PipelineOptions(kept_bits=options.kept_bits, spill_bytes=4_000_000_000 if options.spill else 0)
    context = options.history + 512
    firsts: list[float] = []
    seconds: list[float] = []
    async with deployed(options.model, options.stages, context=context, options=pipeline) as controller:
        placement = controller.snapshot().deployment.placement
        assert placement is not None
        tokenizer = await controller.tokenizer()
        words = tokenizer.encode("The quick fox liked to play in the old garden by the river with her dog. " * 8)
        await ask(controller, turn_of(words[:40]))  # warm
        for run in range(options.runs):
            chance = random.Random(run)
            history = [chance.choice(words) for _ in range(options.history)]
            first = await ask(controller, turn_of(history))
            turn = [*history, *first.token_ids, *(chance.choice(words) for _ in range(QUESTION))]
            if options.spill:
                await controller.undeploy()
                await controller.deploy(placement, context)
                await ask(controller, turn_of(words[:40]))
            second = await ask(controller, turn_of(turn))
            assert first.ttft_ms and second.ttft_ms
            firsts.append(first.ttft_ms)
            seconds.append(second.ttft_ms)
            print(
                f"run {run + 1}: first turn {first.ttft_ms:.1f} ms ({first.prompt_tokens} tokens), "
                f"second {second.ttft_ms:.1f} ms ({second.prompt_tokens - second.reused_tokens} computed, "
                f"{second.reused_tokens} kept)"
            )
    ratio = median(seconds) / median(firsts)
    print(f"medians of {options.runs}: {median(firsts):.1f} and {median(seconds):.1f} ms; ratio {ratio:.3f}")


def turn_of(prompt: list[int]) -> GenerationRequest:
    return GenerationRequest(prompt_ids=tuple(prompt), max_tokens=ANSWER, ignore_end=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default=BUILT_IN)
    parser.add_argument("--history", type=int, default=1500)
    parser.add_argument("--stages", type=int, default=3)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--kept-bits", type=int, choices=(0, 4, 8), default=0)
    parser.add_argument("--spill", action="store_true")
    asyncio.run(measure(parser.parse_args()))


if __name__ == "__main__":
    main()

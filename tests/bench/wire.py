"""What activations in 8 bits do: `python -m tests.bench.wire [--model DIR] [--link latency=3ms,rate=50mbit]`.

The same prompt greedily, sent as it is and in 8 bits, over three agents whose lanes are shaped as a slow link: how long
the prompt took, how many of the tokens are the same before the first that differs, and how far the log-probabilities
of those are apart.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
from dataclasses import dataclass
from pathlib import Path

from app.core.generation.request import GenerationRequest, GenerationResult, Sampling
from shardd.stage.orders import PipelineOptions
from tests.clusters import SHARED, deployed

TOKENS = 32
REPEATS = 3


@dataclass(frozen=True)
class Found:
    ttft_ms: float
    tokens: tuple[int, ...]
    logprobs: tuple[float, ...]


async def measured(model: Path, bits: int, link: str, prompt_tokens: int) -> Found:
    options = PipelineOptions(wire_bits=bits, link=link, speculate=False, kept_share=0.0)
    results: list[GenerationResult] = []
    async with deployed(model, context=2048, options=options) as controller:
        view = controller.snapshot().model
        assert view is not None
        tokenizer = await controller.tokenizer()
        words = tokenizer.encode("The old house by the river was quiet, and nobody knew who lived there. ")
        prompt = (words * (prompt_tokens // len(words) + 1))[:prompt_tokens]
        request = GenerationRequest(
            prompt_ids=tuple(prompt), max_tokens=TOKENS, ignore_end=True, sampling=Sampling(logprobs=True)
        )
        for _ in range(REPEATS):
            async for update in controller.generate(request):
                if isinstance(update, GenerationResult):
                    results.append(update)
    last = results[-1]
    return Found(statistics.median(each.ttft_ms or 0.0 for each in results), last.token_ids, last.logprobs)


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=SHARED / "models" / "tinychat-llama")
    parser.add_argument("--link", default="latency=3ms,jitter=1ms,rate=50mbit")
    parser.add_argument("--prompt-tokens", type=int, default=400)
    options = parser.parse_args()
    plain, packed = [await measured(options.model, bits, options.link, options.prompt_tokens) for bits in (0, 8)]
    pairs = list(zip(plain.tokens, packed.tokens, strict=True))
    same = next((place for place, (one, other) in enumerate(pairs) if one != other), len(pairs))
    apart = [abs(a - b) for a, b in zip(plain.logprobs[:same], packed.logprobs[:same], strict=True)] or [0.0]
    print(f"first token after {plain.ttft_ms:.0f} ms as it is, {packed.ttft_ms:.0f} ms in 8 bits")
    print(f"the first {same} of {len(pairs)} greedy tokens are the same")
    print(f"their log-probabilities differ by {statistics.mean(apart):.4f} on average, {max(apart):.4f} at most")


if __name__ == "__main__":
    asyncio.run(main())

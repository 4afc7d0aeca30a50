"""What proposals bring over a link as in the next room, and what they cost where they bring nothing.

`python -m tests.bench.speculation [--runs 5] [--tokens 192] [--link SHAPE] [--layer-delay-ms D] [--model DIR] [--json]`

Three agents on this machine and the built-in model (--layer-delay-ms: slower, without using the CPU). Every
text is written with and without proposals in turn, on the same deployment; ratios are of tokens/s in such a pair. The
control writes both without: what its ratio is off 1 is the machine's noise, and no other ratio is better known.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from app.core.controller import Controller
from app.core.generation.request import GenerationRequest, GenerationResult, Sampling
from app.core.library.models import built_in_model
from shardd.stage.orders import PipelineOptions
from tests.clusters import ask, deployed

CONTEXT = 1024
WARM_UP = 24


@dataclass(frozen=True)
class Text:
    """What is written. asked: the least ratio that the project wants."""

    name: str
    prompt: str
    temperature: float
    asked: float | None = None
    control: bool = False


REPETITION = Text("text with repetition", "la la la la la la la la la la la la", 0.0, 1.5)  # the model sings on
REFRAIN = Text("a story that repeats", "One day, Lily and her mom went to the park. " * 4, 0.0, 1.0)
STORY = Text("a story, greedy", "Once upon a time", 0.0, 0.97)
PROSE = Text("a story, sampled", "Once upon a time", 1.0, 0.97)
SALAD = Text("text without repetition", "Once upon a time", 3.0, 0.97)
CONTROL = Text("control, none proposed", "Once upon a time", 3.0, control=True)

DEPLOYMENTS: tuple[tuple[str, tuple[Text, ...]], ...] = (
    ("", (CONTROL, REPETITION, REFRAIN, STORY, PROSE, SALAD)),
    ("itself", (REPETITION, STORY, PROSE, SALAD)),
    ("random", (CONTROL, REPETITION, PROSE, SALAD)),
)


@dataclass(frozen=True)
class Measured:
    """ratio: median over pairs of runs; low and high: the extremes. per_lap: tokens a lap brought on average."""

    draft: str
    text: str
    plain_tokens_per_s: float
    tokens_per_s: float
    ratio: float
    low: float
    high: float
    per_lap: float
    same_tokens: bool
    asked: float | None


async def write(controller: Controller, text: Text, count: int, seed: int, *, speculate: bool) -> GenerationResult:
    tokenizer = await controller.tokenizer()
    sampling = Sampling(temperature=text.temperature, seed=seed, speculate=speculate)
    ids = tuple(tokenizer.encode(text.prompt))
    request = GenerationRequest(prompt_ids=ids, max_tokens=count, ignore_end=True, sampling=sampling)
    result = await ask(controller, request)
    if result.finish_reason != "length":
        raise SystemExit(f"an answer ended: {result.events}")
    return result


async def measure(controller: Controller, draft: str, text: Text, options: argparse.Namespace) -> Measured:
    """Pairs of runs, in turn with and without, which of both first in turn as well."""
    plain: list[GenerationResult] = []
    proposed: list[GenerationResult] = []
    for number in range(options.runs):
        for speculate in (number % 2 == 0, number % 2 == 1):
            result = await write(controller, text, options.tokens, number, speculate=speculate and not text.control)
            (proposed if speculate else plain).append(result)
    pairs = [(a.decode_tokens_per_s or 0.0, b.decode_tokens_per_s or 1.0) for a, b in zip(proposed, plain, strict=True)]
    ratios = sorted(a / b for a, b in pairs)
    return Measured(
        draft,
        text.name,
        median(b for _, b in pairs),
        median(a for a, _ in pairs),
        median(ratios),
        ratios[0],
        ratios[-1],
        median(each.completion_tokens / each.laps for each in proposed),
        all(a.token_ids == b.token_ids for a, b in zip(proposed, plain, strict=True)),
        text.asked,
    )


async def run(options: argparse.Namespace, folder: Path) -> list[Measured]:
    model = Path(options.model) if options.model else built_in_model()
    pipeline = PipelineOptions(layer_delay_ms=options.layer_delay_ms, token_delay_ms=0.0, link=options.link)
    found: list[Measured] = []
    for draft, texts in DEPLOYMENTS:
        if options.draft is not None and draft not in options.draft:
            continue
        drafting = randomised(model, folder / "random") if draft == "random" else model if draft else ""
        async with deployed(model, context=CONTEXT, draft=drafting, options=pipeline) as controller:
            for text in texts:
                if options.warm:
                    await write(controller, text, WARM_UP, 0, speculate=False)
                found.append(await measure(controller, draft, text, options))
                if not options.json:
                    print(line(found[-1]), flush=True)
    return found


def randomised(model: Path, folder: Path) -> Path:
    """The same model with weights that know nothing: the worst draft there can be."""
    import mlx.core as mx

    shutil.copytree(model, folder, dirs_exist_ok=True)
    mx.random.seed(5)
    for file in folder.glob("*.safetensors"):
        content: Any = mx.load(str(file))
        fresh = {name: mx.random.normal(array.shape).astype(array.dtype) * 0.2 for name, array in content.items()}
        mx.save_safetensors(str(file), fresh, {"format": "mlx"})
    return folder


def line(measured: Measured) -> str:
    asked = f" (asked: {measured.asked:.2f})" if measured.asked else ""
    draft = f"draft: {measured.draft}" if measured.draft else "no draft"
    return (
        f"{draft:<14} {measured.text:<24} {measured.plain_tokens_per_s:6.1f} -> {measured.tokens_per_s:6.1f} tokens/s, "
        f"ratio {measured.ratio:.2f} [{measured.low:.2f} to {measured.high:.2f}]{asked}, "
        f"{measured.per_lap:.2f} tokens a lap, same tokens: {'yes' if measured.same_tokens else 'NO'}"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="What proposals bring.")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--tokens", type=int, default=192)
    parser.add_argument("--link", default="latency=3ms,jitter=1ms,rate=200mbit")
    parser.add_argument("--layer-delay-ms", type=float, default=0.0)
    parser.add_argument("--model", help="a folder; default: the built-in model")
    parser.add_argument("--draft", action="append", choices=["", "itself", "random"], help="only these deployments")
    parser.add_argument("--no-warm-up", dest="warm", action="store_false", help="the first answer counts as well")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="shardboard-bench-") as name:
        found = asyncio.run(run(options, Path(name)))
    if options.json:
        print(json.dumps([vars(each) for each in found]))
    good = all(each.same_tokens for each in found)
    print("every text is the same with and without" if good else "TEXTS DIFFER", file=sys.stderr)
    return 0 if good else 1


if __name__ == "__main__":
    raise SystemExit(main())

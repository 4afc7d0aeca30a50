"""`shardboard bench`: how fast the pipeline is, beside one-process mlx-lm in the same run."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Any

from app.cli.cluster import opened
from app.cli.output import print_json, spread_json, stage_json
from app.core.controller import Controller
from app.core.errors import ShardboardError
from app.core.generation.request import GenerationRequest, GenerationResult, TokenEvent
from app.core.generation.tokenizer import ModelTokenizer
from shardd.stage.timings import spread

REFERENCE_S = 600.0
WARM_UP_TOKENS = 4
TEXT = "A shard is the units of one layer range as they lie on a machine's disk. "


@dataclass(frozen=True, slots=True)
class Run:
    """One measured repetition."""

    results: tuple[GenerationResult, ...]
    gaps_ms: tuple[float, ...]  # between tokens of one stream
    total_tokens_per_s: float


async def bench(options: argparse.Namespace) -> int:
    async with opened(options) as controller:
        snapshot = controller.snapshot()
        assert snapshot.model is not None and controller.deployment is not None
        prompt = await prompt_of(controller, options.prompt_tokens)
        reference = await Reference.start(snapshot.model.directory) if options.baseline else None
        runs: list[Run] = []
        baselines: list[dict[str, Any]] = []
        try:
            await _run(controller, prompt, WARM_UP_TOKENS, options.streams)
            if reference:
                await reference.run(prompt, WARM_UP_TOKENS)
            for number in range(options.repeat):
                runs.append(await _run(controller, prompt, options.max_tokens, options.streams))
                if reference:
                    baselines.append(await reference.run(prompt, options.max_tokens))
                if not options.json:
                    print(f"run {number + 1} of {options.repeat}", file=sys.stderr)
        finally:
            if reference:
                await reference.close()
        report = _report(controller, snapshot.model.name, options.streams, len(prompt), runs, baselines)
    print_json(report) if options.json else print(_text(report))
    return 0


async def prompt_of(controller: Controller, count: int) -> tuple[int, ...]:
    """So many token ids of plain text."""
    tokenizer: ModelTokenizer = await controller.tokenizer()
    ids = tokenizer.encode(TEXT)
    return tuple((ids * (count // len(ids) + 1))[:count])


async def _run(controller: Controller, prompt: tuple[int, ...], max_tokens: int, streams: int) -> Run:
    request = GenerationRequest(prompt_ids=prompt, max_tokens=max_tokens, ignore_end=True)
    loop = asyncio.get_running_loop()

    async def one() -> tuple[GenerationResult, list[float], float, float]:
        times: list[float] = []
        result: GenerationResult | None = None
        async for update in controller.generate(request):
            if isinstance(update, TokenEvent):
                times.append(loop.time())
            elif isinstance(update, GenerationResult):
                result = update
        if result is None or result.finish_reason == "error":
            raise ShardboardError(result.events[-1].message if result and result.events else "A run failed.")
        gaps = [(after - before) * 1000 for before, after in pairwise(times)]
        return result, gaps, times[0], times[-1]

    done = await asyncio.gather(*(one() for _ in range(streams)))
    began, ended = min(first for _, _, first, _ in done), max(last for _, _, _, last in done)
    tokens = sum(result.completion_tokens - 1 for result, _, _, _ in done)
    return Run(
        tuple(result for result, _, _, _ in done),
        tuple(gap for _, gaps, _, _ in done for gap in gaps),
        tokens / (ended - began) if ended > began else 0.0,
    )


class Reference:
    """One-process mlx-lm, in a process of its own that idles while ours runs."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, directory: str) -> Reference:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "shardd.model.reference",
            directory,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            limit=1 << 26,
            start_new_session=True,
        )
        reference = cls(process)
        try:
            await reference._line()
        except BaseException:
            await reference.close()
            raise
        return reference

    async def run(self, prompt: Sequence[int], max_tokens: int) -> dict[str, Any]:
        assert self._process.stdin is not None
        order = {"prompt": list(prompt), "max_tokens": max_tokens}
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        return json.loads(await self._line())

    async def close(self) -> None:
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()

    async def _line(self) -> bytes:
        assert self._process.stdout is not None
        line = await asyncio.wait_for(self._process.stdout.readline(), REFERENCE_S)
        if not line:
            raise ShardboardError("mlx-lm itself could not run this model here.", "Leave --baseline out.")
        return line


def _report(
    controller: Controller,
    model: str,
    streams: int,
    prompt_tokens: int,
    runs: list[Run],
    baselines: list[dict[str, Any]],
) -> dict[str, Any]:
    """The shape of DESIGN.md section 7; every figure is a median over the runs."""
    results = [result for run in runs for result in run.results]
    ttft = [result.ttft_ms for result in results if result.ttft_ms is not None]
    per_stream = median([result.decode_tokens_per_s or 0.0 for result in results])
    prefill = median([result.prefill_tokens_per_s or 0.0 for result in results])
    deployment = controller.deployment
    assert deployment is not None
    gaps = spread([gap for run in runs for gap in run.gaps_ms])
    report: dict[str, Any] = {
        "model": model,
        "streams": streams,
        "repetitions": len(runs),
        "prefill": {"tokens": prompt_tokens, "tokens_per_s": prefill, "ttft_ms": spread_json(spread(ttft))},
        "decode": {
            "tokens_per_s_per_stream": per_stream,
            "tokens_per_s_total": median([run.total_tokens_per_s for run in runs]),
            "inter_token_ms": spread_json(gaps),
        },
        "load": {
            "seconds": deployment.load_seconds,
            "bytes": deployment.load_bytes,
            "bytes_per_s": deployment.load_bytes / deployment.load_seconds if deployment.load_seconds else None,
        },
        "stages": [stage_json(stage) for stage in runs[-1].results[0].stages],
    }
    if baselines:
        base_prefill = median([prompt_tokens / each["first_s"] for each in baselines])
        base_decode = median([each["decode_tokens_per_s"] or 0.0 for each in baselines])
        report["baseline"] = {"prefill_tokens_per_s": base_prefill, "decode_tokens_per_s": base_decode}
        report["ratio"] = {"prefill": prefill / base_prefill, "decode": per_stream / base_decode}
        mine = list(results[0].token_ids)
        report["same_tokens"] = mine == baselines[0]["token_ids"][: len(mine)]
    return report


def _text(report: dict[str, Any]) -> str:
    decode, prefill = report["decode"], report["prefill"]
    lines = [
        f"{report['model']}, {len(report['stages'])} stages, {report['streams']} streams, "
        f"medians of {report['repetitions']} runs",
        f"  decode   {decode['tokens_per_s_per_stream']:.1f} tokens/s a stream, {decode['tokens_per_s_total']:.1f} all",
        f"  prefill  {prefill['tokens_per_s']:.0f} tokens/s, first token after {prefill['ttft_ms']['p50']:.0f} ms",
    ]
    for stage in report["stages"]:
        first, last = stage["layers"]
        compute, hop = stage["compute_ms"]["p50"], stage["hop_ms"]["p50"]
        hop_words = f", hop {hop:.2f} ms" if hop is not None else ""
        lines.append(f"  {stage['node']:<10} layers {first} to {last}: compute {compute or 0:.2f} ms{hop_words}")
    if "ratio" in report:
        base = report["baseline"]
        lines.append(
            f"  one-process mlx-lm: {base['decode_tokens_per_s']:.1f} tokens/s; ratio {report['ratio']['decode']:.2f} "
            f"(prefill {report['ratio']['prefill']:.2f}), same tokens: {'yes' if report['same_tokens'] else 'NO'}"
        )
    return "\n".join(lines)

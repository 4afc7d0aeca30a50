"""The runs of a bench: prompts, answers with every token's time, memory meanwhile, and one-process mlx-lm beside it."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Any

from app.core.controller import Controller
from app.core.errors import ShardboardError
from app.core.generation.request import GenerationEventNote, GenerationRequest, GenerationResult, TokenEvent
from app.core.generation.tokenizer import ModelTokenizer
from app.core.snapshot import NodeView, Snapshot

REFERENCE_S = 600.0
REST_S = 0.6  # two beats of every agent, in which nothing of ours computes
SAMPLE_S = 0.25
TEXT = "A shard is the units of one layer range as they lie on a machine's disk. "

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Mark:
    """One token as it came; at_ms since the bench began."""

    at_ms: float
    event: TokenEvent


@dataclass(frozen=True, slots=True)
class Answered:
    """One stream of one run."""

    stream: int
    marks: tuple[Mark, ...]
    result: GenerationResult


@dataclass(frozen=True, slots=True)
class Run:
    """One measured repetition."""

    number: int
    answers: tuple[Answered, ...]

    @property
    def gaps_ms(self) -> list[float]:
        """Between tokens of one stream."""
        return [b.at_ms - a.at_ms for answer in self.answers for a, b in pairwise(answer.marks)]

    @property
    def total_tokens_per_s(self) -> float:
        """Of all streams together, while all of them were being written; where there was no such time, from the first
        token of any to the last."""
        began = max(answer.marks[0].at_ms for answer in self.answers)
        ended = min(answer.marks[-1].at_ms for answer in self.answers)
        if ended <= began:
            began = min(answer.marks[0].at_ms for answer in self.answers)
            ended = max(answer.marks[-1].at_ms for answer in self.answers)
        tokens = sum(began < mark.at_ms <= ended for answer in self.answers for mark in answer.marks)
        return 1000 * tokens / (ended - began) if ended > began else 0.0

    @property
    def tokens_per_s_per_stream(self) -> float:
        return median(answer.result.decode_tokens_per_s or 0.0 for answer in self.answers)

    @property
    def prefill_tokens_per_s(self) -> float:
        return median(answer.result.prefill_tokens_per_s or 0.0 for answer in self.answers)

    @property
    def ttft_ms(self) -> list[float]:
        return [answer.result.ttft_ms for answer in self.answers if answer.result.ttft_ms is not None]


@dataclass(frozen=True, slots=True)
class MemorySample:
    """One machine's memory at one moment, in bytes; at_ms since the bench began."""

    at_ms: float
    node: str
    weights: int
    kv: int
    others: int
    free: int
    swap_used: int | None
    cpu_percent: float | None


@dataclass(frozen=True, slots=True)
class Measured:
    """Everything that a bench saw. rested: the machines before the first run, with nothing of ours computing."""

    runs: tuple[Run, ...]
    baselines: tuple[dict[str, Any], ...]
    memory: tuple[MemorySample, ...]
    rested: tuple[NodeView, ...]
    snapshot: Snapshot


def prompt_number(ids: Sequence[int], count: int, number: int = 0) -> tuple[int, ...]:
    """count token ids of plain text, with another beginning for each number: no run may find an earlier one's cache."""
    each = tuple(dict.fromkeys(ids))
    base = len(each)
    digits = (number % base, number // base % base, number // base**2 % base)
    begin = tuple(each[digit] for digit in digits) if number else ()
    return (*begin, *(tuple(ids) * (count // len(ids) + 1)))[:count]


class MemoryWatch:
    """Looks at every node's memory until it is closed. `async with MemoryWatch(controller, clock) as watch`."""

    def __init__(self, controller: Controller, clock: Clock) -> None:
        self._controller = controller
        self._clock = clock
        self._task: asyncio.Task[None] | None = None
        self.samples: list[MemorySample] = []

    async def __aenter__(self) -> MemoryWatch:
        self._task = asyncio.create_task(self._watch(), name="memory-watch")
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._look()

    async def _watch(self) -> None:
        while True:
            self._look()
            await asyncio.sleep(SAMPLE_S)

    def _look(self) -> None:
        at_ms = self._clock()
        for node in self._controller.snapshot().nodes:
            memory = node.memory
            if memory is not None:
                self.samples.append(
                    MemorySample(
                        at_ms,
                        node.name,
                        memory.weights,
                        memory.kv,
                        memory.others,
                        memory.free,
                        node.swap_used,
                        node.cpu_percent,
                    )
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


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a bench is asked to measure. warm_up: tokens of a first run that does not count; 0 for none."""

    prompt_tokens: int
    max_tokens: int
    streams: int
    repeat: int
    warm_up: int
    baseline: bool


async def measure(controller: Controller, wanted: Wanted, on_run: Callable[[int], None]) -> Measured:
    """All runs. Raises SentenceError when one fails."""
    chosen = controller.snapshot().model
    assert chosen is not None
    tokenizer: ModelTokenizer = await controller.tokenizer()
    ids = tokenizer.encode(TEXT)
    loop = asyncio.get_running_loop()
    reference = await Reference.start(chosen.directory) if wanted.baseline else None
    began = loop.time()

    def clock() -> float:
        return (loop.time() - began) * 1000

    runs: list[Run] = []
    baselines: list[dict[str, Any]] = []
    try:
        async with MemoryWatch(controller, clock) as watch:
            await asyncio.sleep(REST_S)
            rested = controller.snapshot().nodes
            for number in range(wanted.repeat + 1):  # number 0 warms up
                tokens = wanted.max_tokens if number else wanted.warm_up
                if not tokens:
                    continue
                first = number * wanted.streams
                prompts = [prompt_number(ids, wanted.prompt_tokens, first + stream) for stream in range(wanted.streams)]
                run = await _run(controller, number, prompts, tokens, clock)
                baseline = await reference.run(prompts[0], tokens) if reference else None
                if number:
                    runs.append(run)
                    baselines += [baseline] if baseline else []
                    on_run(number)
    finally:
        if reference:
            await reference.close()
    return Measured(tuple(runs), tuple(baselines), tuple(watch.samples), rested, controller.snapshot())


async def _run(
    controller: Controller, number: int, prompts: Sequence[tuple[int, ...]], max_tokens: int, clock: Clock
) -> Run:
    async def one(stream: int, prompt: tuple[int, ...]) -> Answered:
        marks: list[Mark] = []
        result: GenerationResult | None = None
        async for update in controller.generate(
            GenerationRequest(prompt_ids=prompt, max_tokens=max_tokens, ignore_end=True)
        ):
            if isinstance(update, TokenEvent):
                marks.append(Mark(clock(), update))
            elif isinstance(update, GenerationEventNote):
                print(f"[{update.message}]", file=sys.stderr)
            elif isinstance(update, GenerationResult):
                result = update
        if result is None or not marks or result.finish_reason == "error":
            raise ShardboardError(result.events[-1].message if result and result.events else "A run failed.")
        return Answered(stream, tuple(marks), result)

    return Run(number, tuple(await asyncio.gather(*(one(stream, each) for stream, each in enumerate(prompts)))))

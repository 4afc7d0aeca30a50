"""`shardboard generate --prompts FILE`: every paragraph is a prompt, all of them are answered at once."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.core.controller import Controller
from app.core.errors import SentenceError, ShardboardError
from app.core.generation.request import GenerationEventNote, GenerationRequest, GenerationResult

AT_ONCE = 128  # well below what a head lets wait; the rest follows as these end


@dataclass(frozen=True, slots=True)
class Batch:
    """Results in the order of the prompts. seconds: from the first request to the last answer."""

    results: tuple[GenerationResult, ...]
    seconds: float

    @property
    def tokens_per_s(self) -> float | None:
        tokens = sum(result.completion_tokens for result in self.results)
        return tokens / self.seconds if tokens and self.seconds > 0 else None


def read_prompts(path: Path) -> tuple[str, ...]:
    """A file's prompts. Raises ShardboardError when there are none."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ShardboardError(f"{path.name} is not text in UTF-8.", "Save it as such.") from None
    except OSError as error:
        raise ShardboardError(f"{path.name} could not be read: {error.strerror}.", "Check its name.") from None
    prompts = paragraphs(text)
    if not prompts:
        raise ShardboardError(f"There is no prompt in {path.name}.", "Write one a paragraph, empty lines between them.")
    return prompts


def paragraphs(text: str) -> tuple[str, ...]:
    """What stands between empty lines; a paragraph's own line breaks stay."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    parts = (part.strip("\n").rstrip() for part in re.split(r"\n[^\S\n]*(?=\n)", lines))
    return tuple(part for part in parts if part.strip())


async def answer_all(
    controller: Controller, requests: Sequence[GenerationRequest], on_result: Callable[[int, GenerationResult], None]
) -> Batch:
    """Answers all requests at once. on_result is called in their order, with the number (from 0), as soon as a result
    and all before it are there. A request that fails becomes a result with finish_reason "error"."""
    room = asyncio.Semaphore(AT_ONCE)

    async def one(request: GenerationRequest) -> GenerationResult:
        async with room:
            try:
                return await _last(controller.generate(request))
            except SentenceError as error:
                return _failed(str(error))

    began = time.perf_counter()
    results: list[GenerationResult] = []
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(request)) for request in requests]
        for number, task in enumerate(tasks):
            results.append(await task)
            on_result(number, results[-1])
    return Batch(tuple(results), time.perf_counter() - began)


async def _last(updates: AsyncIterator[object]) -> GenerationResult:
    async for update in updates:
        if isinstance(update, GenerationResult):
            return update
    return _failed("The answer ended early: the stages sent no result.")


def _failed(message: str) -> GenerationResult:
    return GenerationResult(
        text="",
        token_ids=(),
        prompt_tokens=0,
        completion_tokens=0,
        finish_reason="error",
        ttft_ms=None,
        prefill_tokens_per_s=None,
        decode_tokens_per_s=None,
        stages=(),
        events=(GenerationEventNote(0.0, "failed", "", message),),
    )

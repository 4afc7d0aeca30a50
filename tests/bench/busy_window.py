"""Whether a busy window slows answers down: `python -m tests.bench.busy_window [--model DIR]`.

The process that holds the controller, as the window's does, is kept busy half of the time: 10 ms of Python, 10 ms of
rest, over and over, in a thread beside its loop. Tokens travel from stage to stage without it, so answers should keep
their pace. Told by the tail's clock: tokens a second with and without, in turn, and the median of the ratios.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import threading
import time
from pathlib import Path

from app.core.controller import Controller
from app.core.generation.request import GenerationRequest, Sampling, TokenEvent
from shardd.stage.orders import PipelineOptions
from tests.clusters import SHARED, deployed

TOKENS = 160
BUSY_S = 0.010
REPEATS = 5


def keep_busy(stop: threading.Event) -> None:
    while not stop.is_set():
        until = time.perf_counter() + BUSY_S
        while time.perf_counter() < until:
            sum(range(100))
        time.sleep(BUSY_S)


async def rate(controller: Controller, busy: bool, number: int) -> float:
    """Tokens a second of one answer."""
    request = GenerationRequest(
        prompt_ids=tuple(range(10 + number, 26 + number)),
        max_tokens=TOKENS,
        ignore_end=True,
        sampling=Sampling(speculate=False),
    )
    stop = threading.Event()
    thread = threading.Thread(target=keep_busy, args=(stop,))
    if busy:
        thread.start()
    sent: list[float] = []
    async for update in controller.generate(request):
        if isinstance(update, TokenEvent):
            sent.append(update.sent_ms)
    stop.set()
    if busy:
        thread.join()
    return 1000 * (len(sent) - 1) / (sent[-1] - sent[0])


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=SHARED / "models" / "tinychat-llama")
    parser.add_argument("--layer-delay-ms", type=float, default=0.0, help="as for an accelerator, see bench")
    options = parser.parse_args()
    driving = PipelineOptions(layer_delay_ms=options.layer_delay_ms)
    async with deployed(options.model, options=driving) as controller:
        await rate(controller, False, 0)
        ratios: list[float] = []
        for number in range(1, REPEATS + 1):
            quiet, busy = await rate(controller, False, number), await rate(controller, True, number)
            ratios.append(busy / quiet)
            print(f"{quiet:.1f} tokens/s, {busy:.1f} with a busy window")
    print(f"ratio {statistics.median(ratios):.2f} (least {min(ratios):.2f})")


if __name__ == "__main__":
    asyncio.run(main())

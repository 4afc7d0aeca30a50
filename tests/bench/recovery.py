"""How long an answer stands still when what it runs on is killed or frozen, and what that time goes into.

`python -m tests.bench.recovery [--model DIR] [--runs R] [--what stage|agent|spare|frozen|still]` prints medians:

    stage    kill -9 of the middle stage: loaded again on its machine
    agent    kill -9 of the middle agent, two machines left: planned again on them
    spare    kill -9 of the middle agent, a fourth machine that holds its units already takes over
    frozen   SIGSTOP of the middle stage     still   SIGSTOP of the middle agent and its stage
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import time
from collections.abc import Callable, Mapping
from statistics import median

import psutil

from app.core.controller import Controller
from app.core.generation.request import GenerationEventNote, GenerationRequest, TokenEvent
from app.core.library.models import BUILT_IN
from app.core.placement.placement import Placement, StageRange, even_split
from shardd.stage.orders import PipelineOptions
from tests.clusters import deployed

AFTER, TOKENS = 20, 400
KINDS = ("stage", "agent", "spare", "frozen", "still")


def victims(controller: Controller, node: str) -> tuple[psutil.Process, psutil.Process]:
    """A node's agent, and its stage."""
    agents = controller.local_agents
    assert agents is not None
    agent = psutil.Process(agents.process_ids[agents.names.index(node)])
    return agent, next(child for child in agent.children() if "shardd.stage" in " ".join(child.cmdline()))


async def one(model: str, what: str) -> tuple[float, Mapping[str, float]]:
    """Seconds from the blow to the next token, and their parts in milliseconds."""
    agents = 4 if what == "spare" else 3
    async with deployed(model, agents, options=PipelineOptions(layer_delay_ms=2.0)) as controller:
        names = tuple(controller.nodes)
        if what == "spare":  # the fourth has once held what the second is about to lose
            view = controller.snapshot().model
            assert view is not None
            placement = even_split(names[:3], view.inventory.layer_count)
            mine = placement.stages[1]
            moved = (placement.stages[0], StageRange(names[3], mine.first, mine.last), placement.stages[2])
            await controller.deploy(Placement(placement.layer_count, moved), 512)
            await controller.deploy(placement, 512)
        agent, stage = victims(controller, names[1])
        blows: dict[str, Callable[[], object]] = {
            "stage": stage.kill,
            "agent": agent.kill,
            "spare": agent.kill,
            "frozen": stage.suspend,
            "still": lambda: (agent.suspend(), stage.suspend()),
        }
        seen, struck, parts = 0, 0.0, None
        request = GenerationRequest(prompt="Once", max_tokens=TOKENS, ignore_end=True)
        updates = controller.generate(request)
        try:
            async for update in updates:
                if isinstance(update, GenerationEventNote) and update.kind == "continued":
                    parts = update.parts_ms
                elif isinstance(update, TokenEvent):
                    seen += 1
                    if parts is not None:
                        return time.monotonic() - struck, parts
                    if seen == AFTER:
                        struck = time.monotonic()
                        blows[what]()
        finally:
            await updates.aclose()  # type: ignore[attr-defined]
            for process in (agent, stage):
                if process.is_running() and what in ("frozen", "still"):
                    os.kill(process.pid, signal.SIGCONT)
    raise AssertionError("the answer ended before it was interrupted")


async def measure(options: argparse.Namespace) -> None:
    for what in [options.what] if options.what else KINDS:
        found = [await one(options.model, what) for _ in range(options.runs)]
        parts = ", ".join(f"{name} {median(run[1][name] for run in found):.0f}" for name in found[0][1])
        times = sorted(seconds for seconds, _ in found)
        print(f"{what:7} median {median(times):.2f} s of {len(times)} ({times[0]:.2f} to {times[-1]:.2f}); ms: {parts}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=BUILT_IN)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--what", choices=KINDS)
    asyncio.run(measure(parser.parse_args()))


if __name__ == "__main__":
    main()

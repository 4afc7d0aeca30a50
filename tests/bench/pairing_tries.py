"""Does a storm of wrong pairing codes disturb an answer? python -m tests.bench.pairing_tries [--tries 10000]

Two agents answer; the first shows a code, and a process of low priority tries wrong ones as fast as it can. Prints the
time between tokens without and with the storm, in turn, and their ratio.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from app.core.cluster.address import Address
from app.core.cluster.local_agents import numbered
from app.core.cluster.pairing import pair
from app.core.controller import Controller
from app.core.errors import ShardboardError
from app.core.generation.request import GenerationRequest, GenerationResult, Sampling, TokenEvent
from app.core.library.models import BUILT_IN
from app.core.paths import controller_paths
from app.core.placement.placement import even_split
from shardd.identity import create_identity
from shardd.stage.orders import PipelineOptions

AT_ONCE = 16
TOKENS = 96
ROUNDS = 4


async def storm(port: int, code: str, tries: int) -> Counter[str]:
    """What so many wrong tries were answered."""
    identity, said = create_identity("attacker"), Counter[str]()
    address = Address("127.0.0.1", port)

    async def some(count: int) -> None:
        for _ in range(count):
            try:
                await pair(address, code, identity, "attacker")
                said["PAIRED"] += 1
            except ShardboardError as error:
                said[error.cause.replace(str(address), "it").split(". ")[0]] += 1

    await asyncio.gather(*(some(tries // AT_ONCE) for _ in range(AT_ONCE)))
    return said


async def gaps_ms(controller: Controller) -> list[float]:
    """Times between the tokens of one answer."""
    request = GenerationRequest(prompt="Once", max_tokens=TOKENS, sampling=Sampling(temperature=1.0, seed=1))
    arrived: list[float] = []
    async for update in controller.generate(request):
        if isinstance(update, TokenEvent):
            arrived.append(time.perf_counter())
        elif isinstance(update, GenerationResult) and update.finish_reason == "error":
            raise SystemExit(f"the answer broke: {update.events}")
    return [(later - earlier) * 1000 for earlier, later in itertools.pairwise(arrived)]


def p95(values: list[float]) -> float:
    return statistics.quantiles(values, n=20)[-1]


async def measure(tries: int) -> None:
    with tempfile.TemporaryDirectory(prefix="shardboard-", ignore_cleanup_errors=True) as folder:
        names, agents = numbered("local", 2), Path(folder) / "agents"
        controller = Controller(
            controller_paths(Path(folder) / "controller"),
            local_agents=names,
            agents_folder=agents,
            known_nodes=False,
            discover=False,
            options=PipelineOptions(layer_delay_ms=1.0, speculate=False),
        )
        await controller.choose_model(BUILT_IN)
        try:
            await controller.start()
            await controller.wait_ready()
            model = controller.snapshot().model
            assert model is not None
            await controller.deploy(even_split(names, model.inventory.layer_count), 512)
            await gaps_ms(controller)
            quiet: list[float] = []
            stormy: list[float] = []
            said: Counter[str] = Counter()
            took = 0.0
            for _ in range(ROUNDS):
                quiet += await gaps_ms(controller)
                began = time.perf_counter()
                attack = await attacker(agents / names[0], controller.nodes[names[0]].address.port, tries // ROUNDS)
                while attack.returncode is None:
                    stormy += await gaps_ms(controller)
                    await asyncio.sleep(0)
                took += time.perf_counter() - began
                assert attack.stdout
                said += Counter(json.loads(await attack.stdout.read()))
        finally:
            await controller.close()
    print(f"{sum(said.values())} wrong tries in {took:.1f} s were answered:")
    for text, count in said.most_common():
        print(f"  {count:6}  {text}")
    for name, values in (("without", quiet), ("with", stormy)):
        print(f"{name:8} {len(values)} tokens, p50 {statistics.median(values):.2f} ms, p95 {p95(values):.2f} ms")
    print(f"p95 with / without: {p95(stormy) / p95(quiet):.2f}")


async def attacker(data: Path, port: int, tries: int) -> asyncio.subprocess.Process:
    """A new code is shown, and tried wrongly by another process."""
    command = [sys.executable, "-m", "shardd.main", "pair", "--json", "--data", str(data)]
    shown = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=True)
    wrong = f"{(int(json.loads(shown.stdout)['code']) + 1) % 1_000_000:06d}"
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench.pairing_tries", "--storm", str(port), wrong, "--tries", str(tries),
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tries", type=int, default=10_000)
    parser.add_argument("--storm", nargs=2, metavar=("PORT", "CODE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.storm:
        os.nice(19)  # on two cores the attacker's own work would be measured, which in life is another machine's
        said = asyncio.run(storm(int(options.storm[0]), options.storm[1], options.tries))
        print(json.dumps(said))
    else:
        asyncio.run(measure(options.tries))


if __name__ == "__main__":
    main()

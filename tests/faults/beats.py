"""`python -m tests.faults.beats [--loss 0.05] [--delay-ms 20] [--seconds 60]`: how long healthy machines are silent.

Every link loses packets. Beats alone are compared with all signs of life, in the same run: how often there was none
for so long that a machine would have been suspected, or given up.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import shutil
import tempfile
import time
from pathlib import Path

from app.core.cluster.address import parse_address
from app.core.cluster.client import AgentClient
from app.core.cluster.heartbeat import signs_of_life
from app.core.cluster.node import BEAT_MS, DEAD_S, SUSPECT_S
from app.core.paths import controller_paths
from shardd.identity import Identity, load_or_create_identity
from shardd.rpc import agent_pb2
from tests.faults.machines import Machine
from tests.faults.network import CONTROLLER, Network

SETTLE_S = 3.0


class Watcher:
    """One controller's view of one machine, on connections of its own."""

    def __init__(self, machine: Machine, identity: Identity) -> None:
        certificate = machine.ready["certificate"].encode()
        self.client = AgentClient(machine.name, parse_address(machine.address), identity, certificate)
        self.gaps: list[float] = []  # between two beats, seconds
        self.suspected = self.given_up = 0
        self._silent = 0.0
        self._beat_at = 0.0
        self.counts = False

    async def __call__(self) -> None:
        async with contextlib.aclosing(signs_of_life(self.client, BEAT_MS)) as signs:
            async for sign in signs:
                if isinstance(sign, agent_pb2.Beat):
                    now = time.monotonic()
                    if self.counts and self._beat_at:
                        self.gaps.append(now - self._beat_at)
                    self._beat_at = now
                silent = 0.0 if isinstance(sign, agent_pb2.Beat) else sign
                if self.counts:
                    self.suspected += self._silent < SUSPECT_S <= silent
                    self.given_up += self._silent < DEAD_S <= silent
                self._silent = silent


async def measure(options: argparse.Namespace, folder: Path, network: Network) -> None:
    paths = controller_paths(folder / "controller")
    identity = load_or_create_identity(paths.identity, "controller")
    trust = paths.identity / "certificate.pem"
    machines = [
        Machine(f"m{index + 1}", number, folder / f"m{index + 1}", trust, network)
        for index, number in enumerate(network.agents)
    ]
    tasks: list[asyncio.Task[None]] = []
    watchers: list[Watcher] = []
    try:
        for machine in machines:
            machine.folder.mkdir()
        await asyncio.gather(*(machine.start() for machine in machines))
        watchers = [Watcher(machine, identity) for machine in machines for _ in range(options.each)]
        tasks = [asyncio.create_task(watcher()) for watcher in watchers]
        await asyncio.sleep(SETTLE_S)
        for source in (CONTROLLER, *network.agents):
            for target in (CONTROLLER, *network.agents):
                network.shape(source, target, delay_ms=options.delay_ms, loss=options.loss)
        for watcher in watchers:
            watcher.counts = True
        await asyncio.sleep(options.seconds)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(watcher.client.close() for watcher in watchers))
        for machine in machines:
            await machine.kill()
    gaps = sorted(gap for watcher in watchers for gap in watcher.gaps)
    at = {share: gaps[min(len(gaps) - 1, int(share * len(gaps)))] for share in (0.5, 0.99, 0.999)}
    print(
        f"loss {options.loss:.0%}, {options.delay_ms:.0f} ms, load {os.getloadavg()[0]:.1f}: {len(gaps)} beats, apart "
        f"median {at[0.5]:.2f}, p99 {at[0.99]:.2f}, p99.9 {at[0.999]:.2f}, most {gaps[-1]:.2f} s"
    )
    by_beats = sum(gap >= SUSPECT_S for gap in gaps), sum(gap >= DEAD_S for gap in gaps)
    by_all = sum(watcher.suspected for watcher in watchers), sum(watcher.given_up for watcher in watchers)
    for what, (suspected, given_up) in (("beats alone", by_beats), ("all signs of life", by_all)):
        print(f"  by {what + ':':18} suspected {suspected:3}, given up {given_up:3}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--loss", type=float, default=0.05, help="share of packets, on every link and direction")
    parser.add_argument("--delay-ms", type=float, default=20.0)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--machines", type=int, default=3)
    parser.add_argument("--each", type=int, default=5, help="watchers of each machine")
    options = parser.parse_args()
    network = Network(options.machines)
    folder = Path(tempfile.mkdtemp(prefix="faults-"))
    os.environ |= {"HOME": str(folder)}
    try:
        asyncio.run(measure(options, folder, network))
    finally:
        network.close()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()

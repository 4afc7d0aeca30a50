"""`python -m tests.faults.calm loss|push|idle|prefill [--seconds S]`: what is slow or poor, and must alarm nobody.

loss      5 % of all packets are lost on every link, and 20 ms are added, while answers are written
push      a model is pushed to every machine as fast as the links carry it
idle      a lane is cut for a while and nobody asks anything: the next answer must not wait for what never comes
prefill   every layer takes a second: a stage computes longer than a dead machine is waited for
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import tempfile
import time
from pathlib import Path

from tests.clusters import make_model
from tests.faults.ledger import Ledger
from tests.faults.network import CONTROLLER, Network, NoNamespaces
from tests.faults.run import Plan, Run

SIGNS = ("has not answered", "nothing for", "stood still", "Nothing has come", "broke", "cannot be reached")
LOSS, DELAY_MS = 0.05, 20.0
LONG_LAYER_MS = 1000.0
MODEL = {"hidden": 512, "layers": 12, "heads": 8}
MODEL_DISK_BYTES = 600 << 20


class Calm(Run):
    """One of the three. Afterwards `alarms` are the sentences with which a machine or a lane was suspected or given up,
    `given_up` those of the latter."""

    what: str = "loss"
    seconds: float = 15.0

    async def __call__(self) -> Ledger:
        network = self._network
        try:
            await self._start_machines()
            stories = [] if self.what == "push" else await self._stories()
            if self.what == "push":
                self.model = await asyncio.to_thread(make_model, self._folder / "large", **MODEL)
            agents = [(machine.address, machine.ready["fingerprint"]) for machine in self._machines]
            await self._start_driver(agents, stories)
            if self.what == "push":
                await self._until(lambda: self.ledger.milestones["deployed"] > 0, 120, "the push")
            elif self.what == "idle":
                await self._cut_while_idle()
            else:
                await self._until(lambda: self.ledger.well() and bool(self.ledger.last), 60, "the start")
                self.ledger.story.clear()
                if self.what == "loss" and network is not None:
                    for source in (CONTROLLER, *network.agents):
                        for target in (CONTROLLER, *network.agents):
                            network.shape(source, target, delay_ms=DELAY_MS, loss=LOSS)
                over = time.monotonic() + self.seconds
                await self._until(lambda: time.monotonic() > over, self.seconds + 30, "the calm")
        finally:
            await self._clean()
        return self.ledger

    async def _cut_while_idle(self) -> None:
        network, ledger = self._network, self.ledger
        assert network is not None
        await self._until(lambda: ledger.milestones["deployed"] > 0 and ledger.well(), 60, "the start")
        first, second = network.agents[1:3]  # the head would notice
        for source, target in ((first, second), (second, first)):
            network.shape(source, target, cut=True)
        await self._until(lambda: any("previous stage broke" in line for line in ledger.story), 60, "a lane was cut")
        network.heal()
        self._tell({"ask": 2})
        await self._until(lambda: ledger.tokens > 20, 60, "the first question")
        ledger.story.clear()  # it was no false alarm
        ledger.recovered = 0

    @property
    def alarms(self) -> list[str]:
        return [line for line in self.ledger.story if any(sign in line for sign in SIGNS) or "SUSPECT" in line]

    @property
    def given_up(self) -> list[str]:
        return [line for line in self.ledger.story if "'LOST'" in line or "broke" in line or "stood still" in line]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("loss", "push", "idle", "prefill"))
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--machines", type=int, default=4)
    options = parser.parse_args()
    try:
        network = Network(options.machines)
    except NoNamespaces as error:
        if options.what in ("loss", "idle"):
            print(f"not possible here: {error}")
            return 3
        network = None
    folder = Path(tempfile.mkdtemp(prefix="faults-"))
    (folder / "tmp").mkdir()
    os.environ |= {"TMPDIR": str(folder / "tmp"), "HOME": str(folder), "HF_HUB_OFFLINE": "1"}
    tempfile.tempdir = None
    delay_ms = LONG_LAYER_MS if options.what == "prefill" else 1.0
    streams = 0 if options.what in ("push", "idle") else 2
    calm = Calm(Plan(1, 1.0, 0, options.machines, streams, delay_ms), folder, network, print)
    calm.what, calm.seconds = options.what, options.seconds
    if options.what == "push":
        calm.disk_bytes += MODEL_DISK_BYTES
    try:
        ledger = asyncio.run(calm())
    finally:
        if network:
            network.close()
        shutil.rmtree(folder, ignore_errors=True)
    for line in (*calm.alarms, *ledger.failures):
        print(line[:300])
    print(
        f"{options.what}: {ledger.tokens} tokens, {len(calm.alarms)} suspicions, {len(calm.given_up)} given up, "
        f"{ledger.recovered} answers replayed, {len(ledger.failures)} failures"
    )
    return 1 if calm.given_up or ledger.recovered or ledger.failures else 0


if __name__ == "__main__":
    raise SystemExit(main())

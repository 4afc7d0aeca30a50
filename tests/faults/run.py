"""One run of the fault suite: machines, a controller that answers without end, faults, and what is left afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from app.core.generation.tokenizer import load_tokenizer
from app.core.library.models import built_in_model
from app.core.paths import controller_paths
from shardd.identity import load_or_create_identity
from shardd.store.store import DEFAULT_RESERVE
from tests.faults.driver import Order
from tests.faults.faults import Fault, Striker, draw
from tests.faults.ledger import WORK_S, Ledger
from tests.faults.machines import STOP_S, Machine
from tests.faults.network import CONTROLLER, Network

PROMPTS = ("Once upon a time", "What is a shard?", "One night the machines", "Hello! How are you", "A long road", "The")
TOKENS = 96
DISK_BYTES = DEFAULT_RESERVE + (96 << 20)  # an agent leaves so much free
SETTLE_S = 60.0  # until all is well after a fault, beyond its own time
GROWTH_BYTES, GROWTH_FILES = 150 << 20, 80  # of one process that lives long
SAMPLE_S = 2.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run is: it ends after so many minutes or faults, whichever comes first."""

    seed: int
    minutes: float
    faults: int
    machines: int
    streams: int
    layer_delay_ms: float
    pairs: float = 0.2  # how often another fault strikes before the last one is over
    moves: float = 0.15  # how often the layers are placed anew in between
    only: tuple[str, ...] = ()  # kinds


class Run:
    def __init__(self, plan: Plan, folder: Path, network: Network | None, say: Callable[[str], None]) -> None:
        self._plan = plan
        self._folder = folder
        self._network = network
        self._say = say
        self._chance = random.Random(plan.seed)
        self._controller_folder = folder / "controller"
        paths = controller_paths(self._controller_folder)
        load_or_create_identity(paths.identity, "controller")
        trust = paths.identity / "certificate.pem"
        self._machines = [
            Machine(f"m{index + 1}", CONTROLLER + 1 + index, folder / f"m{index + 1}", trust, network)
            for index in range(plan.machines)
        ]
        self.ledger = Ledger(tuple(machine.name for machine in self._machines))
        self._striker = Striker(self._machines, network)
        self._driver: asyncio.subprocess.Process | None = None
        self._listening: asyncio.Task[None] | None = None
        self._holding: set[asyncio.Task[None]] = set()
        self._grown: dict[int, tuple[float, int, int]] = {}
        self.peak_bytes = 0
        self.disk_bytes = DISK_BYTES
        self.model = built_in_model()

    async def __call__(self) -> Ledger:
        began = time.monotonic()
        sampling: asyncio.Task[None] | None = None
        try:
            stories, _ = await asyncio.gather(self._stories(), self._start_machines())
            agents = [(machine.address, machine.ready["fingerprint"]) for machine in self._machines]
            await self._start_driver(agents, stories)
            await self._until(lambda: self.ledger.well() and self.ledger.flowing(0.0), SETTLE_S, "the start")
            sampling = asyncio.create_task(self._sample())
            while not self.ledger.failures and len(self.ledger.strikes) < self._plan.faults:
                if time.monotonic() - began > self._plan.minutes * 60:
                    break
                await self._one(stories)
            await self._end()
        finally:
            if sampling:
                sampling.cancel()
            await self._clean()
        return self.ledger

    async def _start_machines(self) -> None:
        for machine in self._machines:
            if self._network:
                await asyncio.to_thread(self._network.disk, machine.folder, self.disk_bytes)
            machine.folder.mkdir(exist_ok=True)
        await asyncio.gather(*(machine.start() for machine in self._machines))

    # -- the faults --------------------------------------------------------------------------------------------------

    async def _one(self, stories: list[tuple[list[int], list[int]]]) -> None:
        """A fault, or two; then until all is well again."""
        chance, ledger = self._chance, self.ledger
        await asyncio.sleep(chance.uniform(0.1, 1.0))
        stages = len(ledger.used())
        if stages < min(3, self._plan.machines - 1) or chance.random() < self._plan.moves:
            await self._move()
        fault = self._draw()
        hold_s = fault.hold_s
        await self._strike(fault, stories)
        if chance.random() < self._plan.pairs and len(ledger.strikes) < self._plan.faults:
            await asyncio.sleep(chance.uniform(0.0, 1.5))
            second = self._draw()
            hold_s += second.hold_s
            await self._strike(second, stories)
        while self._holding:
            await asyncio.wait(self._holding)
        over = time.monotonic()
        struck = ledger.strikes[-1]
        await self._until(
            lambda: ledger.well() and ledger.flowing(over),
            SETTLE_S,
            struck.words,
            lambda: ledger.stuck(time.monotonic(), hold_s),
        )
        noticed = "-" if struck.noticed_s is None else f"{struck.noticed_s:.2f}"
        self._say(
            f"{len(ledger.strikes):4} {struck.words:28} {struck.hold_s:5.2f} s  noticed {noticed:>5}"
            f"  longest wait {struck.longest_wait_s:5.2f}  {struck.how[:150]}"
        )

    def _draw(self) -> Fault:
        used = [each for each in self.ledger.used() if self._machines[each].agent()]
        while True:
            fault = draw(self._chance, len(self._machines), links=self._network is not None, used=used)
            if not self._plan.only or fault.kind in self._plan.only:
                return fault

    async def _strike(self, fault: Fault, stories: list[tuple[list[int], list[int]]]) -> None:
        self.ledger.strike(fault.words(self.ledger.names), fault.hold_s)
        if fault.kind == "kill controller":
            assert self._driver is not None and self._listening is not None
            self._driver.kill()
            await self._driver.wait()
            await self._listening
            self.ledger.controller_died()
            await asyncio.sleep(min(fault.hold_s, 1.0))
            await self._start_driver([], stories)
            return
        if fault.kind == "freeze controller":
            assert self._driver is not None
            self._driver.send_signal(signal.SIGSTOP)
        else:
            await self._striker.strike(fault)
        holding = asyncio.create_task(self._hold(fault, self._driver))
        self._holding.add(holding)
        holding.add_done_callback(self._holding.discard)

    async def _hold(self, fault: Fault, driver: asyncio.subprocess.Process | None) -> None:
        await asyncio.sleep(fault.hold_s)
        if fault.kind != "freeze controller":
            await self._striker.undo(fault)
        elif driver is not None and driver.returncode is None:  # nor killed meanwhile
            driver.send_signal(signal.SIGCONT)

    async def _move(self) -> None:
        """The layers are placed anew, on three to five machines; now and then a fault strikes meanwhile."""
        chance, ledger = self._chance, self.ledger
        count = chance.randint(min(3, len(self._machines)), len(self._machines))
        names = chance.sample(ledger.names, count)
        cuts = [0, *sorted(chance.sample(range(1, 12), count - 1)), 12]
        words = ",".join(f"{name}={cuts[i]}-{cuts[i + 1] - 1}" for i, name in enumerate(names))
        done = ledger.milestones["deployed"] + ledger.milestones["deploy failed"]
        ledger.story.append(f"{time.monotonic():.2f} MOVE {words}")
        self._tell({"deploy": words})
        if chance.random() < 0.7:
            await self._until(
                lambda: ledger.milestones["deployed"] + ledger.milestones["deploy failed"] > done,
                SETTLE_S,
                f"placing anew as {words}",
            )

    async def _until(
        self, condition: Callable[[], bool], seconds: float, what: str, stuck: Callable[[], list[str]] = lambda: []
    ) -> None:
        deadline = time.monotonic() + seconds
        while not condition() and not self.ledger.failures:
            await asyncio.sleep(0.05)
            if hanging := stuck():
                self.ledger.fail(f"answers {hanging} hang")
            elif time.monotonic() > deadline:
                self.ledger.fail(f"all is not well {seconds:.0f} s after {what}: {self.ledger.states}")
            elif self._driver and self._driver.returncode is not None:
                self.ledger.fail(f"the controller ended by itself with {self._driver.returncode}")

    # -- the controller ----------------------------------------------------------------------------------------------

    async def _stories(self) -> list[tuple[list[int], list[int]]]:
        """Prompts, and what one process of mlx-lm answers."""
        from tests.process.conftest import Reference

        def compute() -> list[tuple[list[int], list[int]]]:
            tokenizer, reference = load_tokenizer(built_in_model()), Reference(built_in_model())
            try:
                prompts = [tokenizer.encode(prompt) for prompt in PROMPTS]
                return [(prompt, reference.run(prompt, TOKENS)["token_ids"]) for prompt in prompts]
            finally:
                reference.close()
                tokenizer.close()

        return await asyncio.to_thread(compute)

    async def _start_driver(self, agents: list[tuple[str, str]], stories: list[tuple[list[int], list[int]]]) -> None:
        plan = self._plan
        stages = min(4, plan.machines - 1)
        order = Order(
            str(self._controller_folder), str(self.model), agents, stages, plan.streams,
            self._chance.randrange(1 << 20), plan.layer_delay_ms, stories,
        )  # fmt: skip
        with (self._folder / "driver.log").open("ab") as log:
            self._driver = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "tests.faults.driver",
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=log, limit=1 << 20,
            )  # fmt: skip
        self._tell(asdict(order))
        self._listening = asyncio.create_task(self._listen(self._driver))

    async def _listen(self, driver: asyncio.subprocess.Process) -> None:
        assert driver.stdout is not None
        async for line in driver.stdout:
            with contextlib.suppress(json.JSONDecodeError):  # the last line of one that was killed
                self.ledger.take(json.loads(line))

    def _tell(self, order: object) -> None:
        assert self._driver is not None and self._driver.stdin is not None
        self._driver.stdin.write(json.dumps(order).encode() + b"\n")

    # -- what is left ------------------------------------------------------------------------------------------------

    async def _sample(self) -> None:
        """Memory and open files of every process that lives long."""
        while True:
            await asyncio.sleep(SAMPLE_S)
            total = 0
            for process in psutil.Process().children(recursive=True):
                with contextlib.suppress(psutil.Error):
                    nbytes, files = process.memory_info().rss, process.num_fds()
                    total += nbytes
                    known = self._grown.setdefault(process.pid, (time.monotonic(), nbytes, files))
                    if time.monotonic() - known[0] < 20:  # it still grows up
                        self._grown[process.pid] = (known[0], max(nbytes, known[1]), max(files, known[2]))
                    elif nbytes - known[1] > GROWTH_BYTES or files - known[2] > GROWTH_FILES:
                        words = " ".join(process.cmdline())[-80:]
                        self.ledger.fail(
                            f"{words} grew from {known[1] >> 20} to {nbytes >> 20} MB, {known[2]} to {files} open files"
                        )
            self.peak_bytes = max(self.peak_bytes, total)

    async def _end(self) -> None:
        """Everything is told to stop, and must."""
        assert self._driver is not None and self._listening is not None
        if self.ledger.failures:
            with contextlib.suppress(OSError):  # it may be gone
                self._tell({"look": True})
                await asyncio.sleep(1.0)
            for machine in self._machines:
                if not machine.agent():
                    log = (self._folder / f"{machine.name}.log").read_text(errors="replace")
                    self.ledger.failures.append(f"the agent of {machine.name} is gone; it said: {log[-2000:]}")
            return
        self._tell({"stop": True})
        try:
            await asyncio.wait_for(self._driver.wait(), WORK_S + 30)
        except TimeoutError:
            self.ledger.fail("the controller did not end")
            return
        await self._listening
        if self._driver.returncode or not self.ledger.milestones["closed"]:
            self.ledger.fail(f"the controller ended with {self._driver.returncode}")
        for machine in self._machines:
            if stages := machine.stages(all_here=True):
                self.ledger.fail(f"{machine.name} still has {len(stages)} stages")
        for machine in self._machines:
            try:
                code = await machine.stop()
            except TimeoutError:
                self.ledger.fail(f"the agent of {machine.name} did not stop in {STOP_S:.0f} s")
                continue
            if code:
                self.ledger.fail(f"the agent of {machine.name} ended with {code}")
        self._look_for_remains()

    def _look_for_remains(self) -> None:
        processes = [
            " ".join(each.cmdline())
            for each in psutil.Process().children(recursive=True)
            if each.status() != psutil.STATUS_ZOMBIE
        ]
        orphans = [words for words in processes if "shardd" in words or "tests.faults.driver" in words]
        if orphans:
            self.ledger.fail(f"processes are left: {orphans}")
        found = sorted(path.name for path in Path(os.environ["TMPDIR"]).iterdir())
        temporary = [name for name in found if name != "mlx"]  # its cache of compiled kernels
        if temporary:
            self.ledger.fail(f"temporary files are left: {temporary}")
        debris = [str(path.relative_to(self._folder)) for path in self._folder.rglob(".tmp-*")]
        if debris:
            self.ledger.fail(f"half-written files are left: {debris}")

    async def _clean(self) -> None:
        """Whatever happened: nothing goes on."""
        for holding in self._holding:
            holding.cancel()
        if self._driver and self._driver.returncode is None:  # first: it need not see the others go
            self._driver.kill()
            await self._driver.wait()
        for process in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if "tests.faults.switch" not in " ".join(process.cmdline()):
                    process.kill()
        for machine in self._machines:
            await machine.kill()
        if self._driver and self._listening:
            await self._driver.wait()
            await asyncio.gather(self._listening, return_exceptions=True)

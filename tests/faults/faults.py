"""The faults: which there are, how one is drawn from a seed, and how it is done to a machine and undone."""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
from collections.abc import Sequence
from dataclasses import dataclass

import psutil

from tests.faults.machines import Machine
from tests.faults.network import CONTROLLER, Network

KINDS = {  # how often each is drawn, beside the others
    "kill stage": 5,
    "freeze stage": 3,
    "kill agent": 4,
    "freeze agent": 3,
    "freeze machine": 2,
    "cut": 3,
    "cut lane": 2,
    "cut controller": 2,
    "half-open": 3,
    "delay": 2,
    "loss": 2,
    "full disk": 1,
    "kill controller": 2,
    "freeze controller": 1,  # as a laptop that is closed for a while
}
NEEDS_LINKS = ("cut", "cut lane", "cut controller", "half-open", "delay", "loss", "full disk")
OF_CONTROLLER = ("kill controller", "freeze controller")


@dataclass(frozen=True, slots=True)
class Fault:
    """hold_s: how long it lasts, or until what was killed is started again. other: the far end of a lane."""

    kind: str
    machine: int
    other: int
    hold_s: float
    delay_ms: float = 0.0
    loss: float = 0.0

    def words(self, names: Sequence[str]) -> str:
        where = "" if self.kind in OF_CONTROLLER else f" {names[self.machine]}"
        if self.kind == "cut lane":
            where += f"-{names[self.other]}"
        strength = f" {self.delay_ms:.0f} ms" if self.delay_ms else f" {self.loss:.0%}" if self.loss else ""
        return f"{self.kind}{where}{strength}"


def draw(chance: random.Random, machines: int, *, links: bool, used: Sequence[int] = ()) -> Fault:
    """The next fault. used: the machines that have a stage; they are hit more often than the others."""
    kinds = [kind for kind in KINDS if links or kind not in NEEDS_LINKS]
    kind = chance.choices(kinds, [KINDS[kind] for kind in kinds])[0]
    machine = chance.choice(used) if used and chance.random() < 0.85 else chance.randrange(machines)
    other = chance.choice([each for each in range(machines) if each != machine])
    if used and len(used) > 1 and kind == "cut lane":
        at = chance.randrange(len(used))
        machine, other = used[at], used[(at + 1) % len(used)]
    hold_s = round(chance.choice((chance.uniform(0.1, 1.0), chance.uniform(1.0, 3.0), chance.uniform(3.0, 6.0))), 2)
    delay_ms = round(chance.uniform(20, 150)) if kind == "delay" else 0.0
    loss = round(chance.uniform(0.01, 0.08), 2) if kind == "loss" else 0.0
    return Fault(kind, machine, other, hold_s, delay_ms, loss)


class Striker:
    """Does faults to machines. The controller's own are the run's business."""

    def __init__(self, machines: Sequence[Machine], network: Network | None) -> None:
        self._machines = machines
        self._network = network

    async def strike(self, fault: Fault) -> None:
        machine = self._machines[fault.machine]
        match fault.kind:
            case "kill stage":
                self._signal(machine.stages(), signal.SIGKILL)
            case "freeze stage":
                self._signal(machine.stages(), signal.SIGSTOP)
            case "kill agent":
                await machine.kill()
            case "freeze agent":
                self._signal(machine.agent(), signal.SIGSTOP)
            case "freeze machine":
                self._signal([*machine.agent(), *machine.stages()], signal.SIGSTOP)
            case "full disk":
                await asyncio.to_thread(machine.fill_disk)
                await machine.kill()
                await machine.start()  # what is there must be of use all the same
            case _:
                self._shape(fault, on=True)

    async def undo(self, fault: Fault) -> None:
        machine = self._machines[fault.machine]
        match fault.kind:
            case "freeze stage" | "freeze agent" | "freeze machine":
                self._signal([*machine.agent(), *machine.stages(all_here=True)], signal.SIGCONT)
            case "kill agent":
                if not machine.agent():  # nor started again by another fault's end
                    await machine.start()
            case "full disk":
                machine.free_disk()
            case "kill stage":
                pass
            case _:
                self._shape(fault, on=False)

    def _shape(self, fault: Fault, *, on: bool) -> None:
        network = self._network
        assert network is not None
        mine = self._machines[fault.machine].number
        others = [CONTROLLER, *(each.number for each in self._machines if each.number != mine)]
        if fault.kind == "cut lane":
            others = [self._machines[fault.other].number]
        elif fault.kind == "cut controller":
            others = [CONTROLLER]
        cut = on and fault.kind in ("cut", "cut lane", "cut controller", "half-open")
        delay_ms, loss = (fault.delay_ms, fault.loss) if on else (0.0, 0.0)
        for other in others:
            network.shape(mine, other, cut=cut, delay_ms=delay_ms, loss=loss)
            network.shape(other, mine, cut=cut and fault.kind != "half-open", delay_ms=delay_ms, loss=loss)

    @staticmethod
    def _signal(processes: Sequence[psutil.Process], number: int) -> None:
        for process in processes:
            with contextlib.suppress(psutil.Error):
                process.send_signal(number)

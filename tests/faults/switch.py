"""A network in one process: every machine has a TUN device in a namespace of its own, and packets pass through here.

`python -m tests.faults.switch N:FD…` forwards between the devices; machine n has the address 10.77.0.n. Each line on
stdin is one change, as JSON: {"from": n, "to": m, "cut": bool, "delay_ms": d, "loss": share}, one direction of a link.
"""

from __future__ import annotations

import heapq
import itertools
import json
import os
import random
import selectors
import sys
import time
from dataclasses import dataclass

MTU = 1500
MOST_WAITING = 4000  # packets: what comes beyond them is dropped, as a full queue does


@dataclass(frozen=True, slots=True)
class Shape:
    """One direction of a link. loss: of single packets, 0 to 1."""

    cut: bool = False
    delay_ms: float = 0.0
    loss: float = 0.0


class Switch:
    """devices: file descriptor by machine number."""

    def __init__(self, devices: dict[int, int], seed: int = 0) -> None:
        self._devices = devices
        self._shapes: dict[tuple[int, int], Shape] = {}
        self._chance = random.Random(seed)
        self._waiting: list[tuple[float, int, int, bytes]] = []
        self._count = itertools.count()

    def change(self, line: bytes) -> None:
        order = json.loads(line)
        shape = Shape(bool(order.get("cut")), float(order.get("delay_ms", 0)), float(order.get("loss", 0)))
        self._shapes[order["from"], order["to"]] = shape

    def run(self) -> None:
        """Until stdin ends."""
        selector = selectors.DefaultSelector()
        for number, device in self._devices.items():
            os.set_blocking(device, False)
            selector.register(device, selectors.EVENT_READ, number)
        os.set_blocking(0, False)
        selector.register(0, selectors.EVENT_READ, None)
        pending = b""
        while True:
            wait = max(0.0, self._waiting[0][0] - time.monotonic()) if self._waiting else None
            for key, _ in selector.select(wait):
                if key.data is not None:
                    self._take(key.fd, key.data)
                    continue
                data = os.read(0, 65536)
                if not data:
                    return
                *lines, pending = (pending + data).split(b"\n")
                for line in lines:
                    self.change(line)
            while self._waiting and self._waiting[0][0] <= time.monotonic():
                _, _, target, packet = heapq.heappop(self._waiting)
                self._give(target, packet)

    def _take(self, device: int, source: int) -> None:
        for _ in range(32):
            try:
                packet = os.read(device, MTU + 100)
            except BlockingIOError:
                return
            if packet[0] >> 4 != 4 or packet[16:19] != b"\x0a\x4d\x00" or packet[19] not in self._devices:
                continue
            target = packet[19]
            shape = self._shapes.get((source, target))
            if shape is None:
                self._give(target, packet)
            elif not shape.cut and self._chance.random() >= shape.loss and len(self._waiting) < MOST_WAITING:
                heapq.heappush(
                    self._waiting, (time.monotonic() + shape.delay_ms / 1000, next(self._count), target, packet)
                )

    def _give(self, target: int, packet: bytes) -> None:
        try:
            os.write(self._devices[target], packet)
        except OSError:
            return  # its queue is full: the packet is lost


def main() -> None:
    Switch({int(number): int(device) for number, device in (word.split(":") for word in sys.argv[1:])}).run()


if __name__ == "__main__":
    main()

"""The controller under test, as a process that can be killed: it keeps several greedy answers going, tells of each.

`python -m tests.faults.driver` reads one order (JSON) from stdin, then commands a line each: {"ask": streams},
{"deploy": "a=0-3,b=4-11"}, {"look": true}, {"stop": true}. It writes a JSON line for whatever happens, with the time of
the clock that all processes share.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.core.controller import Controller
from app.core.errors import SentenceError, ShardboardError
from app.core.generation.request import GenerationEventNote, GenerationRequest, GenerationResult, TokenEvent
from app.core.paths import controller_paths
from app.core.placement.placement import Placement, even_split, parse_placement
from app.core.snapshot import ActivityEntry, NodeState, Snapshot
from shardd.stage.orders import PipelineOptions

PATIENCE_S = 40.0


@dataclass(frozen=True, slots=True)
class Order:
    """What the driver is to do. agents: address and fingerprint of those to add. stories: prompts (token ids) with the
    token ids that mlx-lm answers."""

    folder: str
    model: str
    agents: list[tuple[str, str]]
    stages: int
    streams: int
    seed: int
    layer_delay_ms: float
    stories: list[tuple[list[int], list[int]]]


def tell(kind: str, **facts: Any) -> None:
    print(json.dumps({"at": time.monotonic(), "kind": kind, **facts}), flush=True)


class Driver:
    def __init__(self, order: Order) -> None:
        self._order = order
        self._chance = random.Random(order.seed)
        self._controller = Controller(
            controller_paths(Path(order.folder)),
            discover=False,
            options=PipelineOptions(layer_delay_ms=order.layer_delay_ms),
        )
        self._states: dict[str, Any] = {}
        self._stopping = asyncio.Event()
        self._loops: list[asyncio.Task[None]] = []

    async def run(self) -> None:
        controller = self._controller
        controller.subscribe_activity(self._entry)
        controller.subscribe(self._snapshot)
        await controller.start()
        try:
            for address, fingerprint in self._order.agents:
                await controller.add_node(address, fingerprint)
            await self._come_back()
            self._ask_on(self._order.streams)
            await self._obey()
            self._stopping.set()
            await asyncio.wait_for(asyncio.gather(*self._loops), PATIENCE_S)
            await controller.undeploy()
            tell("undeployed")
        finally:
            await controller.close()
        tell("closed")

    async def _come_back(self) -> None:
        """Takes up what is deployed, or deploys."""
        controller = self._controller
        with contextlib.suppress(ShardboardError):
            await controller.wait_ready(5.0)
        try:
            await controller.attach()
            tell("attached", placement=self._words())
        except SentenceError as error:
            tell("not attached", why=str(error))
            await controller.choose_model(self._order.model)
            while True:
                ready = tuple(n.name for n in controller.nodes.values() if n.state is NodeState.READY)
                view = controller.snapshot().model
                assert view is not None
                try:
                    count = min(self._order.stages, len(ready))
                    await controller.deploy(even_split(ready[:count], view.inventory.layer_count), 512)
                    break
                except (SentenceError, ValueError) as failed:  # a fault struck at the same moment
                    tell("deploy failed", why=str(failed))
                    await asyncio.sleep(0.5)
            tell("deployed", placement=self._words())

    async def _obey(self) -> None:
        reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader)
        await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin)
        async for line in reader:
            command = json.loads(line)
            if "stop" in command:
                return
            if "look" in command:
                self._look()
            elif "ask" in command:
                self._ask_on(command["ask"])
            else:
                await self._deploy(command["deploy"])

    def _look(self) -> None:
        """What the machines say of their stages just now."""
        for node in self._controller.nodes.values():
            for stage in node.beat.stages if node.beat else ():
                facts = {"sequences": stage.sequences, "queue": stage.queue_depth, "steps": stage.steps}
                tell("stage", node=node.name, **facts)

    def _ask_on(self, streams: int) -> None:
        self._loops += [asyncio.create_task(self._ask_again(number)) for number in range(streams)]

    async def _deploy(self, words: str) -> None:
        controller = self._controller
        view = controller.snapshot().model
        assert view is not None
        placement: Placement = parse_placement(words, tuple(controller.nodes), view.inventory.layer_count)
        try:
            await controller.deploy(placement, 512)
            tell("deployed", placement=self._words())
        except SentenceError as error:
            tell("deploy failed", why=str(error))

    def _words(self) -> str:
        deployment = self._controller.deployment
        return str(deployment.placement.stages and _written(deployment.placement)) if deployment else ""

    async def _ask_again(self, number: int) -> None:
        chance = random.Random(self._order.seed * 1000 + number)
        count = 0
        while not self._stopping.is_set():
            count += 1
            await self._ask(f"{number}.{count}", *chance.choice(self._order.stories), chance)

    async def _ask(self, name: str, prompt: list[int], expected: list[int], chance: random.Random) -> None:
        length = chance.randint(len(expected) // 4, len(expected))
        request = GenerationRequest(prompt_ids=tuple(prompt), max_tokens=length, ignore_end=True)
        tell("asked", name=name)
        try:
            async for update in self._controller.generate(request):
                if isinstance(update, TokenEvent):
                    tell("token", name=name)
                elif isinstance(update, GenerationEventNote):
                    tell("note", name=name, note=update.kind, node=update.node, message=update.message)
                elif isinstance(update, GenerationResult):
                    right = list(update.token_ids) == expected[: len(update.token_ids)]
                    exact = right and len(update.token_ids) == length and update.finish_reason == "length"
                    said = [event.message for event in update.events if event.kind == "failed"]
                    tell("end", name=name, exact=exact, right=right, reason=update.finish_reason, said=said,
                         tokens=len(update.token_ids), asked=length)  # fmt: skip
        except SentenceError as error:
            tell("refused", name=name, why=str(error))
            await asyncio.sleep(0.2)

    def _entry(self, entry: ActivityEntry) -> None:
        tell("log", level=entry.level.name, node=entry.node, message=entry.message)

    def _snapshot(self, snapshot: Snapshot) -> None:
        states = {node.name: node.state.name for node in snapshot.nodes}
        states[""] = snapshot.deployment.state.name
        changed = {name: state for name, state in states.items() if self._states.get(name) != state}
        if changed:
            self._states |= changed
            tell("state", changed=changed, placement=self._words())


def _written(placement: Placement) -> str:
    return ",".join(f"{stage.node}={stage.first}-{stage.last}" for stage in placement.stages)


def main() -> None:
    order = Order(**json.loads(sys.stdin.buffer.raw.readline()))  # type: ignore[attr-defined]
    asyncio.run(Driver(order).run())


if __name__ == "__main__":
    main()

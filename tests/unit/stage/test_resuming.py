"""Answers that are resumed: whole engines in a ring, each in its own thread, with frames handed over by hand."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue

import pytest

from app.core.library.models import built_in_model
from shardd.model.inventory import Inventory, inspect
from shardd.model.stage import load_stage
from shardd.model.units import unit_pieces
from shardd.rpc import lane_pb2
from shardd.stage.engine import Engine
from shardd.stage.frames import Buffer, Frame, FrameReader, encode, token_ids_payload
from shardd.stage.orders import PipelineOptions, Place
from shardd.stage.work import NEXT, Arrived, EngineSettings, Halt, Header, Lost, Task

RANGES = [(0, 3), (4, 7), (8, 11)]
PROMPT = [(7 * number) % 500 + 5 for number in range(40)]
LATER = 40  # tokens by which texts are compared


def decoded(header: Header, payload: list[Buffer]) -> Frame:
    header.sent_ns = time.monotonic_ns()
    (frame,) = FrameReader().feed(encode(header, payload))
    return frame._replace(arrived_ns=time.monotonic_ns())


class Ring:
    """Three stages of the built-in model; said: what a controller hears from the tail."""

    def __init__(self, inventory: Inventory, folder: Path) -> None:
        self._inventory, self._folder = inventory, folder
        self._threads: list[threading.Thread] = []
        self.said: SimpleQueue[Frame] = SimpleQueue()
        self.engines: list[Engine] = [self.start(index) for index in range(3)]
        self.join()

    def start(self, index: int) -> Engine:
        first, last = RANGES[index]
        units = [self._folder / unit.name for unit in self._inventory.units_for(first, last)]
        options = PipelineOptions(max_batch=1, speculate=False, layer_delay_ms=0.5)
        settings = EngineSettings(index, 3, 512, 16, options)
        made: SimpleQueue[Engine] = SimpleQueue()

        def work() -> None:
            stage = load_stage(self._inventory.blueprint(), units, first, last)
            engine = Engine(stage, settings, lambda message: None)
            made.put(engine)
            engine.run()
            engine.keeper.close()

        self._threads.append(threading.Thread(target=work, name=f"stage-{index}", daemon=True))
        self._threads[-1].start()
        engine = made.get(timeout=60)
        engine.controllers["tail" if index == 2 else "head"] = Wire(self.said.put)
        return engine

    def join(self) -> None:
        for index, engine in enumerate(self.engines):
            following = (index + 1) % 3
            wire = Wire(lambda frame, following=following: self.engines[following].deliver(Arrived(frame, "")))
            engine.deliver(Task(lambda engine=engine, wire=wire: engine.lead_to(wire)))
            back = Wire(lambda frame, engine=engine: engine.deliver(Arrived(frame, NEXT)))
            self.engines[following].deliver(
                Task(lambda engine=self.engines[following], back=back: engine.come_from(back))
            )

    def lose(self, index: int | None) -> None:
        """A stage is another process from now on; None: only the lanes broke."""
        if index is not None:
            self.engines[index].deliver(Halt())
            self.engines[index] = self.start(index)
        for engine in self.engines:
            engine.deliver(Lost(NEXT))
            engine.deliver(Lost(""))
        self.join()

    def open(self, sequence: int, tokens: list[int], generated: int = 0, resumes: int = 0, held_from: int = 0) -> None:
        tensor, payload = token_ids_payload(tokens)
        opened = lane_pb2.Open(
            max_tokens=300, reply_to="tail", generated=generated, resumes=resumes, held_from=held_from
        )
        header = Header(kind=lane_pb2.OPEN, sequence=sequence, tensors=[tensor], open=opened)
        self.engines[0].deliver(Arrived(decoded(header, [payload]), "head"))

    def stop(self, sequence: int) -> None:
        self.engines[0].deliver(Arrived(Frame(Header(kind=lane_pb2.CLOSE, sequence=sequence), memoryview(b"")), "head"))

    def hear(self, sequence: int, count: int) -> tuple[list[int], list[int]]:
        """So many tokens, and how many of the prompt each stage computed."""
        tokens, computed = list[int](), [0, 0, 0]
        while len(tokens) < count:
            header = self.said.get(timeout=60).header
            if header.sequence == sequence:
                assert header.kind != lane_pb2.FAIL, header.message
                if header.kind == lane_pb2.TOKEN:
                    tokens.append(header.token.token)
                for timing in header.timings if header.kind == lane_pb2.PROGRESS else ():
                    computed[timing.stage] += header.count if timing.compute_us else 0
        return tokens, computed

    def close(self) -> None:
        for engine in self.engines:
            engine.deliver(Halt())
        for thread in self._threads:
            thread.join(timeout=60)


class Wire:
    def __init__(self, deliver) -> None:
        self._deliver = deliver

    def post(self, header: Header, payload: list[Buffer] | None = None) -> None:
        self._deliver(decoded(header, payload or []))

    send = post


@pytest.fixture(scope="module")
def ring(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ring]:
    folder, inventory = tmp_path_factory.mktemp("units"), inspect(built_in_model())
    for unit in inventory.units:
        with (folder / unit.name).open("wb") as file:
            file.writelines(unit_pieces(unit))
    made = Ring(inventory, folder)
    yield made
    made.close()


@pytest.fixture(scope="module")
def plain(ring: Ring) -> list[int]:
    ring.open(99, PROMPT)
    tokens, computed = ring.hear(99, LATER)
    ring.stop(99)
    assert computed == [39, 39, 39]
    return tokens


@pytest.mark.parametrize(
    ("number", "lost", "held_from", "again"),
    [
        (1, 0, 1, (True, False, False)),
        (2, 1, 2, (True, True, False)),
        (3, 2, 3, (True, True, True)),
        (4, None, 0, (False, False, False)),
        (5, None, 3, (True, True, True)),  # where the controller does not know better
    ],
)
def test_only_what_was_lost_and_what_is_before_it_is_computed_again(
    number: int, lost: int | None, held_from: int, again: tuple[bool, ...], ring: Ring, plain: list[int]
) -> None:
    ring.open(number, PROMPT)
    so_far, _ = ring.hear(number, 10)
    ring.lose(lost)
    ring.open(10 * number, [*PROMPT, *so_far], len(so_far), resumes=number, held_from=held_from)
    rest, computed = ring.hear(10 * number, LATER - len(so_far))
    ring.stop(10 * number)
    assert [*so_far, *rest] == plain
    assert computed == [49 if each else 0 for each in again]


@pytest.mark.parametrize("index", range(3))
def test_a_stage_without_a_way_on_says_so(index: int, ring: Ring, plain: list[int]) -> None:
    ring.lose(None)  # nothing is on its way any more
    ring.engines[index].deliver(Lost(NEXT))
    ring.open(80 + index, PROMPT)
    for _ in range(2 if index == 2 else 1):  # of the tail itself its controller learns twice
        while (header := ring.said.get(timeout=60).header).kind != lane_pb2.FAIL or header.sequence != 80 + index:
            pass
        assert header.broken and header.message == f"Stage {index} has no lane to the next stage."
    ring.join()
    ring.open(90 + index, PROMPT)
    tokens, _ = ring.hear(90 + index, LATER)
    ring.stop(90 + index)
    assert tokens == plain


def test_a_stage_says_that_it_has_the_cache_no_more(ring: Ring, plain: list[int]) -> None:
    ring.open(61, PROMPT, resumes=60, held_from=1)
    while (header := ring.said.get(timeout=60).header).kind != lane_pb2.FAIL or header.sequence != 61:
        pass
    assert header.unheld and not header.broken
    ring.open(62, PROMPT, resumes=60, held_from=0)  # the head sees for itself
    tokens, computed = ring.hear(62, LATER)
    ring.stop(62)
    assert tokens == plain and computed == [39, 39, 39]


def test_a_stage_that_takes_another_place_keeps_the_caches(ring: Ring, plain: list[int]) -> None:
    ring.open(71, PROMPT)
    so_far, _ = ring.hear(71, 10)
    for index, engine in enumerate(ring.engines):
        engine.deliver(Task(lambda engine=engine, index=index: engine.take_place(Place(2, index, 3, 4096))))
        engine.deliver(Task(lambda engine=engine: engine.controllers.update(head=Wire(ring.said.put))))
        engine.deliver(Task(lambda engine=engine: engine.controllers.update(tail=Wire(ring.said.put))))
    ring.join()
    ring.open(72, [*PROMPT, *so_far], len(so_far), resumes=71, held_from=0)
    rest, computed = ring.hear(72, LATER - len(so_far))
    ring.stop(72)
    assert [*so_far, *rest] == plain and computed == [0, 0, 0]

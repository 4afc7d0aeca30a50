"""The stage's process: joins the agent's orders, the lanes and the engine.

main thread        MLX: loads the stage, then computes (engine.run)
orders             reads the agent's orders from stdin; when stdin ends, so does the process
telemetry          writes a Reading to stdout four times a second
lane-door          lets lanes in
receive-…          one per lane: frames into the engine's queue
send-…             one per lane: frames that need not or must not wait
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from shardd.host import HostError, return_freed_memory
from shardd.identity import Identity
from shardd.model.errors import ModelError
from shardd.model.stage import load_stage
from shardd.rpc import lane_pb2
from shardd.stage.door import Door, dial
from shardd.stage.draft import load_draft
from shardd.stage.engine import Engine
from shardd.stage.frames import Frame, FrameError
from shardd.stage.lane import SUSPECT_S, Lane, LaneClosed
from shardd.stage.orders import (
    Connect,
    Connected,
    Failed,
    Grant,
    Loading,
    Place,
    Reading,
    Ready,
    Report,
    Ring,
    Start,
    order_from,
    to_line,
)
from shardd.stage.outbox import Outbox
from shardd.stage.shaping import ShapedLink, parse_link
from shardd.stage.spill import SpillFolder
from shardd.stage.timings import spread
from shardd.stage.work import NEXT, Arrived, EngineSettings, Halt, Lost, Task

TELEMETRY_S = 0.25
GREETED_S = 5.0
REST_READINGS = 8  # without a sequence, until what many of them needed is given back to the system


class Reporter:
    """Writes reports to the agent, from any thread."""

    def __init__(self, pipe: BinaryIO) -> None:
        self._pipe = pipe
        self._lock = threading.Lock()

    def __call__(self, report: Report) -> None:
        with self._lock:
            try:
                self._pipe.write(to_line(report))
                self._pipe.flush()
            except OSError:
                os._exit(0)  # the agent is gone


def main() -> int:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C is the agent's business
    report = Reporter(os.fdopen(os.dup(1), "wb"))
    os.dup2(2, 1)  # whatever a library prints goes to the log, not among the reports
    orders = sys.stdin.buffer
    start = order_from(orders.readline())
    if not isinstance(start, Start):
        raise SystemExit("the first order must be Start")
    try:
        _serve(start, orders, report)
    except ModelError as error:
        report(Failed(str(error)))
        return 1
    return 0


def _serve(start: Start, orders: BinaryIO, report: Reporter) -> None:
    stage = load_stage(
        Path(start.blueprint).read_bytes(),
        [Path(unit) for unit in start.units],
        start.first,
        start.last,
        lambda done, total: report(Loading(done, total)),
    )
    draft = (
        load_draft(
            start.draft,
            stage.vocab_size,
            lambda message: report(Failed(message, fatal=False)),
            lambda done, total: report(Loading(stage.weights_bytes + done, stage.weights_bytes + total)),
        )
        if start.draft
        else None
    )
    weights_bytes = stage.weights_bytes + (draft.weights_bytes if draft else 0)
    settings = EngineSettings(
        start.stage_index, start.stage_count, start.context_tokens, start.prefill_chunk_tokens, start.options
    )
    folder = _spill_folder(start, report)
    engine = Engine(stage, settings, lambda message: report(Failed(message, fatal=False)), draft, folder)
    identity = Identity("stage", start.certificate_pem.encode(), start.key_pem.encode())
    lanes = Lanes(engine, identity, start, report)
    report(Ready(lanes.door.port, weights_bytes, stage.batchable))

    def read_orders() -> None:
        for line in orders:
            match order_from(line):
                case Connect() as order:
                    lanes.connect(order)
                case Grant() as order:
                    lanes.door.admit(
                        bytes.fromhex(order.token), order.certificate_pem.encode(), controller=order.controller
                    )
                case Place() as order:
                    lanes.place(order)
                case Start():
                    report(Failed("A second Start order was ignored.", fatal=False))
        engine.deliver(Halt())
        threading.Event().wait(2.0)
        os._exit(0)  # a step that hangs must not keep the memory

    def tell() -> None:
        pause = threading.Event()
        rested = 0
        while not pause.wait(TELEMETRY_S):
            rested = 0 if engine.sequence_count else rested + 1
            if rested == REST_READINGS:
                return_freed_memory()
            measured = engine.measurements
            compute = measured.compute_ms.values()
            report(
                Reading(
                    weights_bytes,
                    engine.kv_bytes(),
                    engine.queue_depth,
                    engine.sequence_count,
                    measured.steps,
                    list(spread(compute) or ()),
                    list(spread(measured.queue_ms.values()) or ()),
                    list(spread(measured.hop_ms.values()) or ()),
                    len(compute),
                )
            )

    threading.Thread(target=read_orders, name="orders", daemon=True).start()
    threading.Thread(target=tell, name="telemetry", daemon=True).start()
    engine.run()
    engine.keeper.close()  # as much of it as there is time for


def _spill_folder(start: Start, report: Reporter) -> SpillFolder | None:
    if not start.spill_folder or not start.options.spill_bytes:
        return None
    try:
        return SpillFolder(Path(start.spill_folder), start.options.spill_bytes)
    except HostError as error:
        report(Failed(f"Kept caches stay in memory only. {error}", fatal=False))
        return None


class Lanes:
    """The lanes of one stage, and which thread reads which."""

    def __init__(self, engine: Engine, identity: Identity, start: Start, report: Callable[[Report], None]) -> None:
        self._engine = engine
        self._identity = identity
        self._epoch = start.epoch
        self._shape = parse_link(start.options.link)
        self._report = report
        self._lanes: dict[str, Lane] = {}
        self._whole = False  # the ring, as it was told last
        self._lock = threading.Lock()
        self.door = Door(start.host, identity, start.epoch, self._welcome)

    def connect(self, order: Connect) -> None:
        """Dials the next stage; a lane to it that stood before is closed."""
        certificate = order.certificate_pem.encode()
        try:
            lane = dial(
                order.addresses, order.port, self._identity, certificate, bytes.fromhex(order.token), self._epoch
            )
            lane.await_first(GREETED_S)  # the other end may still refuse us
        except LaneClosed as error:
            self._report(Failed(f"The next stage could not be reached: {error}.", fatal=False, joining=True))
            return
        self._join(NEXT, lane)
        if self._engine.head is not None:
            self._engine.head.max_batch = max(1, order.max_batch)
        self._report(Connected())

    def place(self, order: Place) -> None:
        """Ends all lanes: from now on only those of the new deployment come in."""
        with self._lock:
            former, self._lanes, self._whole = list(self._lanes.values()), {}, False
            self._epoch = order.epoch
            self.door.turn_to(order.epoch)
        for lane in former:
            lane.close()
        self._engine.deliver(Task(lambda: self._engine.take_place(order)))

    def _welcome(self, lane: Lane, name: str) -> None:
        self._join(name, lane)

    def _join(self, name: str, lane: Lane) -> None:
        if not name:  # only whoever lets a lane in asks the other end again and again
            lane.on_silence = self._suspect
        link = ShapedLink(self._shape) if self._shape and name == NEXT else None
        outbox = Outbox(lane, name or "previous", lambda: self._lost(name, lane), link)
        with self._lock:
            former = self._lanes.get(name)
            self._lanes[name] = lane
        self._tell_of_ring()
        if former is not None:
            former.close()
            if name in ("", NEXT):  # what was on its way by it does not arrive any more
                self._engine.deliver(Lost(name))
        if name == NEXT:  # in its turn: the engine may not have heard yet that the lane before it was lost
            self._engine.deliver(Task(lambda: self._engine.lead_to(outbox)))
        elif name:
            self._engine.deliver(Task(lambda: self._engine.controllers.update({name: outbox})))
        else:
            self._engine.deliver(Task(lambda: self._engine.come_from(outbox)))
        thread = threading.Thread(
            target=self._receive, args=(lane, name, outbox), name=f"receive-{name or 'previous'}", daemon=True
        )
        thread.start()

    def _receive(self, lane: Lane, name: str, outbox: Outbox) -> None:
        """Frames into the engine until the lane ends. A frame that breaks the rules ends the lane."""
        allowed = _ALLOWED["controller" if name not in ("", NEXT) else name]

        def event_of(frame: Frame) -> Arrived:
            if frame.header.epoch != self._epoch:
                raise FrameError(f"a frame of deployment {frame.header.epoch}, this one is {self._epoch}")
            if frame.header.kind not in allowed:
                raise FrameError(f"a frame of kind {frame.header.kind}, which nobody may send on this lane")
            return Arrived(frame, name)

        try:
            if not name:
                self._engine.read(lane, event_of)
            while name:
                self._engine.deliver(event_of(lane.receive()))
        except FrameError as error:
            self._report(Failed(f"A lane was closed, because it carried {error}.", fatal=False))
        except LaneClosed:
            pass
        outbox.close()
        self._lost(name, lane)

    def _tell_of_ring(self) -> None:
        with self._lock:
            whole = "" in self._lanes and NEXT in self._lanes
            if whole == self._whole:
                return
            self._whole = whole
            self._report(Ring(whole))

    def _suspect(self) -> None:
        self._report(Failed(f"Nothing has come from the stage before it for {SUSPECT_S} s.", fatal=False))

    def _lost(self, name: str, lane: Lane) -> None:
        """Tells the engine once, and not when another lane has taken this one's place."""
        with self._lock:
            if self._lanes.get(name) is not lane:
                return
            del self._lanes[name]
        self._tell_of_ring()
        self._engine.deliver(Lost(name))


_ALLOWED: dict[str, frozenset[int]] = {
    "controller": frozenset({lane_pb2.OPEN, lane_pb2.CLOSE}),
    "": frozenset(
        {
            lane_pb2.OPEN,
            lane_pb2.STEP,
            lane_pb2.TOKEN,
            lane_pb2.PROGRESS,
            lane_pb2.CLOSE,
            lane_pb2.FAIL,
            lane_pb2.DROP,
            lane_pb2.RECALL,
            lane_pb2.RECALLED,
        }
    ),
    "next": frozenset({lane_pb2.FAIL}),
}

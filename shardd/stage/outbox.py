"""Sending without waiting: frames that may be large, or whose receiver may be slow, go by a thread of their own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from queue import SimpleQueue

from shardd.rpc import lane_pb2
from shardd.stage.frames import Buffer
from shardd.stage.lane import Lane, LaneClosed

Letter = tuple[lane_pb2.FrameHeader, Sequence[Buffer]]


class Outbox:
    """Sends on one lane, in order. on_lost is called once, from the sending thread or the caller's."""

    def __init__(self, lane: Lane, name: str, on_lost: Callable[[], None]) -> None:
        self.lane = lane
        self._on_lost = on_lost
        self._letters: SimpleQueue[Letter | None] = SimpleQueue()
        self._pending = 0
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name=f"send-{name}", daemon=True)
        self._thread.start()

    def post(self, header: lane_pb2.FrameHeader, payload: Sequence[Buffer] = ()) -> None:
        """Returns at once; the frame goes out after all earlier ones."""
        with self._lock:
            self._pending += 1
        self._letters.put((header, payload))

    def send(self, header: lane_pb2.FrameHeader, payload: Sequence[Buffer] = ()) -> None:
        """Sends in the caller's thread, the quickest way, unless earlier frames still wait."""
        if self._pending:
            self.post(header, payload)
            return
        try:
            self.lane.send(header, payload)
        except LaneClosed:
            self._on_lost()

    def close(self) -> None:
        self.lane.close()
        self._letters.put(None)

    def _run(self) -> None:
        while (letter := self._letters.get()) is not None:
            try:
                self.lane.send(*letter)
            except LaneClosed:
                self._on_lost()
                return
            finally:
                with self._lock:
                    self._pending -= 1

"""Sending without waiting: frames that may be large, or whose receiver may be slow, go by a thread of their own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue

from shardd.rpc import lane_pb2
from shardd.stage.frames import Buffer
from shardd.stage.lane import Lane, LaneClosed
from shardd.stage.shaping import ShapedLink

MOST_TOGETHER = 64

Letter = tuple[float, lane_pb2.FrameHeader, Sequence[Buffer]]


class Outbox:
    """Sends on one lane, in order. on_lost is called once, from the sending thread or the caller's.

    link: bench only, the lane behaves as this link; then everything goes by the thread.
    """

    def __init__(self, lane: Lane, name: str, on_lost: Callable[[], None], link: ShapedLink | None = None) -> None:
        self.lane = lane
        self._link = link
        self._on_lost = on_lost
        self._letters: SimpleQueue[Letter | None] = SimpleQueue()
        self._pending = 0
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name=f"send-{name}", daemon=True)
        self._thread.start()

    def post(self, header: lane_pb2.FrameHeader, payload: Sequence[Buffer] = ()) -> None:
        """Returns at once; the frame goes out after all earlier ones."""
        due = 0.0
        if self._link is not None:
            header.sent_ns = time.monotonic_ns()  # the hop begins here
            size = header.ByteSize() + sum(len(memoryview(part).cast("B")) for part in payload)
            due = self._link.leaves_at(time.monotonic(), size)
        with self._lock:
            self._pending += 1
        self._letters.put((due, header, payload))

    def send(self, header: lane_pb2.FrameHeader, payload: Sequence[Buffer] = ()) -> None:
        """Sends in the caller's thread, the quickest way, unless earlier frames still wait."""
        if self._pending or self._link is not None:
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
            letters = [letter]
            if self._link is None:  # what has gathered meanwhile goes with it
                letters += self._gathered()
            due = letter[0]
            try:
                if due:
                    time.sleep(max(0.0, due - time.monotonic()))
                self.lane.send_all((header, payload) for _, header, payload in letters)
            except LaneClosed:
                self._on_lost()
                return
            finally:
                with self._lock:
                    self._pending -= len(letters)

    def _gathered(self) -> list[Letter]:
        letters: list[Letter] = []
        while len(letters) < MOST_TOGETHER:
            try:
                letter = self._letters.get_nowait()
            except Empty:
                break
            if letter is None:
                self._letters.put(None)
                break
            letters.append(letter)
        return letters

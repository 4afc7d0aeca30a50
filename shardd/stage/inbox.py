"""What waits for the compute thread, and who reads the lane by which most of it comes.

While the compute thread works, a thread of its own reads the ring's lane, so that the sender is not held up and every
frame is stamped when it arrives. While the compute thread waits, it reads that lane itself: a frame that had to pass
from one thread to another would come later. Who holds `turn` reads.

    reading thread   turn { lane -> queue } … nudged: gives the turn away and sleeps until it is given back
    compute thread   queue empty -> nudge, turn { lane or queue, whichever is first } -> a long step: gives it back
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue

from shardd.stage.frames import Frame, FrameError
from shardd.stage.lane import Lane, LaneClosed
from shardd.stage.work import Event


class Signal:
    """Wakes one thread that waits in poll."""

    def __init__(self) -> None:
        self.reader, self._writer = os.pipe()
        for end in (self.reader, self._writer):
            os.set_blocking(end, False)

    def set(self) -> None:
        with contextlib.suppress(BlockingIOError):  # full: it is set already
            os.write(self._writer, b"x")

    def clear(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while os.read(self.reader, 64):
                pass


class _Reading:
    """A lane that two threads take turns to read.

    wanted: the compute thread waits, so the turn is its own; given_back is set while it is not. failure: how the lane
    ended, as the compute thread saw it.
    """

    def __init__(self, lane: Lane, event_of: Callable[[Frame], Event]) -> None:
        self.lane = lane
        self.event_of = event_of
        self.turn = threading.Lock()
        self.wanted = False
        self.given_back = threading.Event()
        self.given_back.set()
        self.failure: Exception | None = None


class Inbox:
    """Events in the order of their arrival. One thread gets, any may put."""

    def __init__(self) -> None:
        self._events: SimpleQueue[Event] = SimpleQueue()
        self._wake = Signal()
        self._nudge = Signal()
        self._reading: _Reading | None = None
        self._held: _Reading | None = None  # whose turn the compute thread has
        self._waits_outside = False  # the compute thread waits for a lane, not for the queue

    def __len__(self) -> int:
        return self._events.qsize()

    def put(self, event: Event) -> None:
        self._events.put(event)
        if self._waits_outside:
            self._wake.set()

    def get_nowait(self) -> Event | None:
        try:
            return self._events.get_nowait()
        except Empty:
            return None

    def get(self) -> Event:
        """The next event. Blocks."""
        while True:
            event = self.get_nowait()
            if event is not None:
                return event
            reading = self._reading
            if self._held is not reading or (reading and reading.failure):
                self.give_back()
            if reading is None or reading.failure is not None:
                return self._events.get()
            event = self._get_from(reading)
            if event is not None:
                return event

    def give_back(self) -> None:
        """The thread that gets will be busy for a while: somebody else reads the lane meanwhile."""
        held, self._held = self._held, None
        if held is not None:
            held.wanted = False
            self._nudge.clear()
            held.turn.release()
            held.given_back.set()

    def read(self, lane: Lane, event_of: Callable[[Frame], Event]) -> None:
        """Puts what comes by a lane until it ends: one lane at a time. Raises LaneClosed or FrameError then."""
        reading = self._reading = _Reading(lane, event_of)
        try:
            self._keep_reading(reading)
        finally:
            if self._reading is reading:
                self._reading = None
            self._wake.set()

    def _keep_reading(self, reading: _Reading) -> None:
        while True:
            with reading.turn:
                if reading.failure is not None:
                    raise reading.failure
                frame = None if reading.wanted else reading.lane.receive_unless(self._nudge.reader)
                if frame is not None:
                    self.put(reading.event_of(frame))
                    continue
            reading.given_back.wait()

    def _get_from(self, reading: _Reading) -> Event | None:
        """What comes first, by the lane or by the queue; None: look again."""
        self._waits_outside = True
        if self._held is None:
            reading.given_back.clear()
            reading.wanted = True
            self._nudge.set()
            reading.turn.acquire()
            self._held = reading
        try:
            event = self.get_nowait()
            if event is not None:
                return event
            frame = reading.lane.receive_unless(self._wake.reader)
            if frame is not None:
                return reading.event_of(frame)
            self._wake.clear()
            return self.get_nowait()
        except (LaneClosed, FrameError) as error:
            reading.failure = error  # its own thread says so
            return None
        finally:
            self._waits_outside = False

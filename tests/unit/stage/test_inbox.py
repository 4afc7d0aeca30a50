"""Who reads the lane: the thread that computes while it waits, another one while it works."""

from __future__ import annotations

import contextlib
import random
import secrets
import threading
import time
from collections.abc import Iterator

import pytest

from shardd.identity import create_identity
from shardd.rpc import lane_pb2
from shardd.stage.door import Door, dial
from shardd.stage.frames import Frame, FrameError
from shardd.stage.inbox import Inbox
from shardd.stage.lane import Lane, LaneClosed
from shardd.stage.work import Arrived, Lost

EPOCH = 3


class Joined:
    """An inbox that is read from a lane by a thread of its own, and the lane's other end. ended: how it ended."""

    def __init__(self) -> None:
        self.inbox = Inbox()
        self.ended: list[str] = []
        self.over = threading.Event()
        self.refuse = -1
        near, far = create_identity("near"), create_identity("far")
        self.door = Door("127.0.0.1", near, EPOCH, self._read)
        token = secrets.token_bytes(32)
        self.door.admit(token, far.certificate_pem, controller=False)
        self.lane = dial(["127.0.0.1"], self.door.port, far, near.certificate_pem, token, EPOCH)
        self._pongs = threading.Thread(target=self._answer)
        self._pongs.start()

    def send(self, number: int, size: int = 0) -> None:
        tensors = [lane_pb2.Tensor(dtype=lane_pb2.UINT8, shape=[size])] if size else []
        header = lane_pb2.FrameHeader(kind=lane_pb2.STEP, sequence=number, tensors=tensors)
        self.lane.send(header, [bytes(size)] if size else [])

    def close(self) -> None:
        self.inbox.give_back()
        self.lane.close()
        self._pongs.join(60)
        self.over.wait(60)
        self.lane.dispose()
        self.door.close()

    def _answer(self) -> None:
        with contextlib.suppress(LaneClosed):
            self.lane.receive()

    def _event(self, frame: Frame) -> Arrived:
        if frame.header.sequence == self.refuse:
            raise FrameError("a frame nobody wants")
        return Arrived(frame, "")

    def _read(self, lane: Lane, _: str) -> None:
        try:
            self.inbox.read(lane, self._event)
        except (LaneClosed, FrameError) as error:
            self.ended.append(str(error))
        lane.dispose()
        self.inbox.put(Lost(""))
        self.over.set()


@pytest.fixture
def joined() -> Iterator[Joined]:
    made = Joined()
    yield made
    made.close()


def number_of(event: object) -> int:
    assert isinstance(event, Arrived)
    return event.frame.header.sequence


@pytest.mark.parametrize("busy", [0.0, 0.3, 1.0], ids=["always waits", "sometimes works", "always works"])
def test_frames_come_in_order_whoever_reads(joined: Joined, busy: float) -> None:
    chance = random.Random(7)
    count = 150
    sizes = [chance.choice([0, 10, 8192, 70_000, 200_000]) for _ in range(count)]
    sender = threading.Thread(target=lambda: [joined.send(number, size) for number, size in enumerate(sizes)])
    sender.start()
    for number in range(count):
        event = joined.inbox.get()
        assert number_of(event) == number
        assert isinstance(event, Arrived) and len(event.frame.payload) == sizes[number]
        if chance.random() < busy:
            joined.inbox.give_back()
            if number % 50 == 0:
                time.sleep(0.005)  # a step
    sender.join(60)


def test_what_others_put_wakes_a_thread_that_waits_for_the_lane(joined: Joined) -> None:
    joined.send(0)
    assert number_of(joined.inbox.get()) == 0
    for number in range(300):
        threading.Thread(target=joined.inbox.put, args=(Lost(f"lane-{number}"),)).start()
        assert joined.inbox.get() == Lost(f"lane-{number}")
        if number % 3 == 0:
            joined.inbox.give_back()
        if number % 10 == 0:
            joined.send(number)
            assert number_of(joined.inbox.get()) == number


@pytest.mark.parametrize("waits", [True, False], ids=["while it waits", "while it works"])
def test_the_end_of_the_lane_is_told_by_its_own_thread(joined: Joined, waits: bool) -> None:
    joined.send(1)
    assert number_of(joined.inbox.get()) == 1
    if not waits:
        joined.inbox.give_back()
    threading.Timer(0.05, joined.lane.close).start()
    assert joined.inbox.get() == Lost("")
    assert joined.over.wait(60) and joined.ended


def test_a_frame_that_breaks_the_rules_ends_the_lane(joined: Joined) -> None:
    joined.refuse = 2
    joined.send(1)
    assert number_of(joined.inbox.get()) == 1
    joined.send(2)
    assert joined.inbox.get() == Lost("")
    assert joined.over.wait(60) and joined.ended == ["a frame nobody wants"]

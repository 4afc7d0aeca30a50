"""Lanes over real TLS sockets: who is let in, and what arrives."""

from __future__ import annotations

import contextlib
import queue
import secrets
import threading

import pytest

from shardd.identity import create_identity
from shardd.rpc import lane_pb2
from shardd.stage.door import Door, dial, lane_id
from shardd.stage.lane import ClockOffset, Lane, LaneClosed

EPOCH = 12


class Ends:
    """A door and the lanes that came in."""

    def __init__(self) -> None:
        self.identity, self.caller = create_identity("stage-b"), create_identity("stage-a")
        self.lanes: queue.Queue[tuple[Lane, str]] = queue.Queue()
        self.door = Door("127.0.0.1", self.identity, EPOCH, lambda lane, name: self.lanes.put((lane, name)))

    def dial(self, token: bytes, epoch: int = EPOCH) -> Lane:
        return dial(["127.0.0.1"], self.door.port, self.caller, self.identity.certificate_pem, token, epoch)


@pytest.fixture
def ends() -> Ends:
    return Ends()


def refused(lane: Lane) -> bool:
    try:
        lane.receive()
    except LaneClosed:
        return True
    finally:
        lane.dispose()
    return False


def test_frames_both_ways_and_large(ends: Ends) -> None:
    token = secrets.token_bytes(32)
    ends.door.admit_any_of(token, [ends.caller.certificate_pem])
    sender = ends.dial(token)
    receiver, name = ends.lanes.get(timeout=5)
    assert name == ""
    payload = secrets.token_bytes(300_000)
    answers = threading.Thread(target=refused, args=(sender,))  # answers the pings until the lane ends
    answers.start()
    parts = [payload[:10], payload]
    while parts or not receiver.clock.known:
        part = parts.pop() if parts else b"."
        tensor = lane_pb2.Tensor(dtype=lane_pb2.UINT8, shape=[len(part)])
        sender.send(lane_pb2.FrameHeader(kind=lane_pb2.STEP, tensors=[tensor]), [part])
        frame = receiver.receive()
        assert bytes(frame.payload) == part and frame.header.epoch == EPOCH
    assert receiver.clock.round_trip_ns > 0
    receiver.dispose()
    answers.join(5)
    ends.door.close()


def test_a_token_opens_once_and_only_for_its_certificate(ends: Ends) -> None:
    token, other = secrets.token_bytes(32), secrets.token_bytes(32)
    ends.door.admit(token, ends.caller.certificate_pem, controller=True)
    ends.door.admit(other, create_identity("somebody").certificate_pem, controller=True)
    first = ends.dial(token)
    lane, name = ends.lanes.get(timeout=5)
    assert name == lane_id(token)
    assert refused(ends.dial(token)), "a token must not open twice"
    assert refused(ends.dial(other)), "a token must not open for another certificate"
    assert refused(ends.dial(secrets.token_bytes(32))), "a token must have been handed out"
    assert refused(ends.dial(other, epoch=EPOCH + 1)), "a lane belongs to one deployment"
    assert ends.lanes.empty()
    first.dispose()
    lane.dispose()
    ends.door.close()


def test_a_stranger_is_refused_by_tls(ends: Ends) -> None:
    token = secrets.token_bytes(32)
    ends.door.admit(token, create_identity("friend").certificate_pem, controller=True)
    with contextlib.suppress(LaneClosed):
        assert refused(ends.dial(token))
    assert ends.lanes.empty()
    ends.door.close()


def test_clock_offset_takes_the_quickest_ping() -> None:
    clock = ClockOffset()
    assert not clock.known
    clock.add(sent_ns=0, other_ns=5000, received_ns=1000)  # slow: says 4500
    clock.add(sent_ns=2000, other_ns=6110, received_ns=2200)  # quick: says 4010
    assert (clock.offset_ns, clock.round_trip_ns) == (4010, 200)


def test_a_lane_on_which_nothing_comes_is_given_up(ends: Ends) -> None:
    token = secrets.token_bytes(32)
    ends.door.admit_any_of(token, [ends.caller.certificate_pem])
    silent = ends.dial(token)  # nobody reads it, so nobody answers the pings
    lane, _ = ends.lanes.get(timeout=30)
    suspected = threading.Event()
    lane.on_silence = suspected.set
    with pytest.raises(LaneClosed, match="nothing has come"):
        lane.receive()
    assert suspected.is_set()
    lane.dispose()
    silent.dispose()


def test_a_token_may_come_after_the_lane_that_shows_it(ends: Ends) -> None:
    token = secrets.token_bytes(32)
    ends.door.admit(secrets.token_bytes(32), ends.caller.certificate_pem, controller=False)
    lane = ends.dial(token)
    ends.door.admit(token, ends.caller.certificate_pem, controller=False)
    receiver, _ = ends.lanes.get(timeout=30)
    reading = threading.Thread(target=refused, args=(receiver,))
    reading.start()
    lane.await_first(30)
    lane.dispose()
    reading.join(30)


def test_a_lane_that_is_refused_says_so_before_it_is_used(ends: Ends) -> None:
    ends.door.admit(secrets.token_bytes(32), ends.caller.certificate_pem, controller=False)
    lane = ends.dial(secrets.token_bytes(32))
    with pytest.raises(LaneClosed):
        lane.await_first(30)
    lane.dispose()

"""Lanes over real TLS sockets: who is let in, and what arrives."""

from __future__ import annotations

import queue
import secrets
import threading

import pytest

from shardd.identity import Identity, create_identity
from shardd.rpc import lane_pb2
from shardd.stage.door import Door, dial, lane_id
from shardd.stage.lane import ClockOffset, Lane, LaneClosed

EPOCH = 12


class Ends:
    """A door and the lanes that came in."""

    def __init__(self, token_s: float = 30.0) -> None:
        self.identity, self.caller = create_identity("stage-b"), create_identity("stage-a")
        self.lanes: queue.Queue[tuple[Lane, str]] = queue.Queue()
        self.door = Door("127.0.0.1", self.identity, EPOCH, lambda lane, name: self.lanes.put((lane, name)), token_s)

    def dial(self, token: bytes, epoch: int = EPOCH) -> Lane:
        return dial(["127.0.0.1"], self.door.port, self.caller, self.identity.certificate_pem, token, epoch)


@pytest.fixture
def ends() -> Ends:
    return Ends()


@pytest.fixture
def strict() -> Ends:
    """That do not wait for tokens that are not there yet."""
    return Ends(0.0)


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
    ends.door.admit(token, ends.caller.certificate_pem, controller=False)
    sender = ends.dial(token)
    receiver, name = ends.lanes.get(timeout=60)
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
    answers.join(60)
    ends.door.close()


def knock(ends: Ends, who: Identity, token: bytes, epoch: int = EPOCH) -> bool:
    """Whether somebody comes in."""
    try:
        lane = dial(["127.0.0.1"], ends.door.port, who, ends.identity.certificate_pem, token, epoch)
    except LaneClosed:
        return False
    return not refused(lane)


NEIGHBOUR, CONTROLLER, OTHER = (create_identity(name) for name in ("neighbour", "controller", "other"))
WORKER_TOKEN, CONTROLLER_TOKEN, FORMER_TOKEN, OTHER_TOKEN = b"worker", b"controller", b"former", b"other"


@pytest.mark.parametrize(
    ("who", "token", "epoch"),
    [
        (NEIGHBOUR, b"", EPOCH),
        (NEIGHBOUR, OTHER_TOKEN, EPOCH),  # handed out by another deployment's stage, or by nobody
        (NEIGHBOUR, FORMER_TOKEN, EPOCH),  # a newer one has made it void
        (NEIGHBOUR, CONTROLLER_TOKEN, EPOCH),
        (NEIGHBOUR, WORKER_TOKEN, EPOCH - 1),
        (NEIGHBOUR, WORKER_TOKEN, EPOCH + 1),
        (CONTROLLER, b"", EPOCH),  # paired, and expected, and yet: no token, no lane
        (CONTROLLER, WORKER_TOKEN, EPOCH),
        (OTHER, WORKER_TOKEN, EPOCH),  # a worker of another deployment who came by the token
        (OTHER, CONTROLLER_TOKEN, EPOCH),
        (OTHER, OTHER_TOKEN, EPOCH),
    ],
    ids=lambda each: each.name if isinstance(each, Identity) else str(each),
)
def test_a_lane_is_for_one_machine_in_one_deployment(strict: Ends, who: Identity, token: bytes, epoch: int) -> None:
    strict.door.admit(FORMER_TOKEN, NEIGHBOUR.certificate_pem, controller=False)
    strict.door.admit(CONTROLLER_TOKEN, CONTROLLER.certificate_pem, controller=True)
    strict.door.admit(WORKER_TOKEN, NEIGHBOUR.certificate_pem, controller=False)
    assert not knock(strict, who, token, epoch)
    assert strict.lanes.empty()
    for friend, valid in ((NEIGHBOUR, WORKER_TOKEN), (CONTROLLER, CONTROLLER_TOKEN)):  # whom it was meant for still may
        lane = dial(["127.0.0.1"], strict.door.port, friend, strict.identity.certificate_pem, valid, EPOCH)
        inside, name = strict.lanes.get(timeout=60)
        assert name == (lane_id(valid) if friend is CONTROLLER else "")
        lane.dispose()
        inside.dispose()
    strict.door.close()


def test_a_token_opens_once(strict: Ends) -> None:
    token, another = secrets.token_bytes(32), secrets.token_bytes(32)
    strict.door.admit(token, strict.caller.certificate_pem, controller=True)
    strict.door.admit(another, strict.caller.certificate_pem, controller=True)
    first = strict.dial(token)
    lane, _ = strict.lanes.get(timeout=60)
    assert not knock(strict, strict.caller, token)
    assert strict.lanes.empty()
    first.dispose()
    lane.dispose()
    strict.door.close()


def test_in_another_deployment_the_former_one_opens_nothing(strict: Ends) -> None:
    token, fresh = secrets.token_bytes(32), secrets.token_bytes(32)
    strict.door.admit(token, strict.caller.certificate_pem, controller=False)
    strict.door.turn_to(EPOCH + 1)
    assert not knock(strict, strict.caller, token, EPOCH)
    strict.door.admit(fresh, strict.caller.certificate_pem, controller=False)
    assert not knock(strict, strict.caller, token, EPOCH + 1)
    assert not knock(strict, strict.caller, fresh, EPOCH)
    lane = strict.dial(fresh, EPOCH + 1)
    inside, _ = strict.lanes.get(timeout=60)
    lane.dispose()
    inside.dispose()
    strict.door.close()


def test_clock_offset_takes_the_quickest_ping() -> None:
    clock = ClockOffset()
    assert not clock.known
    clock.add(sent_ns=0, other_ns=5000, received_ns=1000)  # slow: says 4500
    clock.add(sent_ns=2000, other_ns=6110, received_ns=2200)  # quick: says 4010
    assert (clock.offset_ns, clock.round_trip_ns) == (4010, 200)


def test_a_lane_on_which_nothing_comes_is_given_up(ends: Ends) -> None:
    token = secrets.token_bytes(32)
    ends.door.admit(token, ends.caller.certificate_pem, controller=False)
    silent = ends.dial(token)  # nobody reads it, so nobody answers the pings
    lane, _ = ends.lanes.get(timeout=60)
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
    receiver, _ = ends.lanes.get(timeout=60)
    reading = threading.Thread(target=refused, args=(receiver,))
    reading.start()
    lane.await_first(30)
    lane.dispose()
    reading.join(60)


def test_a_lane_that_is_refused_says_so_before_it_is_used(strict: Ends) -> None:
    strict.door.admit(secrets.token_bytes(32), strict.caller.certificate_pem, controller=False)
    lane = strict.dial(secrets.token_bytes(32))
    with pytest.raises(LaneClosed):
        lane.await_first(30)
    lane.dispose()

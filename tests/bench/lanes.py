"""What lanes add to a token: `python -m tests.bench.lanes [--payload BYTES] [--rounds N]`.

Three processes in a ring, joined by the lanes of a stage: mutual TLS 1.3 on loopback, a receiving thread each, the
engine's inbox, the payload put where a stage's graph looks for it. Nothing is computed. A hop is counted from the
moment the sender has its result until the receiver's compute thread has the input in place; what lanes add to a token
is the three hops of a lap. Hot: each frame is passed on at once. After silence: each stage waits 10 ms before. The
header is begun before the result is there, as the engine does it beside the evaluation; its end is in the hop.

Then the parts of one hop, each measured alone: the header (protobuf, both ways), the copies, the socket (the same
bytes over plain TCP by one thread, one way), TLS on top of it, and waking up: a thread that waits for the socket, and
from there the thread that computes. They overlap with each other in a real hop, so their sum is an upper bound.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import socket
import ssl
import statistics
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, cast

import mlx.core as mx

from shardd.identity import Identity, create_identity
from shardd.identity.tls import client_context, server_context
from shardd.model.leaves import Form
from shardd.model.places import Places
from shardd.rpc import lane_pb2
from shardd.stage.door import Door, dial
from shardd.stage.frames import decode_header, encode_prefix
from shardd.stage.inbox import Inbox
from shardd.stage.lane import Lane, LaneClosed
from shardd.stage.work import Arrived

STAGES = 3
EPOCH = 1
SILENCE_S = 0.010
REPEATS = 5


def begun_header(position: int) -> lane_pb2.FrameHeader:
    """A decode step's as the second stage begins it, with the first stage's times."""
    header = lane_pb2.FrameHeader(kind=lane_pb2.STEP, count=1, sample=True)
    header.rows.add(sequence=1 << 60, position=position)
    header.timings.add(stage=0, hop_us=80, queue_us=20, compute_us=5000, serialise_us=30, kv_bytes=1 << 20)
    header.timings.add(stage=1, hop_us=80, queue_us=20)
    return header


def end_header(header: lane_pb2.FrameHeader, tensor: lane_pb2.Tensor) -> None:
    """What is known only when the result is there."""
    timing = header.timings[-1]
    timing.compute_us, timing.kv_bytes, timing.serialise_us = 5000, 1 << 20, 30
    header.tensors.append(tensor)


def member(pipe: Connection, identity: Identity, previous_pem: bytes, next_pem: bytes, width: int) -> None:
    """One stage of the ring; its orders and what it measured go by the pipe."""
    inbox = Inbox()
    token = b"t" * 32

    def receive(lane: Lane, _: str) -> None:
        with contextlib.suppress(LaneClosed):
            inbox.read(lane, lambda frame: Arrived(frame, ""))

    door = Door("127.0.0.1", identity, EPOCH, receive)
    door.admit(token, previous_pem, controller=False)
    pipe.send(door.port)
    following = dial(["127.0.0.1"], pipe.recv(), identity, next_pem, token, EPOCH)
    values = mx.zeros((width,))
    mx.eval(values)
    payload = [memoryview(cast(Any, values))]

    def take() -> float:
        """The next frame's input in its place: microseconds since its sender had it."""
        places = Places([Form("float32", (1, "L", width))], 1, 1)  # as the engine does: while it waits
        event = inbox.get()
        assert isinstance(event, Arrived)
        places.fill([event.frame.payload])
        return (time.monotonic_ns() - event.frame.header.sequence) / 1000

    tensor = lane_pb2.Tensor(dtype=lane_pb2.FLOAT32, shape=[1, 1, width])

    def give(lap: int, silence: float) -> None:
        header = begun_header(lap)
        if silence:
            time.sleep(silence)
        header.sequence = time.monotonic_ns()
        end_header(header, tensor)
        following.send(header, payload)

    while (order := pipe.recv()) is not None:
        leads, laps, silence = order
        hops: list[float] = []
        for lap in range(laps):
            if leads:
                give(lap, silence)
            hops.append(take())
            if not leads:
                give(lap, silence)
        pipe.send(hops)
    door.close()
    following.close()


def ring(width: int, rounds: int) -> dict[str, float]:
    """Microseconds that lanes add to a token: medians over laps of the sum of three hops, hot and after silence."""
    context = multiprocessing.get_context("spawn")
    identities = [create_identity(f"stage-{number}") for number in range(STAGES)]
    pipes: list[Connection] = []
    for number, identity in enumerate(identities):
        mine, theirs = context.Pipe()
        previous, following = identities[number - 1], identities[(number + 1) % STAGES]
        arguments = (theirs, identity, previous.certificate_pem, following.certificate_pem, width)
        context.Process(target=member, args=arguments, daemon=True).start()
        pipes.append(mine)
    ports = [pipe.recv() for pipe in pipes]
    for number, pipe in enumerate(pipes):
        pipe.send(ports[(number + 1) % STAGES])
    added: dict[str, list[float]] = {"hot": [], "after 10 ms of silence": []}
    for _ in range(REPEATS):
        for name, silence, laps in (("hot", 0.0, rounds), ("after 10 ms of silence", SILENCE_S, rounds // 10)):
            for number, pipe in reversed(list(enumerate(pipes))):
                pipe.send((number == 0, laps, silence))
            hops = [pipe.recv() for pipe in pipes]
            added[name].append(statistics.median(sum(each[lap] for each in hops) for lap in range(laps)))
    for pipe in pipes:
        pipe.send(None)
    return {name: statistics.median(values) for name, values in added.items()}


def timed(action: Callable[[], object], times: int = 2000) -> float:
    """Microseconds of one call, the median of several rounds."""
    rounds: list[float] = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        for _ in range(times):
            action()
        rounds.append((time.perf_counter() - began) / times * 1e6)
    return statistics.median(rounds)


def tls_pair() -> tuple[ssl.SSLSocket, ssl.SSLSocket, socket.socket, socket.socket]:
    """Both ends of a TLS connection and of a plain one."""
    one, other = create_identity("one"), create_identity("other")
    listener = socket.create_server(("127.0.0.1", 0))

    def connected() -> tuple[socket.socket, socket.socket]:
        near = socket.create_connection(listener.getsockname())
        far, _ = listener.accept()
        for end in (near, far):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return near, far

    near, far = connected()
    found: list[ssl.SSLSocket] = []
    context = server_context(other, [one.certificate_pem])
    thread = threading.Thread(target=lambda: found.append(context.wrap_socket(far, server_side=True)))
    thread.start()
    client = client_context(one, other.certificate_pem).wrap_socket(near)
    thread.join()
    plain_near, plain_far = connected()
    listener.close()
    return client, found[0], plain_near, plain_far


def parts(width: int) -> dict[str, float]:
    """Microseconds of the parts of one hop."""
    tensor = lane_pb2.Tensor(dtype=lane_pb2.FLOAT32, shape=[1, 1, width])
    header = begun_header(100)
    end_header(header, tensor)
    values = mx.zeros((width,))
    mx.eval(values)
    prefix = encode_prefix(header, values.nbytes)
    frame = b"".join([prefix, memoryview(cast(Any, values)).cast("B")])
    received = bytearray(values.nbytes)
    places = Places([Form("float32", (1, "L", width))], 1, 1)

    def copies() -> None:
        b"".join([prefix, memoryview(cast(Any, values)).cast("B")])
        bytearray(values.nbytes)
        places.fill([received])

    def headers() -> None:
        end_header(begun_header(100), tensor)
        decode_header(header.SerializeToString(), values.nbytes)

    tls_near, tls_far, near, far = tls_pair()

    def one_way(sender: socket.socket, receiver: socket.socket) -> None:
        sender.send(frame)
        left = len(frame)
        while left:
            left -= len(receiver.recv(left))

    plain = timed(lambda: one_way(near, far))
    return {
        "header": timed(headers),
        "copies": timed(copies),
        "socket": plain,
        "TLS": timed(lambda: one_way(tls_near, tls_far)) - plain,
        "wake-up": wake_up(),
    }


def wake_up(rounds: int = 1000) -> float:
    """From a byte sent until a thread that waits for it in poll has it, there and back, halved."""
    near, far = socket.socketpair()

    def echo() -> None:
        while data := far.recv(1):
            far.send(data)

    thread = threading.Thread(target=echo, daemon=True)
    thread.start()

    def there_and_back() -> None:
        near.send(b"x")
        near.recv(1)

    taken = timed(there_and_back, rounds) / 2
    near.close()
    thread.join()
    far.close()
    return taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--payload", type=int, default=8192, help="bytes of a frame's payload")
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    width = options.payload // 4
    found = {"added_us": ring(width, options.rounds), "parts_us": parts(width)}
    if options.json:
        print(json.dumps(found))
        return
    for name, value in found["added_us"].items():
        print(f"three lanes, {name}: {value / 1000:.3f} ms a token")
    for name, value in found["parts_us"].items():
        print(f"  {name:<8} {value:7.1f} µs a hop")


if __name__ == "__main__":
    main()

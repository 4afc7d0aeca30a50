"""A lane: one persistent TLS 1.3 socket that carries frames, used by two threads of a stage.

A TLS connection must not be read and written at the same moment by two threads, so the socket is non-blocking, every
TLS call happens under one short lock, and waiting happens outside it with poll:

    receiving thread   lock { recv_into } -> WantRead -> poll(readable), again
    compute thread     lock { send }      -> WantWrite -> poll(writable), again
"""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Sequence

from shardd.rpc import lane_pb2
from shardd.stage.frames import PREFIX, Buffer, Frame, decode_header, decode_prefix, encode_prefix

PING_INTERVAL_S = 0.5
FIRST_PINGS = 16  # a burst at the beginning fixes the offset; after that the clocks drift slowly
FIRST_PING_INTERVAL_S = 0.02
JOIN_BYTES = 16 * 1024  # a TLS record's size: smaller frames go out as one write


class LaneClosed(Exception):
    """The other end is gone, or this end closed the lane."""


class ClockOffset:
    """The other end's clock against ours, from the ping with the shortest round trip (as NTP does it, RFC 5905)."""

    def __init__(self) -> None:
        self._samples: deque[tuple[int, int]] = deque(maxlen=16)

    def add(self, sent_ns: int, other_ns: int, received_ns: int) -> None:
        """sent and received by our clock, other_ns the other end's clock when it answered."""
        self._samples.append((received_ns - sent_ns, other_ns - (sent_ns + received_ns) // 2))

    @property
    def known(self) -> bool:
        return bool(self._samples)

    @property
    def offset_ns(self) -> int:
        return min(self._samples)[1] if self._samples else 0

    @property
    def round_trip_ns(self) -> int:
        return min(self._samples)[0] if self._samples else 0


class Lane:
    """Frames over one TLS socket. send may be called by several threads, receive by one.

    epoch: stamped on every frame sent, and demanded of every frame received.
    """

    def __init__(self, tls: ssl.SSLSocket, epoch: int, *, measure: bool) -> None:
        tls.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        tls.setblocking(False)
        self._tls = tls
        self._epoch = epoch
        self._measure = measure
        self._tls_lock = threading.Lock()
        self._frame_lock = threading.Lock()
        self._closed = threading.Event()
        self._next_ping = 0.0
        self._pings = 0
        self.clock = ClockOffset()

    def send(self, header: lane_pb2.FrameHeader, payload: Sequence[Buffer] = ()) -> None:
        """Sends one frame; the header's epoch is set here, and its stamp where it has none yet. Raises LaneClosed."""
        views = [memoryview(part).cast("B") for part in payload]
        size = sum(len(view) for view in views)
        header.epoch = self._epoch
        with self._frame_lock:
            if not header.sent_ns:
                header.sent_ns = time.monotonic_ns()
            prefix = encode_prefix(header, size)
            if size <= JOIN_BYTES:
                self._write(memoryview(b"".join([prefix, *views])))
            else:
                self._write(memoryview(prefix))
                for view in views:
                    self._write(view)

    def receive(self) -> Frame:
        """The next frame that is not a ping or pong. Blocks. Raises LaneClosed or FrameError."""
        while True:
            self._ping_if_due()
            header_bytes, payload_bytes = decode_prefix(self._read(PREFIX.size))
            header = decode_header(self._read(header_bytes), payload_bytes)
            payload = memoryview(self._read(payload_bytes)) if payload_bytes else memoryview(b"")
            arrived = time.monotonic_ns()
            if header.kind == lane_pb2.PING:
                self.send(lane_pb2.FrameHeader(kind=lane_pb2.PONG, echo_ns=header.sent_ns))
            elif header.kind == lane_pb2.PONG:
                self.clock.add(header.echo_ns, header.sent_ns, arrived)
            else:
                hop_ns = arrived - (header.sent_ns - self.clock.offset_ns) if self.clock.known else 0
                return Frame(header, payload, arrived, max(0, hop_ns // 1000))

    def close(self) -> None:
        """Ends both directions at once; a thread that waits in receive gets LaneClosed."""
        self._closed.set()
        with contextlib.suppress(OSError):
            self._tls.shutdown(socket.SHUT_RDWR)

    def dispose(self) -> None:
        """Frees the socket; only when no thread uses the lane any more."""
        self.close()
        self._tls.close()

    def _write(self, view: memoryview) -> None:
        while len(view):
            try:
                with self._tls_lock:
                    sent = self._tls.send(view)
                view = view[sent:]
            except ssl.SSLWantWriteError:
                self._wait(select.POLLOUT, 1.0)
            except ssl.SSLWantReadError:
                self._wait(select.POLLIN, 0.05)
            except (OSError, ValueError) as error:
                raise LaneClosed(str(error)) from error

    def _read(self, size: int) -> bytearray:
        buffer = bytearray(size)
        view = memoryview(buffer)
        while len(view):
            try:
                with self._tls_lock:
                    count = self._tls.recv_into(view)
                if count == 0:
                    raise LaneClosed("the other end closed the lane")
                view = view[count:]
            except ssl.SSLWantReadError:
                self._ping_if_due()
                early = self._measure and self._pings <= FIRST_PINGS
                self._wait(select.POLLIN, FIRST_PING_INTERVAL_S if early else PING_INTERVAL_S)
            except ssl.SSLWantWriteError:
                self._wait(select.POLLOUT, 0.05)
            except (OSError, ValueError) as error:
                raise LaneClosed(str(error)) from error
        return buffer

    def _ping_if_due(self) -> None:
        now = time.monotonic()
        if self._measure and now >= self._next_ping:
            self._pings += 1
            self._next_ping = now + (PING_INTERVAL_S if self._pings > FIRST_PINGS else FIRST_PING_INTERVAL_S)
            self.send(lane_pb2.FrameHeader(kind=lane_pb2.PING))

    def _wait(self, events: int, seconds: float) -> None:
        if self._closed.is_set():
            raise LaneClosed("this end closed the lane")
        poller = select.poll()
        poller.register(self._tls, events)
        poller.poll(seconds * 1000)

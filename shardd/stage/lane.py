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
from collections.abc import Callable, Iterable, Sequence

from shardd.rpc import lane_pb2
from shardd.stage.frames import PREFIX, Buffer, Frame, decode_header, decode_prefix, encode_prefix

PING_INTERVAL_S = 0.5
FIRST_PINGS = 16  # a burst at the beginning fixes the offset; after that the clocks drift slowly
FIRST_PING_INTERVAL_S = 0.02
SUSPECT_S = 1.0  # without a byte, though we ask twice a second: the link may be cut
DEAD_S = 2.5
RECEIVE_BYTES = 64 * 1024  # larger frames than this go to their place without a stop
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
    on_silence: where it is set, of a lane that measures, called when nothing has come for SUSPECT_S; at DEAD_S the
    lane counts as closed. Only waiting counts: a machine that slept or computed accuses nobody.
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
        self._buffer = bytearray(RECEIVE_BYTES)
        self._start = self._end = 0  # of what is in the buffer and not yet taken
        self._silent_s = 0.0  # waited for, since the last byte
        self.on_silence: Callable[[], None] | None = None
        self._pollers: dict[tuple[int, int, int], select.poll] = {}  # one must not be used by two threads
        self.clock = ClockOffset()

    def send(self, header: lane_pb2.FrameHeader, payload: Sequence[Buffer] = ()) -> None:
        """Sends one frame; the header's epoch is set here, and its stamp where it has none yet. Raises LaneClosed."""
        self.send_all([(header, payload)])

    def send_all(self, frames: Iterable[tuple[lane_pb2.FrameHeader, Sequence[Buffer]]]) -> None:
        """Sends several, small ones in one write. Raises LaneClosed."""
        with self._frame_lock:
            waiting: list[Buffer] = []
            size = 0
            for header, payload in frames:
                payload_bytes = 0
                for part in payload:
                    payload_bytes += memoryview(part).nbytes
                header.epoch = self._epoch
                if not header.sent_ns:
                    header.sent_ns = time.monotonic_ns()
                waiting.append(encode_prefix(header, payload_bytes))
                size += len(waiting[-1]) + payload_bytes
                if payload_bytes <= JOIN_BYTES:
                    waiting += payload
                if size >= JOIN_BYTES:
                    self._write(memoryview(b"".join(waiting)))
                    waiting, size = [], 0
                if payload_bytes > JOIN_BYTES:
                    for part in payload:
                        self._write(memoryview(part).cast("B"))
            if waiting:
                self._write(memoryview(b"".join(waiting)))

    def receive(self) -> Frame:
        """The next frame that is not a ping or pong. Blocks. Raises LaneClosed or FrameError."""
        frame = None
        while frame is None:
            frame = self.receive_unless(-1)
        return frame

    def receive_unless(self, wake: int) -> Frame | None:
        """As receive; None when the file descriptor `wake` becomes readable before the next frame begins."""
        while True:
            self._ping_if_due()
            if not self._have(PREFIX.size, wake):
                return None
            header_bytes, payload_bytes = decode_prefix(self._buffer, self._start)
            self._start += PREFIX.size
            header = decode_header(self._take(header_bytes), payload_bytes)
            payload = memoryview(self._take(payload_bytes))
            arrived = time.monotonic_ns()
            if header.kind == lane_pb2.PING:
                self.send(lane_pb2.FrameHeader(kind=lane_pb2.PONG, echo_ns=header.sent_ns))
            elif header.kind == lane_pb2.PONG:
                self.clock.add(header.echo_ns, header.sent_ns, arrived)
            else:
                hop_ns = arrived - (header.sent_ns - self.clock.offset_ns) if self.clock.known else 0
                return Frame(header, payload, arrived, max(0, hop_ns // 1000))

    def await_first(self, seconds: float) -> None:
        """Waits until anything has come, and keeps it: whoever lets a lane in asks for the time at once. Raises
        LaneClosed, also when that takes longer."""
        deadline = time.monotonic() + seconds
        while self._end == self._start:
            try:
                with self._tls_lock:
                    count = self._tls.recv_into(memoryview(self._buffer)[self._end :])
                if count == 0:
                    raise LaneClosed("the other end refused the lane")
                self._end += count
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                if time.monotonic() > deadline:
                    raise LaneClosed("the other end said nothing") from None
                self._wait(select.POLLIN, 0.05)
            except (OSError, ValueError) as error:
                raise LaneClosed(str(error)) from error

    def close(self) -> None:
        """Ends both directions at once; a thread that waits in receive gets LaneClosed."""
        self._closed.set()
        with self._tls_lock, contextlib.suppress(OSError):  # afterwards the socket is a plain one
            self._tls.shutdown(socket.SHUT_RDWR)

    def dispose(self) -> None:
        """Frees the socket; only when no thread uses the lane any more."""
        self.close()
        self._tls.close()

    def _write(self, view: memoryview) -> None:
        while len(view):
            try:
                with self._tls_lock:
                    self._check_open()
                    sent = self._tls.send(view)
                view = view[sent:]
            except ssl.SSLWantWriteError:
                self._wait(select.POLLOUT, 1.0)
            except ssl.SSLWantReadError:
                self._wait(select.POLLIN, 0.05)
            except (OSError, ValueError) as error:
                raise LaneClosed(str(error)) from error

    def _have(self, size: int, wake: int) -> bool:
        """Waits until so many bytes are in the buffer; False where `wake` came before the first of them."""
        while self._end - self._start < size:
            if self._start:
                left = self._buffer[self._start : self._end]
                self._buffer[: len(left)] = left
                self._start, self._end = 0, len(left)
            count = self._receive_into(memoryview(self._buffer)[self._end :], wake if not self._end else -1)
            if count is None:
                return False
            self._end += count
        return True

    def _take(self, size: int) -> bytearray:
        """The next bytes of a frame that has begun: from the buffer, what is not there yet straight to its place."""
        data = self._buffer[self._start : min(self._start + size, self._end)]
        here = len(data)
        self._start += here
        if here < size:
            data += bytes(size - here)
            view = memoryview(data)[here:]
            while len(view):
                view = view[self._receive_into(view, -1) or 0 :]
        return data

    def _receive_into(self, view: memoryview, wake: int) -> int | None:
        """What can be read now, at least a byte; None where `wake` came first. Raises LaneClosed."""
        while True:
            try:
                with self._tls_lock:
                    self._check_open()
                    count = self._tls.recv_into(view)
                if count == 0:
                    raise LaneClosed("the other end closed the lane")
                self._silent_s = 0.0
                return count
            except ssl.SSLWantReadError:
                self._ping_if_due()
                early = self._measure and self._pings <= FIRST_PINGS
                began = time.monotonic()
                if self._wait(select.POLLIN, FIRST_PING_INTERVAL_S if early else PING_INTERVAL_S / 2, wake):
                    self._count_silence(time.monotonic() - began)
                    return None
                self._count_silence(time.monotonic() - began)
            except ssl.SSLWantWriteError:
                self._wait(select.POLLOUT, 0.05)
            except (OSError, ValueError) as error:
                raise LaneClosed(str(error)) from error

    def _ping_if_due(self) -> None:
        now = time.monotonic()
        if self._measure and now >= self._next_ping:
            self._pings += 1
            self._next_ping = now + (PING_INTERVAL_S if self._pings > FIRST_PINGS else FIRST_PING_INTERVAL_S)
            self.send(lane_pb2.FrameHeader(kind=lane_pb2.PING))

    def _count_silence(self, waited_s: float) -> None:
        """Raises LaneClosed where it has lasted too long."""
        if self.on_silence is None:
            return
        before = self._silent_s
        self._silent_s += min(waited_s, PING_INTERVAL_S)
        if before < SUSPECT_S <= self._silent_s:
            self.on_silence()
        if self._silent_s >= DEAD_S:
            raise LaneClosed(f"nothing has come for {DEAD_S} s")

    def _check_open(self) -> None:
        if self._closed.is_set():
            raise LaneClosed("this end closed the lane")

    def _wait(self, events: int, seconds: float, wake: int = -1) -> bool:
        """Until the socket is ready or the time is over. Whether it was `wake` that ended the wait."""
        self._check_open()
        key = (threading.get_ident(), events, wake)
        poller = self._pollers.get(key)
        if poller is None:
            poller = self._pollers[key] = select.poll()
            poller.register(self._tls, events)
            if wake >= 0:
                poller.register(wake, select.POLLIN)
        ready = poller.poll(seconds * 1000)
        return wake >= 0 and any(each == wake for each, _ in ready)

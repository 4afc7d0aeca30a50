"""Where lanes begin: dialling the next stage, and the door at which a stage lets lanes in.

A dialler must hold a certificate that is expected just now and present, in its first frame, the one-time token that
the control plane handed out for exactly this certificate. Nothing else counts: neither that its machine is paired, nor
that it is in another deployment, nor that it was in this one.
"""

from __future__ import annotations

import contextlib
import hashlib
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from shardd.identity import Identity, PinError, fingerprint_of
from shardd.identity.tls import check_pin, client_context, server_context
from shardd.rpc import lane_pb2
from shardd.stage.frames import PREFIX, FrameError, decode_header, decode_prefix, encode
from shardd.stage.lane import Lane, LaneClosed

HANDSHAKE_S = 5.0
DIAL_S = 2.5
MAX_HELLO_BYTES = 1024
TOKEN_S = 1.0
GREETING_S = 5.0  # for the whole first frame, however slowly it comes
MAX_HANDSHAKES = 32
MAX_PER_ADDRESS = 8  # one stranger must not keep the others out
MAX_PASSES = 4096


def lane_id(token: bytes) -> str:
    """The name of a lane, which both ends derive from its token without revealing it."""
    return hashlib.sha256(token).hexdigest()[:16]


def hello(token: bytes, epoch: int) -> bytes:
    """The first frame on a lane."""
    return encode(lane_pb2.FrameHeader(kind=lane_pb2.HELLO, epoch=epoch, hello=lane_pb2.Hello(token=token)))


def dial(
    addresses: Sequence[str], port: int, identity: Identity, certificate_pem: bytes, token: bytes, epoch: int
) -> Lane:
    """Opens a lane to the first address that answers. Raises LaneClosed with what each address said."""
    context = client_context(identity, certificate_pem)
    said: list[str] = []
    for address in addresses:
        try:
            plain = socket.create_connection((address, port), timeout=DIAL_S)
        except (OSError, ValueError, OverflowError) as error:  # a name that is none, an impossible port
            said.append(f"{address}:{port}: {error}")
            continue
        connection = plain
        try:
            connection = tls = context.wrap_socket(plain, server_hostname=None)
            check_pin(tls, {fingerprint_of(certificate_pem)})
            tls.sendall(hello(token, epoch))
            return Lane(tls, epoch, measure=False)
        except (OSError, ValueError, PinError) as error:
            connection.close()
            said.append(f"{address}:{port}: {error}")
    raise LaneClosed("; ".join(said) or "no address was given")


@dataclass(frozen=True, slots=True)
class Pass:
    """Who may come in with a token."""

    certificate_pem: bytes
    fingerprint: str
    controller: bool


class Door:
    """Listens on one port for lanes of one deployment, of which epoch says which: see turn_to.

    on_lane(lane, controller's lane id or "" for the previous stage) runs in its own thread. token_s: how long a token
    that is shown may still be on its way here.
    """

    def __init__(
        self,
        host: str,
        identity: Identity,
        epoch: int,
        on_lane: Callable[[Lane, str], None],
        token_s: float = TOKEN_S,
    ) -> None:
        self._identity = identity
        self._epoch = epoch
        self._token_s = token_s
        self._on_lane = on_lane
        self._passes: dict[bytes, Pass] = {}
        self._lock = threading.RLock()
        self._admitted = threading.Condition(self._lock)
        self._knocking: Counter[str] = Counter()  # handshakes under way, by address
        self._listener = socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._run, name="lane-door", daemon=True).start()

    def admit(self, token: bytes, certificate_pem: bytes, *, controller: bool) -> None:
        """Lets one dialler in, once, with this token and this certificate. There is one previous stage: a token for it
        makes those before void."""
        new = Pass(certificate_pem, fingerprint_of(certificate_pem), controller)
        with self._admitted:
            kept = {old: each for old, each in self._passes.items() if controller or each.controller}
            self._passes = dict(list(kept.items())[-(MAX_PASSES - 1) :]) | {token: new}
            self._admitted.notify_all()

    def turn_to(self, epoch: int) -> None:
        """To another deployment: whoever was to come in for the former one may not."""
        with self._lock:
            self._epoch = epoch
            self._passes = {}

    def close(self) -> None:
        self._listener.close()

    def _run(self) -> None:
        while True:
            try:
                plain, peer = self._listener.accept()
            except OSError:
                return
            if not self._enter(peer[0]):
                plain.close()
                continue
            threading.Thread(target=self._let_in, args=(plain, peer[0]), name="lane-handshake", daemon=True).start()

    def _enter(self, address: str) -> bool:
        with self._lock:
            if self._knocking.total() >= MAX_HANDSHAKES or self._knocking[address] >= MAX_PER_ADDRESS:
                return False
            self._knocking[address] += 1
            return True

    def _leave(self, address: str) -> None:
        with self._lock:
            self._knocking[address] -= 1
            if not self._knocking[address]:
                del self._knocking[address]

    def _let_in(self, plain: socket.socket, address: str) -> None:
        connection = plain
        try:
            plain.settimeout(HANDSHAKE_S)
            expected = self._expected()
            context = server_context(self._identity, list(expected.values()))
            connection = tls = context.wrap_socket(plain, server_side=True)
            lane, name = self._greet(tls, check_pin(tls, expected))
        except (OSError, PinError, FrameError, LaneClosed):
            with contextlib.suppress(OSError):
                connection.close()
            return
        finally:
            self._leave(address)
        self._on_lane(lane, name)

    def _expected(self) -> dict[str, bytes]:
        """Certificates of those who may come now, by fingerprint. Raises LaneClosed where nobody may: no handshake is
        worth its price then."""
        with self._admitted:  # the dialler may be quicker than the order that hands its token out
            self._admitted.wait_for(lambda: self._passes, self._token_s)
            if not self._passes:
                raise LaneClosed("nobody is expected")
            return {each.fingerprint: each.certificate_pem for each in self._passes.values()}

    def _greet(self, tls: ssl.SSLSocket, fingerprint: str) -> tuple[Lane, str]:
        deadline = time.monotonic() + GREETING_S
        epoch, token = read_hello(lambda size: _read_exactly(tls, size, deadline))
        with self._admitted:
            self._admitted.wait_for(lambda: token in self._passes, self._token_s)
            granted = self._passes.get(token)
            if granted is None or granted.fingerprint != fingerprint or epoch != self._epoch:
                raise FrameError("a token that was not handed out to this machine for this deployment")
            del self._passes[token]
            return Lane(tls, epoch, measure=True), lane_id(token) if granted.controller else ""


def read_hello(read: Callable[[int], bytes]) -> tuple[int, bytes]:
    """Epoch and token of a lane's first frame, of which `read` gives the next so many bytes. Raises FrameError."""
    header_bytes, payload_bytes = decode_prefix(read(PREFIX.size))
    if header_bytes > MAX_HELLO_BYTES or payload_bytes:
        raise FrameError("a first frame that is too large")
    header = decode_header(read(header_bytes), 0)
    if header.kind != lane_pb2.HELLO:
        raise FrameError("a first frame that is no HELLO")
    return header.epoch, header.hello.token


def _read_exactly(tls: ssl.SSLSocket, size: int, deadline: float) -> bytes:
    data = b""
    while len(data) < size:
        tls.settimeout(max(0.001, deadline - time.monotonic()))
        part = tls.recv(size - len(data))
        if not part:
            raise LaneClosed("the other end closed the lane")
        data += part
    return data

"""Pairing by a code: the listener that strangers may talk to, open only while a code is shown.

An exchange uses up one of the code's few tries before anything is computed, so that wrong guesses cost this machine a
bounded amount however many come; connections beyond a few a second are closed before their handshake.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import shardd
from shardd.agent.admission import Admission
from shardd.host import SentenceError
from shardd.identity import Identity, IdentityError, TrustedPeer, fingerprint_of
from shardd.identity.pairing import NONCE_BYTES, CodeState, Exchange, PairingCode, new_code, proves
from shardd.identity.tls import pairing_server_context
from shardd.rpc import pairing_pb2
from shardd.rpc.options import PROTOCOL_VERSION
from shardd.rpc.pairing_wire import WireError, prologue, read_message, write_message

LIFETIME_S: Final = 300.0
MAX_TRIES: Final = 5
LINGER_S: Final = 60.0  # after a code has expired, callers are still told so
LAST_WORDS_S: Final = 5.0  # the same after it was used; then the system refuses guessers at no cost to this program
HANDSHAKE_S: Final = 3.0
EXCHANGE_S: Final = 10.0
GOODBYE_S: Final = 1.0
LARGEST_CERTIFICATE: Final = 2048
BACKLOG: Final = 64

_STATES: Final[dict[CodeState, pairing_pb2.PairingState]] = {
    "open": pairing_pb2.PAIRING_STATE_OPEN,
    "paired": pairing_pb2.PAIRING_STATE_PAIRED,
    "used up": pairing_pb2.PAIRING_STATE_USED_UP,
    "expired": pairing_pb2.PAIRING_STATE_EXPIRED,
}

log = logging.getLogger(__name__)


class PairingRefused(SentenceError):
    """No code can be shown."""


@dataclass(frozen=True, slots=True)
class PairingStatus:
    """How a code stands. peer: who paired with it."""

    code: str
    state: CodeState
    tries_left: int
    seconds_left: float
    peer: TrustedPeer | None = None


class PairingDesk:
    """Shows codes and lets in whoever knows them. All members are for the agent's loop.

    identity: this agent's, at the moment.  pin(certificate, name) trusts a controller, durably.  clock: seconds that
    never go back.
    """

    def __init__(
        self,
        host: str,
        name: str,
        identity: Callable[[], Identity],
        pin: Callable[[bytes, str], TrustedPeer],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._host = host
        self._name = name
        self._identity = identity
        self._pin = pin
        self._clock = clock
        self._admission = Admission()
        self._code: PairingCode | None = None
        self._peer: TrustedPeer | None = None
        self._reserved: socket.socket | None = None
        self._server: asyncio.Server | None = None
        self._closing: asyncio.TimerHandle | None = None
        self._handlers: set[asyncio.Task[None]] = set()
        self._context: ssl.SSLContext | None = None
        self.port = 0

    @property
    def status(self) -> PairingStatus | None:
        """Of the latest code."""
        code, now = self._code, self._clock()
        if code is None:
            return None
        return PairingStatus(code.code, code.state(now), code.tries_left, max(0.0, code.until - now), self._peer)

    @property
    def is_open(self) -> bool:
        """Whether somebody may still pair by the latest code."""
        status = self.status
        return bool(self._handlers) or (status is not None and status.state == "open")

    def reserve(self, port: int) -> None:
        """Keeps the port for later; connections to it are refused until a code is shown. Raises OSError."""
        self._release()
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        reserved = socket.socket(family, socket.SOCK_STREAM)
        try:
            reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                reserved.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            reserved.bind((self._host, port))
        except BaseException:
            reserved.close()
            raise
        self._reserved = reserved
        self.port = reserved.getsockname()[1]

    async def show_code(self) -> PairingStatus:
        """A new code; the one before is void. Raises PairingRefused."""
        await self.hide_code()
        try:
            if self._reserved is None:
                self.reserve(self.port)
            self._context = await asyncio.to_thread(pairing_server_context, self._identity())
            assert self._reserved is not None
            self._server = await asyncio.start_server(self._knock, sock=self._reserved, backlog=BACKLOG)
        except OSError as error:
            self._release()
            raise PairingRefused(
                f"No machine can pair through port {self.port}: {error.strerror or error}.",
                "Start the agent with another --port; pairing uses the one after it.",
            ) from error
        self._reserved = None  # the server's now
        self._peer = None
        self._code = PairingCode(new_code(), self._clock() + LIFETIME_S, MAX_TRIES)
        self._close_after(LIFETIME_S + LINGER_S)
        status = self.status
        assert status is not None
        return status

    async def hide_code(self) -> None:
        """Stops listening, and ends every exchange under way."""
        self._code = None
        self._stop_listening()
        for task in list(self._handlers):
            task.cancel()
        await asyncio.gather(*self._handlers, return_exceptions=True)

    async def close(self) -> None:
        await self.hide_code()
        self._release()

    # -- inside ------------------------------------------------------------------------------------------------------

    def _close_after(self, seconds: float) -> None:
        if self._closing:
            self._closing.cancel()
        self._closing = asyncio.get_running_loop().call_later(seconds, self._stop_listening)

    def _stop_listening(self) -> None:
        if self._closing:
            self._closing.cancel()
            self._closing = None
        if self._server:
            self._server.close()
            self._server = None
            with contextlib.suppress(OSError):  # tried again for the next code
                self.reserve(self.port)

    def _release(self) -> None:
        if self._reserved:
            self._reserved.close()
            self._reserved = None

    async def _knock(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        address = str((writer.get_extra_info("peername") or ("",))[0])
        if not self._admission.enter(address):
            writer.transport.abort()
            return
        task = asyncio.current_task()
        assert task is not None
        self._handlers.add(task)
        try:
            async with asyncio.timeout(EXCHANGE_S):
                assert self._context is not None
                await writer.start_tls(self._context, ssl_handshake_timeout=HANDSHAKE_S)
                await self._talk(reader, writer)
        except (WireError, OSError, IdentityError, TimeoutError) as error:
            log.debug("a pairing exchange with %s ended early: %s", address, error)
        finally:
            self._handlers.discard(task)
            self._admission.leave(address)
            with contextlib.suppress(OSError, TimeoutError):
                writer.close()
                await asyncio.wait_for(writer.wait_closed(), GOODBYE_S)
            writer.transport.abort()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        code, state = self._standing()
        hello = pairing_pb2.PairingHello(
            name=self._name,
            version=shardd.__version__,
            protocol=PROTOCOL_VERSION,
            state=_STATES[state],
            tries_left=code.tries_left if code else 0,
            nonce=secrets.token_bytes(NONCE_BYTES),
        )
        said = write_message(writer, hello)
        begin, _ = await read_message(reader, pairing_pb2.PairingBegin)
        if len(begin.certificate) > LARGEST_CERTIFICATE:
            raise WireError("a certificate that is too large")
        code, state = self._standing()
        if code is None or state != "open":
            write_message(writer, pairing_pb2.PairingEnd(state=_STATES[state]))
            return
        self._code = replace(code, tries_left=code.tries_left - 1)
        if self._code.tries_left == 0:
            self._close_after(LAST_WORDS_S)
        controller = fingerprint_of(begin.certificate)
        before = prologue(said, begin.name)
        exchange = Exchange("agent", code.code, controller, self._identity().fingerprint, before)
        ours, theirs = exchange.finish(begin.element)
        write_message(writer, pairing_pb2.PairingElement(element=exchange.element))
        proof, _ = await read_message(reader, pairing_pb2.PairingProof)
        await self._judge(writer, code.code, proves(proof.proof, theirs), ours, begin)

    async def _judge(
        self, writer: asyncio.StreamWriter, code: str, right: bool, ours: bytes, begin: pairing_pb2.PairingBegin
    ) -> None:
        current, state = self._standing()
        # The last try may still end well; a code that was replaced or has served meanwhile may not.
        usable = current is not None and current.code == code and state in ("open", "used up")
        if not right or not usable or current is None:
            left = current.tries_left if current else 0
            log.warning("a wrong pairing code was tried; %d tries are left", left)
            write_message(writer, pairing_pb2.PairingEnd(state=_STATES[state], tries_left=left))
            return
        self._code = replace(current, paired=True)
        self._close_after(LAST_WORDS_S)
        try:
            pem = ssl.DER_cert_to_PEM_cert(begin.certificate).encode()
            self._peer = await asyncio.to_thread(self._pin, pem, begin.name)
        except IdentityError as error:
            self._code = replace(current, tries_left=0)
            write_message(writer, pairing_pb2.PairingEnd(problem=str(error)))
            return
        log.info("paired with %s", self._peer.name)
        write_message(writer, pairing_pb2.PairingEnd(state=pairing_pb2.PAIRING_STATE_PAIRED, proof=ours))

    def _standing(self) -> tuple[PairingCode | None, CodeState]:
        code = self._code
        return code, code.state(self._clock()) if code else "expired"

"""Who, if anyone, answers TLS at an address.

"Not paired", "stopped" and "asleep" look alike to gRPC. A bare TLS handshake tells them apart: the server shows its
certificate before it asks for ours (TLS 1.3, RFC 8446, 2).
"""

import socket
import ssl
import time
from dataclasses import dataclass
from enum import Enum

from shardd.identity.certificates import TLS_NAME


class ProbeOutcome(Enum):
    """What was found at an address."""

    CERTIFICATE = "certificate"
    """TLS answers. If it is the pinned certificate, the agent runs and has forgotten us; otherwise it is another."""
    REFUSED = "refused"
    """The machine is there, and nothing listens: the agent is stopped."""
    TIMEOUT = "timeout"
    """No answer at all: asleep, off, unplugged, or behind a firewall."""
    SILENT = "silent"
    """The connection stands, and no TLS comes: the agent is frozen or overloaded."""
    UNREACHABLE = "unreachable"
    """No way there: an unknown name, no route, no network."""
    NOT_TLS = "not tls"
    """Something answers and hangs up, or does not speak TLS 1.3: another program has the port."""


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What was found, with the certificate in DER form where the outcome is CERTIFICATE (use `fingerprint_of`)."""

    outcome: ProbeOutcome
    certificate_der: bytes | None = None


def probe(address: str, port: int, timeout: float) -> ProbeResult:
    """Look who answers TLS at an address. Believes nothing: only compare the certificate with a pinned one.

    Blocks for at most `timeout` seconds where `address` is an IP address; a name adds the time to resolve it, and
    each of its addresses gets that long.
    """
    deadline = time.monotonic() + timeout
    context = _probe_context()
    try:
        connection = socket.create_connection((address, port), timeout)
    except (TimeoutError, BlockingIOError):
        return ProbeResult(ProbeOutcome.TIMEOUT)
    except ConnectionRefusedError:
        return ProbeResult(ProbeOutcome.REFUSED)
    except (OSError, ValueError, OverflowError):
        return ProbeResult(ProbeOutcome.UNREACHABLE)
    with connection:
        connection.settimeout(max(0.001, deadline - time.monotonic()))
        return _handshake(context, connection)


def _handshake(context: ssl.SSLContext, connection: socket.socket) -> ProbeResult:
    try:
        connection.getpeername()  # where it was reset already, wrap_socket would leave a socket of its own open
        with context.wrap_socket(connection, server_hostname=TLS_NAME) as secured:
            certificate = secured.getpeercert(binary_form=True)
    except TimeoutError:
        return ProbeResult(ProbeOutcome.SILENT)
    except OSError:
        return ProbeResult(ProbeOutcome.NOT_TLS)
    return ProbeResult(ProbeOutcome.CERTIFICATE, certificate) if certificate else ProbeResult(ProbeOutcome.NOT_TLS)


def _probe_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    # Nothing is sent: the handshake only makes the server show its certificate.
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    return context

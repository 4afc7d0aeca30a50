"""Whether an agent knows us, as it says so itself."""

from __future__ import annotations

import socket
import ssl
import time
from contextlib import suppress
from typing import Final

from shardd.identity.device import Identity
from shardd.identity.errors import IdentityError
from shardd.identity.tls import client_context

PROMPT_S = 2.0
"""Who hangs up so soon has looked at our certificate: an agent gives up a slow handshake only after 3 s."""

_GREETING: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))
"""What a client of HTTP/2 says first (RFC 9113, 3.4): the preface, and settings that change nothing."""


def is_accepted(identity: Identity, certificate_pem: bytes, address: str, port: int, timeout: float) -> bool | None:
    """Whether the agent with this certificate lets us in with ours. None where it cannot be known: an agent that stood
    still drops connections too, after a while.

    Blocks for at most `timeout` seconds where `address` is an IP address.
    """
    began = time.monotonic()

    def left() -> float:
        return max(0.001, began + timeout - time.monotonic())

    try:
        context = client_context(identity, certificate_pem)
        context.set_alpn_protocols(["h2"])
        with (
            socket.create_connection((address, port), timeout) as connection,
            context.wrap_socket(connection, server_hostname=None, do_handshake_on_connect=False) as secured,
        ):
            secured.settimeout(left())
            secured.do_handshake()
            secured.settimeout(left())
            with suppress(ConnectionError):  # it hung up while our greeting was on its way
                secured.sendall(_GREETING)  # in TLS 1.3 the verdict on our certificate comes after the handshake
                if secured.recv(1):
                    return True
            return False if time.monotonic() - began < PROMPT_S else None  # gRPC hangs up without a word
    except ssl.SSLError as error:
        return False if "ALERT" in (error.reason or "") else None
    except (OSError, ValueError, OverflowError, IdentityError):
        return None

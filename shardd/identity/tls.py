"""TLS 1.3 for the lanes: both ends show a certificate, and each accepts only those it was told to expect.

A client's handshake ends before the server has judged the client's certificate (RFC 8446, 2): a client that is
refused learns it from its first read, as an `ssl.SSLError`. gRPC has its own credentials; from here it needs only
`throwaway_root_pem`.
"""

import contextlib
import os
import secrets
import ssl
from collections.abc import Collection, Generator, Sequence

from cryptography.hazmat.primitives import serialization

from shardd.host.paths import atomic_write
from shardd.host.temporary import temporary_folder
from shardd.identity.certificates import (
    TLS_NAME,
    fingerprint_of,
    make_certificate,
    make_key,
    parse_certificate,
    short_fingerprint,
)
from shardd.identity.device import Identity
from shardd.identity.errors import PinError
from shardd.identity.probe import ProbeOutcome, ProbeResult, probe

__all__ = [
    "TLS_NAME",
    "ProbeOutcome",
    "ProbeResult",
    "check_pin",
    "client_context",
    "probe",
    "server_context",
    "throwaway_root_pem",
]

_PIPE_BYTES = 4096  # POSIX grants no more to one write that may not block


def server_context(identity: Identity, peers: Sequence[bytes]) -> ssl.SSLContext:
    """Return a context for listening: it accepts only clients with one of these certificates (PEM).

    With no peers it accepts nobody. Call `check_pin` on every connection all the same.

    Raises:
        IdentityError: a peer's certificate is none of a device.
        OSError: the system's temporary folder cannot be written.
    """
    context = _context(ssl.PROTOCOL_TLS_SERVER, identity, peers)
    # A resumed session would skip the certificate, and with it a revocation.
    context.num_tickets = 0
    return context


def client_context(identity: Identity, peer: bytes) -> ssl.SSLContext:
    """Return a context for dialling the one server with this certificate (PEM). `server_hostname` is not needed.

    Raises:
        IdentityError: the peer's certificate is none of a device.
        OSError: the system's temporary folder cannot be written.
    """
    return _context(ssl.PROTOCOL_TLS_CLIENT, identity, [peer])


def pairing_server_context(identity: Identity) -> ssl.SSLContext:
    """Return a context for the pairing listener: it shows our certificate and asks nobody for theirs.

    Raises:
        OSError: the system's temporary folder cannot be written.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.num_tickets = 0
    _load_own(context, identity)
    return context


def pairing_client_context() -> ssl.SSLContext:
    """Return a context for dialling an agent that is not pinned yet: what its certificate is worth, the code says."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def check_pin(connection: ssl.SSLSocket | ssl.SSLObject, expected: Collection[str]) -> str:
    """Return the fingerprint of the other end, after the handshake.

    Raises:
        PinError: it is not among the expected ones. Close the connection.
    """
    der = connection.getpeercert(binary_form=True)
    if not der:
        raise PinError("The other machine showed no certificate.", "Pair with it first.")
    fingerprint = fingerprint_of(der)
    if fingerprint not in expected:
        raise PinError(
            f"The other machine has the identity {short_fingerprint(fingerprint)}, which is not the expected one.",
            "If it was set up anew, unpair it and pair again; otherwise another machine has taken its address.",
        )
    return fingerprint


def throwaway_root_pem() -> bytes:
    """Return a certificate whose key nobody has: a list of roots that trusts no one.

    An empty list must never be given to gRPC: it then trusts the system's roots.
    """
    return make_certificate(make_key(), "nobody")


def _context(protocol: int, identity: Identity, peers: Sequence[bytes]) -> ssl.SSLContext:
    roots = [parse_certificate(peer).pem for peer in peers] or [throwaway_root_pem()]
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    # The name is the same for all; the certificate itself is what counts.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=b"".join(roots).decode("ascii"))
    _load_own(context, identity)
    return context


def _load_own(context: ssl.SSLContext, identity: Identity) -> None:
    # Python's ssl takes keys only from files. A pipe is one that no full disk refuses, and of which nothing is left.
    try:
        with _as_file(identity.certificate_pem) as certificate, _as_file(identity.key_pem) as key_file:
            context.load_cert_chain(certificate, key_file)
    except OSError:
        _load_from_disk(context, identity)


@contextlib.contextmanager
def _as_file(data: bytes) -> Generator[str]:
    """A path under which these bytes can be read once. Raises OSError, also where they may not fit into a pipe."""
    if len(data) > _PIPE_BYTES:
        raise OSError("it may not fit into a pipe")
    reader, writer = os.pipe()
    try:
        try:
            os.write(writer, data)
        finally:
            os.close(writer)
        yield f"/dev/fd/{reader}"
    finally:
        os.close(reader)


def _load_from_disk(context: ssl.SSLContext, identity: Identity) -> None:
    # Encrypted, so that a crash leaves nothing of use.
    password = secrets.token_bytes(24).hex().encode()
    key = serialization.load_pem_private_key(identity.key_pem, password=None)
    encrypted = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(password)
    )
    with temporary_folder("shardd-") as folder:
        file = folder / "identity.pem"
        atomic_write(file, identity.certificate_pem + encrypted)
        context.load_cert_chain(file, password=password)

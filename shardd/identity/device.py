"""This device's own key and certificate: made at first start, kept for good."""

import os
import stat
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from shardd.host.names import clean_name
from shardd.host.paths import atomic_write, locked, private_directory, read_file, sync_directory
from shardd.identity.certificates import (
    LARGEST_CERTIFICATE,
    UNNAMED,
    der_of,
    fingerprint_of,
    make_certificate,
    make_key,
    parse_certificate,
)
from shardd.identity.errors import IdentityError

KEY_FILE = "key.pem"
CERTIFICATE_FILE = "certificate.pem"
NEXT_KEY_FILE = "next-key.pem"
NEXT_CERTIFICATE_FILE = "next-certificate.pem"

_LARGEST_KEY = 8192
_START_OVER = "To make a new identity, delete {path} and start again; every pairing must then be made anew."


@dataclass(frozen=True)
class Identity:
    """A device's name, certificate and private key.

    Attributes:
        name: for people, cleaned; it may change without touching the certificate.
        certificate_pem: the self-signed certificate.
        key_pem: the private key, PKCS #8, not encrypted. Not shown in `repr`.
    """

    name: str
    certificate_pem: bytes
    key_pem: bytes = field(repr=False)

    @property
    def certificate_der(self) -> bytes:
        """The certificate as TLS sends it."""
        return der_of(self.certificate_pem)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate's DER form, 64 lower-case hex digits."""
        return fingerprint_of(self.certificate_der)


def create_identity(name: str) -> Identity:
    """Make a new identity in memory. Takes under a millisecond."""
    key = make_key()
    key_pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return Identity(clean_name(name) or UNNAMED, make_certificate(key, name), key_pem)


def load_or_create_identity(directory: Path, name: str) -> Identity:
    """Load the identity in `directory` (`key.pem`, `certificate.pem`); make it where there is none.

    The certificate is written first and the key last, both atomically: a key on disk means that both are whole, and
    a crash in between leaves nothing that anybody has seen. Two processes that start at once get the same identity.

    Raises:
        IdentityError: the files are damaged, do not belong together, or the key is readable by others.
        HostError: the folder cannot be used.
    """
    private_directory(directory)
    key_path, certificate_path = directory / KEY_FILE, directory / CERTIFICATE_FILE
    try:
        with locked(directory):
            _finish_taking(directory)
            if os.path.lexists(key_path):
                return _load(key_path, certificate_path, name)
            identity = create_identity(name)
            atomic_write(certificate_path, identity.certificate_pem, 0o644)
            atomic_write(key_path, identity.key_pem, 0o600)
            return identity
    except OSError as error:
        raise IdentityError(
            f"The identity in {directory} cannot be read or written: {error.strerror or error}.",
            "Check the folder's permissions and the free space on its disk.",
        ) from error


def load_next_identity(directory: Path, name: str) -> Identity | None:
    """Load the identity that was prepared to follow the present one; None where there is none.

    Raises:
        IdentityError: its files are damaged.
        OSError: the folder cannot be read.
    """
    key_path, certificate_path = directory / NEXT_KEY_FILE, directory / NEXT_CERTIFICATE_FILE
    with locked(directory):
        _finish_taking(directory)
        return _load(key_path, certificate_path, name) if os.path.lexists(key_path) else None


def prepare_next_identity(directory: Path, name: str) -> Identity:
    """Make an identity that will follow the present one, durably; an earlier one that was prepared is kept.

    Raises:
        IdentityError, OSError: as `load_next_identity`, or the disk refused.
    """
    prepared = load_next_identity(directory, name)
    if prepared is not None:
        return prepared
    identity = create_identity(name)
    with locked(directory):
        atomic_write(directory / NEXT_CERTIFICATE_FILE, identity.certificate_pem, 0o644)
        atomic_write(directory / NEXT_KEY_FILE, identity.key_pem, 0o600)
    return identity


def take_next_identity(directory: Path) -> None:
    """Let the prepared identity take the place of the present one, whose key is gone then.

    A crash in between is mended when the identity is loaded next.

    Raises:
        OSError: the disk refused.
    """
    with locked(directory):
        os.replace(directory / NEXT_CERTIFICATE_FILE, directory / CERTIFICATE_FILE)
        sync_directory(directory)
        _finish_taking(directory)


def _finish_taking(directory: Path) -> None:
    # The key is prepared last and taken last: one without its certificate belongs to the certificate in place.
    if os.path.lexists(directory / NEXT_KEY_FILE) and not os.path.lexists(directory / NEXT_CERTIFICATE_FILE):
        os.replace(directory / NEXT_KEY_FILE, directory / KEY_FILE)
        sync_directory(directory)


def _load(key_path: Path, certificate_path: Path, name: str) -> Identity:
    start_over = _START_OVER.format(path=key_path)
    facts = os.lstat(key_path)
    if not stat.S_ISREG(facts.st_mode) or facts.st_uid != os.geteuid():
        raise IdentityError(f"The key {key_path} is not a file of this user.", start_over)
    if facts.st_mode & 0o077:
        raise IdentityError(
            f"Other users of this computer can read the private key {key_path}.",
            f"If nobody has, run: chmod 600 '{key_path}'. Otherwise: {start_over}",
        )
    key_pem = read_file(key_path, _LARGEST_KEY)
    try:
        certificate_pem = read_file(certificate_path, LARGEST_CERTIFICATE)
    except FileNotFoundError as error:
        raise IdentityError(f"The certificate {certificate_path} is gone.", f"Restore it. {start_over}") from error
    try:
        parse_certificate(certificate_pem)
        public = x509.load_der_x509_certificate(der_of(certificate_pem)).public_key()
    except IdentityError as error:
        raise IdentityError(f"The certificate {certificate_path} is damaged.", f"Restore it. {start_over}") from error
    if _public_key_of(key_pem, key_path, start_over) != public:
        raise IdentityError(f"{key_path} and {certificate_path.name} do not belong together.", start_over)
    return Identity(clean_name(name) or UNNAMED, certificate_pem, key_pem)


def _public_key_of(key_pem: bytes, key_path: Path, remedy: str) -> ec.EllipticCurvePublicKey:
    with suppress(ValueError, TypeError):
        key = serialization.load_pem_private_key(key_pem, password=None)
        if isinstance(key, ec.EllipticCurvePrivateKey):
            return key.public_key()
    raise IdentityError(f"The private key {key_path} is damaged.", remedy)

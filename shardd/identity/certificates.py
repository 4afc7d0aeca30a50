"""Certificates of devices: how ours are made, and what another's must look like before it may be pinned.

Every device signs its own certificate (X.509 v3, RFC 5280) with an ECDSA P-256 key. Trust is the certificate itself,
never its name: the DNS name is one constant, and `CA:FALSE` keeps a pinned device from vouching for others.
"""

import datetime
import hashlib
import re
import secrets
import ssl
from dataclasses import dataclass
from typing import Literal

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from shardd.host.names import clean_name
from shardd.identity.errors import IdentityError

TLS_NAME = "shardboard"
"""The DNS name in every device's certificate; give it as `ssl_target_name_override` and as `server_hostname`."""

LARGEST_CERTIFICATE = 8192
"""Bytes of PEM beyond which nothing is parsed. Ours have about 800."""

UNNAMED = "unnamed"
"""What a device is called whose name has nothing to show."""

Role = Literal["controller", "agent"]
"""What a pinned peer may do here: a controller commands agents; an agent serves controllers and other agents."""

_VALID_FROM = datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC)
# RFC 5280, 4.1.2.5: the value that means "no expiry". Pinned certificates are checked for expiry too.
_VALID_UNTIL = datetime.datetime(9999, 12, 31, 23, 59, 59, tzinfo=datetime.UTC)
# X.520, ub-common-name.
_LONGEST_COMMON_NAME = 64
_PURPOSES = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)
_SUFFIX_BYTES = 4
_PEM = re.compile(rb"\s*-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----\s*")
_SUFFIX = re.compile(rf"-[0-9a-f]{{{2 * _SUFFIX_BYTES}}}$")
_NOT_OURS = "Pair with a device that runs Shardboard or shardd."


@dataclass(frozen=True, slots=True)
class TrustedPeer:
    """A peer's certificate and what we know about it.

    Attributes:
        fingerprint: SHA-256 of the DER form, 64 lower-case hex digits. This is the peer's identity.
        name: for people only.
        role: what it may do here.
        pem: the one certificate, written anew from its DER form: safe to give to TLS as a root.
        added_at: seconds since 1970 when it was pinned; 0 where it is not pinned.
        follows: fingerprint of the same device's present certificate, where this one is to take its place; else "".
    """

    fingerprint: str
    name: str
    role: Role
    pem: bytes
    added_at: float
    follows: str = ""


def make_key() -> ec.EllipticCurvePrivateKey:
    """Make a device key. P-256, because gRPC fails the handshake with Ed25519."""
    return ec.generate_private_key(ec.SECP256R1())


def make_certificate(key: ec.EllipticCurvePrivateKey, name: str) -> bytes:
    """Make the certificate of a device in PEM, signed by its own key, with a common name that no other has."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, _unique_common_name(name))])
    public = key.public_key()
    identifier = x509.SubjectKeyIdentifier.from_public_key(public)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(_VALID_FROM)
        .not_valid_after(_VALID_UNTIL)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(), critical=True)
        .add_extension(x509.ExtendedKeyUsage(_PURPOSES), critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(TLS_NAME)]), critical=False)
        .add_extension(identifier, critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False)
    )
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def fingerprint_of(certificate: bytes) -> str:
    """Return the SHA-256 of a certificate's DER form as 64 lower-case hex digits. Takes PEM or DER.

    Raises:
        IdentityError: PEM that is not exactly one certificate. DER is hashed as it is, unread.
    """
    if certificate.lstrip().startswith(b"-----"):
        certificate = der_of(certificate)
    return hashlib.sha256(certificate).hexdigest()


def short_fingerprint(fingerprint: str) -> str:
    """Return the first 64 bits in groups, for people to compare: `3fa9 12bc 77d0 e1f4`."""
    return " ".join(fingerprint[start : start + 4] for start in range(0, 16, 4))


def is_fingerprint(text: str) -> bool:
    """Tell whether a text has a fingerprint's form; anything else must not become a file name."""
    return re.fullmatch("[0-9a-f]{64}", text) is not None


def der_of(pem: bytes) -> bytes:
    """Return the DER form of a PEM text that holds exactly one certificate. Does not look inside.

    Raises:
        IdentityError: too long, or not exactly one certificate.
    """
    if len(pem) > LARGEST_CERTIFICATE:
        raise IdentityError("The certificate is too large to be a device's.", _NOT_OURS)
    if _PEM.fullmatch(pem) is None:
        raise IdentityError("The certificate is not exactly one certificate in PEM form.", _NOT_OURS)
    try:
        return ssl.PEM_cert_to_DER_cert(pem.decode("ascii").strip())
    except ValueError as error:
        raise IdentityError("The certificate is damaged.", _NOT_OURS) from error


def parse_certificate(pem: bytes, name: str = "", role: Role = "agent", added_at: float = 0.0) -> TrustedPeer:
    """Check a certificate from outside, strictly, and describe its owner. Pins nothing.

    Args:
        pem: untrusted bytes.
        name: what to call the peer; where empty, the name in the certificate. It is cleaned either way.
        role: the default is the one with fewer rights.
        added_at: seconds since 1970.

    Raises:
        IdentityError: not exactly one self-signed P-256 certificate of a device, as `make_certificate` makes them.
    """
    der = der_of(pem)
    try:
        certificate = x509.load_der_x509_certificate(der)
        problem = _problem_of(certificate)
        common_name = _common_name(certificate)
    # The library reads lazily and raises many types on hostile input; none of them may pass.
    except Exception as error:
        raise IdentityError("The certificate is damaged.", _NOT_OURS) from error
    if problem:
        raise IdentityError(problem, _NOT_OURS)
    shown = clean_name(name) or clean_name(_SUFFIX.sub("", common_name)) or UNNAMED
    own_pem = certificate.public_bytes(serialization.Encoding.PEM)
    return TrustedPeer(hashlib.sha256(der).hexdigest(), shown, role, own_pem, added_at)


def _problem_of(certificate: x509.Certificate) -> str | None:
    """Return what keeps a certificate from being a device's; None where nothing does."""
    key = certificate.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        return "The certificate's key is not of the type P-256."
    try:
        certificate.verify_directly_issued_by(certificate)
    except (InvalidSignature, ValueError, TypeError):
        return "The certificate is not signed by its own device."
    now = datetime.datetime.now(datetime.UTC)
    if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
        return "The certificate is not valid at this time."
    return _extension_problem(certificate.extensions)


def _extension_problem(extensions: x509.Extensions) -> str | None:
    known = (x509.BasicConstraints, x509.KeyUsage)
    if any(extension.critical and not isinstance(extension.value, known) for extension in extensions):
        return "The certificate has rules that are not understood."
    try:
        constraints = extensions.get_extension_for_class(x509.BasicConstraints).value
        usage = extensions.get_extension_for_class(x509.KeyUsage).value
        purposes = set(extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
        alternatives = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return "The certificate lacks what a device's certificate has."
    if constraints.ca or usage.key_cert_sign:
        return "The certificate could vouch for other devices, which no device may."
    if not usage.digital_signature or not purposes.issuperset(_PURPOSES):
        return "The certificate is not made for connections in both directions."
    if alternatives.get_values_for_type(x509.DNSName) != [TLS_NAME]:
        return "The certificate is not one of Shardboard."
    return None


def _common_name(certificate: x509.Certificate) -> str:
    found = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    value = found[0].value if found else ""
    return value if isinstance(value, str) else ""


def _unique_common_name(name: str) -> str:
    # OpenSSL finds a root by its subject: two devices with one name would hide each other.
    suffix = f"-{secrets.token_hex(_SUFFIX_BYTES)}"
    room = _LONGEST_COMMON_NAME - len(suffix)
    kept = clean_name(name).encode()[:room].decode(errors="ignore").strip() or UNNAMED
    return f"{kept}{suffix}"


def _key_usage() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )

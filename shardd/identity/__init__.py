"""Who this device is, and which other devices it trusts."""

from shardd.identity.certificates import (
    TLS_NAME,
    Role,
    TrustedPeer,
    fingerprint_of,
    parse_certificate,
    short_fingerprint,
)
from shardd.identity.device import (
    Identity,
    create_identity,
    load_next_identity,
    load_or_create_identity,
    prepare_next_identity,
    take_next_identity,
)
from shardd.identity.errors import IdentityError, PinError
from shardd.identity.peers import TrustedPeers

__all__ = [
    "TLS_NAME",
    "Identity",
    "IdentityError",
    "PinError",
    "Role",
    "TrustedPeer",
    "TrustedPeers",
    "create_identity",
    "fingerprint_of",
    "load_next_identity",
    "load_or_create_identity",
    "parse_certificate",
    "prepare_next_identity",
    "short_fingerprint",
    "take_next_identity",
]

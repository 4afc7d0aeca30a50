"""What can be wrong with a device's identity or with a peer's."""

from shardd.host.errors import SentenceError


class IdentityError(SentenceError):
    """A key, a certificate or a list of peers that cannot be used."""


class PinError(IdentityError):
    """The other end of a connection is not who it should be."""

import datetime
from collections.abc import Callable, Iterable

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shardd.identity import TLS_NAME, IdentityError, create_identity, parse_certificate
from shardd.identity.certificates import LARGEST_CERTIFICATE

GOOD = create_identity("Good").certificate_pem
P256 = ec.generate_private_key(ec.SECP256R1())
PURPOSES = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey


def usage(sign: bool = True, certificates: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(sign, False, False, False, False, certificates, False, False, False)


def extensions(
    ca: bool = False,
    key_usage: x509.KeyUsage | None = None,
    purposes: Iterable[x509.ObjectIdentifier] = PURPOSES,
    names: Iterable[str] = (TLS_NAME,),
) -> list[tuple[x509.ExtensionType, bool]]:
    return [
        (x509.BasicConstraints(ca, None), True),
        (key_usage or usage(), True),
        (x509.ExtendedKeyUsage(purposes), False),
        (x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), False),
    ]


def certificate(
    key: PrivateKey = P256,
    added: Iterable[tuple[x509.ExtensionType, bool]] | None = None,
    issuer: str = "Mac",
    signer: PrivateKey | None = None,
    years: tuple[int, int] = (2000, 9999),
) -> bytes:
    def name(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    builder = (
        x509.CertificateBuilder()
        .subject_name(name("Mac"))
        .issuer_name(name(issuer))
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(datetime.datetime(years[0], 1, 1))
        .not_valid_after(datetime.datetime(years[1], 12, 31))
    )
    for extension, critical in extensions() if added is None else added:
        builder = builder.add_extension(extension, critical)
    signing = signer or key
    algorithm = None if isinstance(signing, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(signing, algorithm).public_bytes(serialization.Encoding.PEM)


def test_our_own_certificates_pass_and_say_who_they_are() -> None:
    identity = create_identity("Anna's Mac")
    peer = parse_certificate(identity.certificate_pem)
    assert (peer.name, peer.role, peer.fingerprint) == ("Anna's Mac", "agent", identity.fingerprint)
    assert peer.pem == identity.certificate_pem
    named = parse_certificate(identity.certificate_pem, "Study\n", "controller", 5.0)
    assert (named.name, named.role, named.added_at) == ("Study", "controller", 5.0)


def test_our_own_certificates_are_as_designed() -> None:
    own = x509.load_pem_x509_certificate(GOOD)
    assert own.not_valid_before_utc == datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC)
    assert own.not_valid_after_utc.date() == datetime.date(9999, 12, 31)
    assert not own.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    names = own.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [TLS_NAME]


def test_a_certificate_is_written_anew() -> None:
    assert parse_certificate(b"\n\n" + GOOD.replace(b"\n", b"\r\n") + b"  ").pem == GOOD


REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "nothing": (lambda: b"", "exactly one"),
    "text": (lambda: b"hello", "exactly one"),
    "two": (lambda: GOOD + GOOD, "exactly one"),
    "text before": (lambda: b"x\n" + GOOD, "exactly one"),
    "a key behind": (lambda: GOOD + create_identity("x").key_pem, "exactly one"),
    "a key": (lambda: create_identity("x").key_pem, "exactly one"),
    "too large": (lambda: GOOD + b"\n" * LARGEST_CERTIFICATE, "too large"),
    "cut short": (lambda: GOOD.replace(GOOD[100:300], b""), "damaged"),
    "empty inside": (lambda: b"-----BEGIN CERTIFICATE-----\n=\n-----END CERTIFICATE-----", "damaged"),
    "P-384": (lambda: certificate(ec.generate_private_key(ec.SECP384R1())), "P-256"),
    "Ed25519": (lambda: certificate(ed25519.Ed25519PrivateKey.generate()), "P-256"),
    "RSA": (lambda: certificate(rsa.generate_private_key(65537, 2048)), "P-256"),
    "CA": (lambda: certificate(added=extensions(ca=True)), "vouch"),
    "signs certificates": (lambda: certificate(added=extensions(key_usage=usage(certificates=True))), "vouch"),
    "signs nothing": (lambda: certificate(added=extensions(key_usage=usage(sign=False))), "both directions"),
    "server only": (lambda: certificate(added=extensions(purposes=PURPOSES[:1])), "both directions"),
    "another name": (lambda: certificate(added=extensions(names=["example.org"])), "not one of Shardboard"),
    "two names": (lambda: certificate(added=extensions(names=[TLS_NAME, "example.org"])), "not one of Shardboard"),
    "no extensions": (lambda: certificate(added=[]), "lacks"),
    "expired": (lambda: certificate(years=(2000, 2020)), "not valid at this time"),
    "not yet": (lambda: certificate(years=(9990, 9999)), "not valid at this time"),
    "another issuer": (lambda: certificate(issuer="Other"), "not signed by its own"),
    "another signer": (
        lambda: certificate(signer=ec.generate_private_key(ec.SECP256R1())),
        "not signed by its own",
    ),
    "unknown critical rule": (
        lambda: certificate(
            added=[*extensions(), (x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00"), True)]
        ),
        "not understood",
    ),
}


@pytest.mark.parametrize(("make", "cause"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_no_certificate_of_a_device_is_refused(make: Callable[[], bytes], cause: str) -> None:
    with pytest.raises(IdentityError, match=cause) as caught:
        parse_certificate(make())
    assert caught.value.remedy


def test_a_certificate_like_ours_made_by_hand_passes() -> None:
    assert parse_certificate(certificate()).name == "Mac"


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.integers(0, 255)), min_size=1, max_size=4))
def test_a_changed_certificate_is_refused_or_the_same(changes: list[tuple[int, int]]) -> None:
    changed = bytearray(GOOD)
    for position, value in changes:
        changed[position] = value
    try:
        peer = parse_certificate(bytes(changed))
    except IdentityError:
        return
    # White space may move; an ECDSA signature over changed bytes cannot hold.
    assert peer.pem == GOOD


@given(st.binary(max_size=400))
def test_any_bytes_are_refused_and_nothing_else_happens(data: bytes) -> None:
    with pytest.raises(IdentityError):
        parse_certificate(data)

"""Real sockets on loopback: who gets in, who does not, and what a probe finds."""

import concurrent.futures
import contextlib
import socket
import ssl
import subprocess
import sys
import threading
import types
from collections.abc import Generator, Mapping, Sequence
from typing import cast

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from shardd.identity import (
    TLS_NAME,
    Identity,
    IdentityError,
    PinError,
    create_identity,
    fingerprint_of,
    parse_certificate,
)
from shardd.identity.accepted import is_accepted
from shardd.identity.tls import (
    ProbeOutcome,
    check_pin,
    client_context,
    probe,
    server_context,
    throwaway_root_pem,
)

DEADLINE = 5.0
SERVER, CLIENT, STRANGER = (create_identity(name) for name in ("server", "client", "stranger"))


class EchoServer:
    """Greets one client after another with the client's fingerprint; notes what each connection came to."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.outcomes: list[str] = []
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.settimeout(DEADLINE)
            with connection:
                try:
                    with self._context.wrap_socket(connection, server_side=True) as secured:
                        secured.sendall(check_pin(secured, [CLIENT.fingerprint]).encode())
                        self.outcomes.append("served")
                except (OSError, PinError) as error:
                    self.outcomes.append(type(error).__name__)

    @contextlib.contextmanager
    def running(self) -> Generator["EchoServer"]:
        self._thread.start()
        try:
            yield self
        finally:
            # Closing alone does not wake a thread in accept on Linux.
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._thread.join(DEADLINE)
            assert not self._thread.is_alive()


@contextlib.contextmanager
def serving(peers: Sequence[bytes], identity: Identity = SERVER) -> Generator[EchoServer]:
    with EchoServer(server_context(identity, peers)).running() as server:
        yield server


def greeting(port: int, context: ssl.SSLContext, expected: str = SERVER.fingerprint) -> tuple[str, str | None]:
    """Dial, check the pin, read the greeting; return it and the TLS version."""
    with (
        socket.create_connection(("127.0.0.1", port), DEADLINE) as connection,
        context.wrap_socket(connection) as secured,
    ):
        check_pin(secured, [expected])
        return secured.recv(100).decode(), secured.version()


def test_both_ends_with_the_right_pins_talk_tls_1_3() -> None:
    with serving([STRANGER.certificate_pem, CLIENT.certificate_pem]) as server:
        context = client_context(CLIENT, SERVER.certificate_pem)
        assert greeting(server.port, context) == (CLIENT.fingerprint, "TLSv1.3")
        assert greeting(server.port, context) == (CLIENT.fingerprint, "TLSv1.3"), "a context serves many connections"


def test_no_session_is_resumed() -> None:
    with serving([CLIENT.certificate_pem]) as server:
        context = client_context(CLIENT, SERVER.certificate_pem)
        with (
            socket.create_connection(("127.0.0.1", server.port), DEADLINE) as connection,
            context.wrap_socket(connection) as secured,
        ):
            assert secured.recv(100)
            assert secured.session is None or not secured.session.has_ticket


def test_a_server_with_another_certificate_is_refused_by_the_client() -> None:
    context = client_context(CLIENT, SERVER.certificate_pem)
    with serving([CLIENT.certificate_pem], STRANGER) as server, pytest.raises(ssl.SSLCertVerificationError):
        greeting(server.port, context)


def test_a_client_with_another_certificate_is_refused_by_the_server() -> None:
    with serving([CLIENT.certificate_pem]) as server, pytest.raises(OSError, match="alert"):
        greeting(server.port, client_context(STRANGER, SERVER.certificate_pem))
    assert server.outcomes == ["SSLCertVerificationError"]


def test_a_client_that_tls_accepts_is_still_checked_by_its_pin() -> None:
    with serving([CLIENT.certificate_pem, STRANGER.certificate_pem]) as server:
        assert greeting(server.port, client_context(STRANGER, SERVER.certificate_pem))[0] == ""
    assert server.outcomes == ["PinError"]


def test_nobody_is_accepted_where_nobody_is_trusted() -> None:
    with serving([]) as server, pytest.raises(OSError, match="alert"):
        greeting(server.port, client_context(CLIENT, SERVER.certificate_pem))
    assert server.outcomes == ["SSLCertVerificationError"]


def test_a_client_without_a_certificate_is_refused() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with serving([CLIENT.certificate_pem]) as server, pytest.raises(OSError, match="alert"):
        greeting(server.port, context)
    assert server.outcomes == ["SSLError"]


def test_tls_1_2_is_refused() -> None:
    context = client_context(CLIENT, SERVER.certificate_pem)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with serving([CLIENT.certificate_pem]) as server, pytest.raises(ssl.SSLError, match="alert"):
        greeting(server.port, context)
    assert server.outcomes == ["SSLError"]


def minted_by(signer: Identity) -> Identity:
    """A certificate like a device's, but signed by another device's key."""
    key = ec.generate_private_key(ec.SECP256R1())
    own = x509.load_pem_x509_certificate(signer.certificate_pem)
    signing = serialization.load_pem_private_key(signer.key_pem, None)
    assert isinstance(signing, ec.EllipticCurvePrivateKey)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "minted")]))
        .issuer_name(own.subject)
        .public_key(key.public_key())
        .serial_number(3)
        .not_valid_before(own.not_valid_before_utc)
        .not_valid_after(own.not_valid_after_utc)
    )
    for extension in own.extensions:
        if not isinstance(extension.value, x509.SubjectKeyIdentifier | x509.AuthorityKeyIdentifier):
            builder = builder.add_extension(extension.value, extension.critical)
    certificate = builder.sign(signing, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    key_pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return Identity("minted", certificate, key_pem)


def test_a_trusted_peer_cannot_vouch_for_another() -> None:
    minted = minted_by(CLIENT)
    with pytest.raises(IdentityError):
        parse_certificate(minted.certificate_pem)
    with serving([CLIENT.certificate_pem]) as server, pytest.raises(OSError, match="alert"):
        greeting(server.port, client_context(minted, SERVER.certificate_pem))
    assert server.outcomes == ["SSLCertVerificationError"]


def test_a_wrong_pin_is_told_in_words() -> None:
    with serving([CLIENT.certificate_pem]) as server, pytest.raises(PinError) as caught:
        greeting(server.port, client_context(CLIENT, SERVER.certificate_pem), expected=STRANGER.fingerprint)
    assert SERVER.fingerprint[:4] in caught.value.cause and caught.value.remedy


def test_roots_that_are_no_devices_are_refused() -> None:
    with pytest.raises(IdentityError):
        client_context(CLIENT, b"")
    with pytest.raises(IdentityError):
        server_context(SERVER, [CLIENT.certificate_pem, b"junk"])


def test_no_key_is_left_in_the_temporary_folder(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    server_context(SERVER, [])
    assert not subprocess.run(["ls", "-A", str(tmp_path)], capture_output=True, check=True).stdout


# gRPC, which has its own TLS (BoringSSL): our certificates must serve it as well.


def echo(request: bytes, context: grpc.ServicerContext) -> bytes:
    return request


@contextlib.contextmanager
def grpc_server(roots: bytes) -> Generator[int]:
    configuration = grpc.ssl_server_certificate_configuration([(SERVER.key_pem, SERVER.certificate_pem)], roots)
    credentials = grpc.dynamic_ssl_server_credentials(configuration, lambda: configuration, True)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        server = grpc.server(pool)
        methods: Mapping[str, grpc.RpcMethodHandler[bytes, bytes]] = {"Echo": grpc.unary_unary_rpc_method_handler(echo)}
        server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("t.T", methods)])
        port = server.add_secure_port("127.0.0.1:0", credentials)
        server.start()
        try:
            yield port
        finally:
            server.stop(0).wait(DEADLINE)


def grpc_echo(port: int, identity: Identity) -> bytes:
    credentials = grpc.ssl_channel_credentials(SERVER.certificate_pem, identity.key_pem, identity.certificate_pem)
    options = [("grpc.ssl_target_name_override", TLS_NAME), ("grpc.enable_http_proxy", 0)]
    with grpc.secure_channel(f"127.0.0.1:{port}", credentials, options) as channel:
        return cast(bytes, channel.unary_unary("/t.T/Echo")(b"hello", timeout=DEADLINE))


def test_grpc_takes_our_certificates() -> None:
    with grpc_server(CLIENT.certificate_pem) as port:
        assert grpc_echo(port, CLIENT) == b"hello"
        with pytest.raises(grpc.RpcError):
            grpc_echo(port, STRANGER)


def test_grpc_with_a_throwaway_root_refuses_everybody_and_a_probe_sees_why() -> None:
    with grpc_server(throwaway_root_pem()) as port:
        with pytest.raises(grpc.RpcError):
            grpc_echo(port, CLIENT)
        found = probe("127.0.0.1", port, DEADLINE)
    assert found.outcome is ProbeOutcome.CERTIFICATE
    assert found.certificate_der is not None and fingerprint_of(found.certificate_der) == SERVER.fingerprint


def test_only_an_agent_that_hangs_up_on_us_has_forgotten_us() -> None:
    with grpc_server(CLIENT.certificate_pem) as port:
        assert is_accepted(CLIENT, SERVER.certificate_pem, "127.0.0.1", port, DEADLINE) is True
        assert is_accepted(STRANGER, SERVER.certificate_pem, "127.0.0.1", port, DEADLINE) is False
    assert is_accepted(CLIENT, SERVER.certificate_pem, "127.0.0.1", port, DEADLINE) is None, "it is gone"
    with socket.create_server(("127.0.0.1", 0)) as frozen:  # nobody takes what comes in
        port = frozen.getsockname()[1]
        assert is_accepted(CLIENT, SERVER.certificate_pem, "127.0.0.1", port, 0.2) is None


# Probes


def test_a_probe_needs_no_trust_to_see_a_lane_server_s_certificate() -> None:
    with serving([]) as server:
        found = probe("127.0.0.1", server.port, DEADLINE)
    assert found.certificate_der == SERVER.certificate_der


def test_a_probe_of_a_closed_port_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    assert probe("127.0.0.1", port, DEADLINE).outcome is ProbeOutcome.REFUSED


def test_a_probe_of_a_machine_that_never_answers_times_out() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener, contextlib.ExitStack() as stack:
        address: tuple[str, int] = listener.getsockname()
        # A full backlog drops further requests, as a machine that is off would.
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(address)
        assert probe(*address, 0.2).outcome is ProbeOutcome.TIMEOUT


def test_a_probe_of_a_frozen_agent_is_silent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert probe("127.0.0.1", listener.getsockname()[1], 0.2).outcome is ProbeOutcome.SILENT


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b""])
def test_a_probe_of_another_program_is_not_tls(answer: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(DEADLINE)
                connection.recv(10_000)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        found = probe("127.0.0.1", listener.getsockname()[1], DEADLINE)
        thread.join(DEADLINE)
    assert found.outcome is ProbeOutcome.NOT_TLS


@pytest.mark.parametrize("address", ["no-such-host.invalid", "a\0b", "." * 300, "255.255.255.255"])
def test_a_probe_of_nowhere_is_unreachable(address: str) -> None:
    assert probe(address, 7000, DEADLINE).outcome is ProbeOutcome.UNREACHABLE


def test_the_room_brings_no_heavy_imports() -> None:
    program = (
        "import sys, shardd.identity.tls, shardd.store, shardd.host\n"
        "print([name for name in ('mlx', 'PySide6', 'grpc', 'app', 'huggingface_hub') if name in sys.modules])"
    )
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout
    assert printed == b"[]\n"


def test_one_deadline_for_all_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody answers, and the connection alone has taken nearly all of the time: then there is no second wait."""
    passed = 0.0
    connect = socket.create_connection

    def slowly(address: tuple[str, int], timeout: float) -> socket.socket:
        nonlocal passed
        passed = timeout
        return connect(address, timeout)

    clock = types.SimpleNamespace(monotonic=lambda: passed)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setattr("shardd.identity.accepted.time", clock)
        monkeypatch.setattr("shardd.identity.accepted.socket.create_connection", slowly)
        port = silent.getsockname()[1]
        assert is_accepted(CLIENT, SERVER.certificate_pem, "127.0.0.1", port, 10_000.0) is None

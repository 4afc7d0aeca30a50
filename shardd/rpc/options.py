"""Channel and server options, and credentials, the same for every connection. Figures: ../shared/FINDINGS.md."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import grpc

from shardd.identity import TLS_NAME, Identity
from shardd.identity.tls import throwaway_root_pem

PROTOCOL_VERSION = "6"
MAX_CONTROL_BYTES = 256 * 1024
PIECE_BYTES = 1024 * 1024
MAX_PUSH_BYTES = PIECE_BYTES + 64 * 1024

Options = list[tuple[str, int | str]]

# How far ahead of its reader a stream may be. Left to its own measuring, gRPC let a sender on loopback go hundreds of
# megabytes ahead of the disk: an agent that received a model grew by 115-520 MB, with this by 73-100, as fast.
_AHEAD_BYTES = 4 * 1024 * 1024

_SHARED: Options = [
    ("grpc.enable_http_proxy", 0),
    ("grpc.max_send_message_length", MAX_PUSH_BYTES),
    ("grpc.http2.bdp_probe", 0),
    ("grpc.http2.lookahead_bytes", _AHEAD_BYTES),
]


def channel_options(max_receive_bytes: int = MAX_CONTROL_BYTES) -> Options:
    """For a channel to an agent. A frozen peer is given up after about two seconds."""
    return [
        *_SHARED,
        ("grpc.max_receive_message_length", max_receive_bytes),
        ("grpc.keepalive_time_ms", 2000),
        ("grpc.keepalive_timeout_ms", 2000),
        ("grpc.http2.ping_timeout_ms", 2000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),
        ("grpc.initial_reconnect_backoff_ms", 250),
        ("grpc.min_reconnect_backoff_ms", 1000),
        ("grpc.max_reconnect_backoff_ms", 2000),
        ("grpc.ssl_target_name_override", TLS_NAME),
        # Each channel has its own connection, so that a push never delays a heartbeat.
        ("grpc.use_local_subchannel_pool", 1),
    ]


def server_options() -> Options:
    """For an agent's server. Pings of the clients above are welcome."""
    return [
        *_SHARED,
        ("grpc.max_receive_message_length", MAX_PUSH_BYTES),
        ("grpc.http2.min_recv_ping_interval_without_data_ms", 500),
        ("grpc.http2.max_ping_strikes", 0),
        # A controller that is gone without a word must not count as present: TCP alone finds out after a quarter hour.
        ("grpc.keepalive_time_ms", 60_000),
        ("grpc.keepalive_timeout_ms", 20_000),
        ("grpc.http2.ping_timeout_ms", 20_000),
        ("grpc.server_handshake_timeout_ms", 3000),
        ("grpc.max_concurrent_streams", 128),
        ("grpc.max_metadata_size", 8 * 1024),
        ("grpc.absolute_max_metadata_size", 8 * 1024),
        ("grpc.so_reuseport", 0),
    ]


def channel_credentials(identity: Identity, peer_certificate_pem: bytes) -> grpc.ChannelCredentials:
    """Mutual TLS in which the one accepted server is the pinned one."""
    return grpc.ssl_channel_credentials(
        root_certificates=peer_certificate_pem,
        private_key=identity.key_pem,
        certificate_chain=identity.certificate_pem,
    )


def server_credentials(
    identity: Callable[[], Identity], trusted: Callable[[], Sequence[bytes]]
) -> grpc.ServerCredentials:
    """Mutual TLS as what identity() and for the certificates that trusted() names at the moment of each handshake."""

    def configuration() -> grpc.ServerCertificateConfiguration:
        roots = b"\n".join(trusted()) or throwaway_root_pem()  # an empty list would mean: anybody
        own = identity()
        return grpc.ssl_server_certificate_configuration([(own.key_pem, own.certificate_pem)], roots)

    return grpc.dynamic_ssl_server_credentials(configuration(), configuration, require_client_authentication=True)

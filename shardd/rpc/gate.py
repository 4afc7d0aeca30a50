"""Every call is checked again: the certificate of the connection must still be pinned as a controller's.

TLS alone is not enough, since a connection outlives a revocation and a failing fetcher leaves the old trust in force.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import grpc
import grpc.aio

from shardd.identity import IdentityError, TrustedPeer, TrustedPeers, fingerprint_of
from shardd.rpc.limits import MAX_CALLS, Unread, limited
from shardd.rpc.options import MAX_PUSH_BYTES
from shardd.rpc.pieces import PUSH_UNIT, SERVE_UNIT, decode_piece, encode_piece
from shardd.rpc.sessions import Session, Sessions

Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]
Check: TypeAlias = Callable[[Context], Awaitable[str]]


def fingerprint_of_caller(context: Context) -> str:
    """Of the certificate behind a call; "" for none."""
    certificates = context.auth_context().get("x509_pem_cert", [])
    try:
        return fingerprint_of(next(iter(certificates), b""))
    except IdentityError:
        return ""


def caller_of(context: Context, peers: TrustedPeers) -> TrustedPeer | None:
    """The pinned controller behind a call, or None."""
    fingerprint = fingerprint_of_caller(context)
    try:
        peer = peers.get(fingerprint) if fingerprint else None
    except IdentityError:
        return None
    return peer if peer is not None and peer.role == "controller" else None


class Gate(grpc.aio.ServerInterceptor):
    """Refuses callers that are not pinned, before any servicer runs, and keeps account of the calls of those that are.

    granted: whether a machine with this fingerprint holds a grant; it may then call ServeUnit and nothing else.
    """

    def __init__(self, peers: TrustedPeers, granted: Callable[[str], bool], sessions: Sessions) -> None:
        self._peers = peers
        self._granted = granted
        self._sessions = sessions

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any] | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        handler = await continuation(handler_call_details)
        if handler is None:  # an unknown method
            return None
        make = {
            (False, False): (grpc.unary_unary_rpc_method_handler, handler.unary_unary),
            (False, True): (grpc.unary_stream_rpc_method_handler, handler.unary_stream),
            (True, False): (grpc.stream_unary_rpc_method_handler, handler.stream_unary),
            (True, True): (grpc.stream_stream_rpc_method_handler, handler.stream_stream),
        }
        if handler_call_details.method == SERVE_UNIT:  # type: ignore[attr-defined]  # grpc's stubs lack it
            return grpc.unary_stream_rpc_method_handler(
                self._stream(handler.unary_stream, self._check_grant),
                limited(handler.request_deserializer),
                encode_piece,
            )
        wrap, behavior = make[handler.request_streaming, handler.response_streaming]
        checked: Any = (self._stream if handler.response_streaming else self._unary)(behavior, self._check_controller)
        pushed = handler_call_details.method == PUSH_UNIT  # type: ignore[attr-defined]
        deserializer = limited(decode_piece, MAX_PUSH_BYTES) if pushed else limited(handler.request_deserializer)
        return wrap(checked, deserializer, handler.response_serializer)

    async def _check_controller(self, context: Context) -> str:
        caller = caller_of(context, self._peers)
        if caller is None:
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, "This machine is not paired with this controller.")
        return caller.fingerprint

    async def _check_grant(self, context: Context) -> str:
        fingerprint = fingerprint_of_caller(context)
        if not self._granted(fingerprint):
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, "This machine was granted no units here.")
        return fingerprint

    async def _bound(self, session: Session, request: Any, context: Context) -> None:
        if session.number > MAX_CALLS:
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, f"At most {MAX_CALLS} calls can be open at once.")
        if isinstance(request, Unread):
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, request.sentence)

    def _unary(self, behavior: Any, check: Check) -> Any:
        async def call(request: Any, context: Context) -> Any:
            # Nothing may be awaited between the check and the session, or a revocation could slip in between.
            with self._sessions.entered(await check(context), context.peer()) as session:
                await self._bound(session, request, context)
                try:
                    return await behavior(request, context)
                except asyncio.CancelledError:
                    await _tell_cut(session, context)
                    raise

        return call

    def _stream(self, behavior: Any, check: Check) -> Any:
        async def call(request: Any, context: Context) -> Any:
            with self._sessions.entered(await check(context), context.peer()) as session:
                await self._bound(session, request, context)
                try:
                    # Written from here and not yielded: a write that a slow reader blocks can be cut as well.
                    async for reply in behavior(request, context):
                        await context.write(reply)
                except asyncio.CancelledError:
                    await _tell_cut(session, context)
                    raise

        return call


async def _tell_cut(session: Session, context: Context) -> None:
    if session.cut:
        await context.abort(grpc.StatusCode.UNAUTHENTICATED, "This machine was unpaired from this controller.")

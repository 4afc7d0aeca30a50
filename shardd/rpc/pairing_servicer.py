"""How a paired controller takes leave, and how either end changes its certificate. Pairing itself is
shardd.agent.pairing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, NoReturn

import grpc
import grpc.aio

from shardd.agent.identities import Identities
from shardd.agent.supervisor import Supervisor
from shardd.identity import IdentityError, TrustedPeer, TrustedPeers, fingerprint_of
from shardd.rpc import pairing_pb2
from shardd.rpc.gate import caller_of
from shardd.rpc.pairing_pb2_grpc import PairingServicer

Context = grpc.aio.ServicerContext[Any, Any]

LARGEST_CERTIFICATE = 8192


class Pairing(PairingServicer):
    """look(): called after the list of controllers was changed here."""

    def __init__(
        self,
        peers: TrustedPeers,
        identities: Identities,
        supervisor: Supervisor,
        look: Callable[[], Awaitable[None]],
    ) -> None:
        self._peers = peers
        self._identities = identities
        self._supervisor = supervisor
        self._look = look

    async def Unpair(self, request: pairing_pb2.UnpairRequest, context: Context) -> pairing_pb2.UnpairReply:
        caller = await self._caller(context)
        await self._remove(caller.fingerprint, context)
        return pairing_pb2.UnpairReply()

    async def AnnounceCertificate(
        self, request: pairing_pb2.AnnounceCertificateRequest, context: Context
    ) -> pairing_pb2.AnnounceCertificateReply:
        caller = await self._caller(context)
        if len(request.certificate) > LARGEST_CERTIFICATE:
            await _refuse(context, "The certificate is too large to be a device's.")
        try:
            fingerprint = fingerprint_of(request.certificate)
            present = self._peers.get(fingerprint)
            if present is not None and present.follows != caller.fingerprint:
                await _refuse(context, "This certificate is known here already.")
            for each in self._peers.all():
                if each.follows == caller.fingerprint and each.fingerprint != fingerprint:
                    self._peers.remove(each.fingerprint)  # one at a time
            self._peers.add(request.certificate, caller.name, "controller", follows=caller.fingerprint)
        except IdentityError as error:
            await _refuse(context, str(error))
        await self._look()
        return pairing_pb2.AnnounceCertificateReply()

    async def ReplaceCertificate(
        self, request: pairing_pb2.ReplaceCertificateRequest, context: Context
    ) -> pairing_pb2.ReplaceCertificateReply:
        caller = await self._caller(context)
        former = caller.follows
        if not former:  # an answer that was lost made it ask twice
            return pairing_pb2.ReplaceCertificateReply()
        self._supervisor.hand_over(former, caller.fingerprint)
        try:
            self._peers.add(caller.pem, caller.name, "controller")
        except IdentityError as error:
            await _refuse(context, str(error))
        await self._remove(former, context)
        return pairing_pb2.ReplaceCertificateReply()

    async def ConfirmCertificate(
        self, request: pairing_pb2.ConfirmCertificateRequest, context: Context
    ) -> pairing_pb2.ConfirmCertificateReply:
        caller = await self._caller(context)
        if not self._identities.confirm(caller.fingerprint, request.fingerprint):
            await _refuse(context, "This agent does not announce that certificate.")
        return pairing_pb2.ConfirmCertificateReply()

    async def _remove(self, fingerprint: str, context: Context) -> None:
        try:
            self._peers.remove(fingerprint)
        except IdentityError as error:
            await _refuse(context, str(error))
        await self._look()

    async def _caller(self, context: Context) -> TrustedPeer:
        caller = caller_of(context, self._peers)
        if caller is None:
            await _refuse(context, "This machine is not paired with this controller.")
        return caller


async def _refuse(context: Context, sentence: str) -> NoReturn:
    await context.abort(grpc.StatusCode.FAILED_PRECONDITION, sentence)
    raise AssertionError("abort raises")

"""Meeting an agent for the first time, by address: who answers, and what is missing until both trust each other."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass

from app.core.cluster.address import Address
from app.core.cluster.client import AgentClient, AgentError
from app.core.cluster.pairing import SHOW_A_CODE, NoCodeShown, look
from app.core.cluster.registry import NodeRegistry
from app.core.errors import ShardboardError
from app.core.text import joined, phrase
from shardd.identity import Identity, fingerprint_of, short_fingerprint
from shardd.identity.probe import ProbeOutcome, ProbeResult, probe

PROBE_S = 4.0
NOT_YET = phrase("This machine does not know this controller yet.")


@dataclass(frozen=True, slots=True)
class ProbedAgent:
    """What answers at an address before anything is trusted."""

    address: str  # "host:port"
    fingerprint: str
    own_fingerprint: str  # this controller's, as that machine shows it once paired
    trusted: bool  # this controller has pinned it
    trusts_us: bool  # it has this controller's certificate
    advice: str  # what to do next where it is not both; "" otherwise
    name: str = ""  # as it calls itself; "" where it does not say
    pairs: bool = False  # a code can help: it runs a version that works with this one


async def explain_probe(address: Address, identity: Identity, registry: NodeRegistry) -> ProbedAgent:
    """Looks who answers. Raises ShardboardError in words when no agent does."""
    pem = _certificate(await _probe(address), address)
    fingerprint = fingerprint_of(pem)
    trusted = any(node.fingerprint == fingerprint for node in registry.all())
    own = identity.fingerprint
    known_as = await _describes_itself(address, identity, pem)
    if known_as is not None:
        advice = (
            ""
            if trusted
            else phrase(
                "It knows this controller. Its fingerprint is {fingerprint}.",
                fingerprint=short_fingerprint(fingerprint),
            )
        )
        return ProbedAgent(str(address), fingerprint, own, trusted, True, advice, known_as)
    try:
        offer = await look(address)
    except NoCodeShown:
        return ProbedAgent(str(address), fingerprint, own, trusted, False, joined((NOT_YET, SHOW_A_CODE)), pairs=True)
    except ShardboardError as error:
        return ProbedAgent(str(address), fingerprint, own, trusted, False, joined((NOT_YET, str(error))))
    advice = offer.problem or phrase("Type the code that {name} shows.", name=offer.name)
    pairs = offer.protocol_fits and offer.fingerprint == fingerprint
    return ProbedAgent(str(address), fingerprint, own, trusted, False, advice, offer.name, pairs)


async def fetch_certificate(address: Address, fingerprint: str, identity: Identity) -> tuple[bytes, str]:
    """The certificate with this fingerprint and the agent's name. Raises ShardboardError when it is another's."""
    pem = _certificate(await _probe(address), address)
    if fingerprint_of(pem) != fingerprint:
        raise ShardboardError(
            phrase("The machine at {address} has another fingerprint than the one you confirmed.", address=address),
            "Look at it again.",
        )
    name = await _describes_itself(address, identity, pem)
    if name is None:
        raise ShardboardError(
            phrase("The agent at {address} does not know this controller yet.", address=address),
            SHOW_A_CODE,
        )
    return pem, name


async def _probe(address: Address) -> ProbeResult:
    return await asyncio.to_thread(probe, address.host, address.port, PROBE_S)


def _certificate(result: ProbeResult, address: Address) -> bytes:
    match result.outcome:
        case ProbeOutcome.CERTIFICATE if result.certificate_der:
            return ssl.DER_cert_to_PEM_cert(result.certificate_der).encode()
        case ProbeOutcome.REFUSED:
            raise ShardboardError(
                phrase("Nothing listens at {address}.", address=address), "Start the agent there with: shardd run"
            )
        case ProbeOutcome.TIMEOUT | ProbeOutcome.SILENT:
            raise ShardboardError(
                phrase("{address} does not answer.", address=address), "Is the machine awake, and on the same network?"
            )
        case ProbeOutcome.UNREACHABLE:
            raise ShardboardError(
                phrase("There is no way to {address}.", address=address),
                "Check the address and this machine's network.",
            )
        case _:
            raise ShardboardError(
                phrase("Another program than shardd answers at {address}.", address=address), "Check the port."
            )


async def _describes_itself(address: Address, identity: Identity, pem: bytes) -> str | None:
    """The agent's name where it trusts us, else None."""
    client = AgentClient(phrase("the machine"), address, identity, pem)
    try:
        return (await client.describe()).name
    except AgentError:
        return None
    finally:
        await client.close()

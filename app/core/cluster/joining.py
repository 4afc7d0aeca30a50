"""Meeting an agent for the first time, by address: who answers, and what is missing until both trust each other."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from pathlib import Path

from app.core.cluster.address import Address
from app.core.cluster.client import AgentClient, AgentError
from app.core.cluster.registry import NodeRegistry
from app.core.errors import ShardboardError
from shardd.identity import Identity, fingerprint_of, short_fingerprint
from shardd.identity.probe import ProbeOutcome, ProbeResult, probe

PROBE_S = 4.0


@dataclass(frozen=True, slots=True)
class ProbedAgent:
    """What answers at an address before anything is trusted."""

    address: str  # "host:port"
    fingerprint: str
    trusted: bool  # this controller has pinned it
    trusts_us: bool  # it has this controller's certificate
    advice: str  # what to do next where it is not both; "" otherwise


async def explain_probe(
    address: Address, identity: Identity, registry: NodeRegistry, identity_folder: Path
) -> ProbedAgent:
    """Looks who answers. Raises ShardboardError in words when no agent does."""
    pem = _certificate(await _probe(address), address)
    fingerprint = fingerprint_of(pem)
    trusted = any(node.fingerprint == fingerprint for node in registry.all())
    trusts_us = await _describes_itself(address, identity, pem) is not None
    advice = ""
    if not trusts_us:
        advice = (
            f"This machine does not know this controller yet. Copy {identity_folder / 'certificate.pem'} to it "
            "and start its agent with: shardd run --trust certificate.pem"
        )
    elif not trusted:
        advice = f"Compare the fingerprint with what shardd printed there: {short_fingerprint(fingerprint)}"
    return ProbedAgent(str(address), fingerprint, trusted, trusts_us, advice)


async def fetch_certificate(address: Address, fingerprint: str, identity: Identity) -> tuple[bytes, str]:
    """The certificate with this fingerprint and the agent's name. Raises ShardboardError when it is another's."""
    pem = _certificate(await _probe(address), address)
    if fingerprint_of(pem) != fingerprint:
        raise ShardboardError(
            f"The machine at {address} has another fingerprint than the one you confirmed.", "Look at it again."
        )
    name = await _describes_itself(address, identity, pem)
    if name is None:
        raise ShardboardError(
            f"The agent at {address} does not know this controller yet.",
            "Start it with --trust and this controller's certificate.",
        )
    return pem, name


async def _probe(address: Address) -> ProbeResult:
    return await asyncio.to_thread(probe, address.host, address.port, PROBE_S)


def _certificate(result: ProbeResult, address: Address) -> bytes:
    match result.outcome:
        case ProbeOutcome.CERTIFICATE if result.certificate_der:
            return ssl.DER_cert_to_PEM_cert(result.certificate_der).encode()
        case ProbeOutcome.REFUSED:
            raise ShardboardError(f"Nothing listens at {address}.", "Start the agent there with: shardd run")
        case ProbeOutcome.TIMEOUT | ProbeOutcome.SILENT:
            raise ShardboardError(f"{address} does not answer.", "Is the machine awake, and on the same network?")
        case ProbeOutcome.UNREACHABLE:
            raise ShardboardError(f"There is no way to {address}.", "Check the address and this machine's network.")
        case _:
            raise ShardboardError(f"Another program than shardd answers at {address}.", "Check the port.")


async def _describes_itself(address: Address, identity: Identity, pem: bytes) -> str | None:
    """The agent's name where it trusts us, else None."""
    client = AgentClient("the machine", address, identity, pem)
    try:
        return (await client.describe()).name
    except AgentError:
        return None
    finally:
        await client.close()

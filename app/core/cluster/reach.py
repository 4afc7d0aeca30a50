"""Why another machine cannot be seen: a list of checks that really test something, each with what to do.

own network -> local network permission -> Bonjour -> who announces itself
address typed: name -> subnet -> agent's port -> pairing port -> version
What is found is judged by app.core.cluster.reach_findings; here facts are gathered, and told as they come.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import secrets
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Sequence

import psutil
from zeroconf import InterfaceChoice, ServiceStateChange, Zeroconf
from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

from app.core.cluster.address import Address, parse_address
from app.core.cluster.client import AgentClient, AgentError
from app.core.cluster.pairing import PairingOffer, look
from app.core.cluster.reach_findings import (
    DNS_PORT,
    Finding,
    Network,
    Verdict,
    judge_announced,
    judge_bonjour,
    judge_name,
    judge_networks,
    judge_pairing,
    judge_permission,
    judge_port,
    judge_subnet,
    judge_version,
)
from app.core.errors import SentenceError, ShardboardError
from app.core.snapshot import DiscoveredAgent
from app.core.text import phrase
from shardd.identity import Identity
from shardd.identity.probe import ProbeOutcome, ProbeResult, probe
from shardd.rpc.pairing_wire import pairing_port

MULTICAST = ("224.0.0.251", DNS_PORT)
TEST_TYPE = "_shardd-test._tcp.local."
HEAR_S = 8.0  # registering alone asks three times, a quarter of a second apart (RFC 6762, 8.1)
RESOLVE_S = 5.0
PROBE_S = 3.0


def own_networks() -> tuple[Network, ...]:
    """Addresses of this machine that others may reach, with their networks."""
    up = {name for name, facts in psutil.net_if_stats().items() if facts.isup}
    found: list[Network] = []
    for interface, entries in psutil.net_if_addrs().items():
        for entry in entries:
            if interface not in up or entry.family not in (socket.AF_INET, socket.AF_INET6):
                continue
            prefix = _prefix(entry.netmask)
            try:
                address = ipaddress.ip_interface(f"{entry.address.partition('%')[0]}{prefix}")
            except ValueError:
                continue
            if not address.is_loopback and not (address.version == 6 and address.is_link_local):
                found.append(Network(interface, address))
    return tuple(sorted(found, key=lambda each: (each.address.version, each.address.is_link_local)))


def _prefix(mask: str | None) -> str:
    """psutil says 255.255.255.0 or ffff:ffff::, ipaddress wants a count of bits."""
    if not mask:
        return ""
    try:
        return f"/{bin(int(ipaddress.ip_address(mask.partition('%')[0].partition('/')[0]))).count('1')}"
    except ValueError:
        return ""


def send_to_local_network() -> int | None:
    """Sends one empty multicast DNS question; the error number with which the system refuses, None where it went."""
    question = b"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 1)
        try:
            sender.sendto(question, MULTICAST)
        except OSError as error:
            return error.errno or errno.EIO
    return None


async def hears_itself(interfaces: Sequence[str] | None = None, seconds: float = HEAR_S) -> tuple[bool, str]:
    """Announces a service of a name that nobody has, and listens for it: whether it was heard, and what went wrong."""
    chosen = list(interfaces) if interfaces else InterfaceChoice.Default
    wanted = f"test-{secrets.token_hex(6)}.{TEST_TYPE}"
    heard = asyncio.Event()
    loop = asyncio.get_running_loop()
    speaker: AsyncZeroconf | None = None
    listener: AsyncZeroconf | None = None

    def on_heard(zeroconf: Zeroconf, service_type: str, name: str, state_change: ServiceStateChange) -> None:
        if name == wanted:
            loop.call_soon_threadsafe(heard.set)

    try:
        speaker, listener = AsyncZeroconf(interfaces=chosen), AsyncZeroconf(interfaces=chosen)
        browser = AsyncServiceBrowser(listener.zeroconf, TEST_TYPE, handlers=[on_heard])
        address = ipaddress.ip_address(interfaces[0] if interfaces else "127.0.0.1").packed
        server = f"{wanted.partition('.')[0]}.local."
        info = AsyncServiceInfo(TEST_TYPE, wanted, port=9, addresses=[address], server=server)
        try:
            async with asyncio.timeout(seconds):
                await speaker.async_register_service(info)
                await heard.wait()
        finally:
            await browser.async_cancel()
    except TimeoutError:
        return False, ""
    except Exception as error:  # zeroconf raises many kinds; each means that it does not work
        return False, str(error) or type(error).__name__
    finally:
        for each in (speaker, listener):
            if each is not None:
                await each.async_close()
    return True, ""


async def resolve(host: str) -> tuple[str, ...]:
    """Addresses of a name, none where there are none."""
    try:
        async with asyncio.timeout(RESOLVE_S):
            found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError, TimeoutError):
        return ()
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))


async def check_reach(
    address_text: str,
    identity: Identity,
    *,
    discovered: Sequence[DiscoveredAgent] = (),
    known: Sequence[str] = (),
    discovery_problem: str = "",
    interfaces: Sequence[str] | None = None,
) -> AsyncIterator[Finding]:
    """Each finding as it comes. address_text: of the machine that is missed, "" where it is not known; interfaces: as
    zeroconf takes them, None for the usual ones.

    Raises:
        UsageError: the address is malformed, before anything is tested.
    """
    address = parse_address(address_text) if address_text.strip() else None
    networks = await asyncio.to_thread(own_networks)
    yield judge_networks(networks)
    yield judge_permission(sys.platform, await asyncio.to_thread(send_to_local_network))
    heard, problem = await hears_itself(interfaces)
    yield judge_bonjour(heard, problem or discovery_problem)
    yield judge_announced(discovered, known)
    if address is not None:
        async for finding in _check_address(address, identity, networks, discovered):
            yield finding


async def _check_address(
    address: Address, identity: Identity, networks: Sequence[Network], discovered: Sequence[DiscoveredAgent]
) -> AsyncIterator[Finding]:
    found = await resolve(address.host)
    yield judge_name(address.host, found)
    if not found:
        return
    yield judge_subnet(found[0], networks)
    answer = await asyncio.to_thread(probe, address.host, address.port, PROBE_S)
    yield judge_port(address, answer.outcome)
    if answer.outcome is not ProbeOutcome.CERTIFICATE:
        return
    own = await _described(address, identity, answer)
    if own is not None:
        yield Finding("Pairing", Verdict.GOOD, phrase("{own} knows this controller already: add it.", own=own[0]))
        yield judge_version(*own)
        return
    there = await asyncio.to_thread(probe, address.host, pairing_port(address.port), PROBE_S)
    offer: PairingOffer | None = None
    if there.outcome is ProbeOutcome.CERTIFICATE:
        with contextlib.suppress(ShardboardError):  # it went away in between: then none is shown
            offer = await look(address)
    outdated = offer is not None and not offer.protocol_fits
    yield judge_pairing(address, there.outcome, offer.problem if offer and not outdated else "")
    announced = next((each for each in discovered if each.address == str(address)), None)
    if offer is not None and outdated:
        yield Finding(
            phrase("Agent's version"),
            Verdict.PROBLEM,
            offer.problem,
            phrase("Install the same version on both machines."),
        )
    elif offer is not None:
        yield Finding(
            phrase("Agent's version"),
            Verdict.GOOD,
            phrase("{name} runs a version that works with this app.", name=offer.name),
        )
    else:
        yield judge_version(announced.name if announced else "", announced.version if announced else "", None)


async def _described(address: Address, identity: Identity, answer: ProbeResult) -> tuple[str, str, str] | None:
    """Name, version and protocol of an agent that knows this controller; None of one that does not."""
    if answer.certificate_der is None:
        return None
    pem = ssl.DER_cert_to_PEM_cert(answer.certificate_der).encode()
    client = AgentClient(phrase("the machine"), address, identity, pem)
    try:
        described = await client.describe()
    except (AgentError, SentenceError):
        return None
    finally:
        await client.close()
    return described.name, described.versions.shardd, described.versions.protocol

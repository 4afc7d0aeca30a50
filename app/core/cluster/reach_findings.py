"""What the checks of app.core.cluster.reach found, judged: a verdict, a sentence, and what to do. Pure."""

from __future__ import annotations

import enum
import errno
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

from app.core.cluster.address import Address
from app.core.cluster.versions import protocol_problem
from app.core.snapshot import DiscoveredAgent
from app.core.text import phrase
from shardd.identity.probe import ProbeOutcome
from shardd.rpc.pairing_wire import pairing_port

DNS_PORT = 5353  # multicast DNS, RFC 6762
START_IT = phrase("Start the agent there with: shardd run")
ALLOW = phrase("Open System Settings, Privacy & Security, Local Network, and switch Shardboard (or your terminal) on.")
BY_ADDRESS = phrase("Machines can still be added by address.")


class Verdict(enum.Enum):
    """The value is the word for it."""

    GOOD = phrase("good")
    PROBLEM = phrase("problem")
    NOTE = phrase("note")  # worth knowing, and not the cause
    UNTESTED = phrase("not tested")


@dataclass(frozen=True, slots=True)
class Finding:
    """check: what was looked at.  sentence: what was found.  remedy: what to do, "" where nothing is to be done."""

    check: str
    verdict: Verdict
    sentence: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Network:
    """One address of this machine. address: with its prefix, such as 10.0.0.7/24."""

    interface: str
    address: ipaddress.IPv4Interface | ipaddress.IPv6Interface


def judge_networks(networks: Sequence[Network]) -> Finding:
    """Whether this machine is on any network."""
    check = phrase("This machine's network")
    if not networks:
        remedy = phrase("Join the Wi-Fi or plug in the cable that the other machine uses.")
        return Finding(check, Verdict.PROBLEM, phrase("This machine is on no network."), remedy)
    shown = ", ".join(f"{each.address.ip} ({each.interface})" for each in networks[:4])
    return Finding(check, Verdict.GOOD, phrase("This machine is reachable at {shown}.", shown=shown))


def judge_permission(platform: str, failure: int | None) -> Finding:
    """failure: the error number with which a packet to the local network was refused, None where it went out.

    macOS (15 and later) asks once whether an app may reach the local network; where it may not, the system says that
    there is no way to any local address.
    """
    check = phrase("Permission for the local network")
    refused = failure in (errno.EHOSTUNREACH, errno.EPERM, errno.EACCES)
    if failure is None:
        text = phrase("This app may send to the local network.")
        return Finding(check, Verdict.GOOD, text)
    if platform == "darwin" and refused:
        return Finding(check, Verdict.PROBLEM, phrase("macOS does not let this app reach the local network."), ALLOW)
    if failure in (errno.ENETUNREACH, errno.ENETDOWN, errno.ENODEV, errno.EADDRNOTAVAIL):
        return Finding(
            check,
            Verdict.PROBLEM,
            phrase("Nothing can be sent to the local network: no network takes it."),
            phrase("Join a network."),
        )
    if refused:
        return Finding(
            check,
            Verdict.PROBLEM,
            phrase("The system refuses packets to the local network."),
            phrase("Let this machine's firewall pass UDP port {dns_port} outwards.", dns_port=DNS_PORT),
        )
    return Finding(
        check,
        Verdict.UNTESTED,
        phrase("A packet to the local network could not be sent (error {failure}).", failure=failure),
        BY_ADDRESS,
    )


def judge_bonjour(heard_itself: bool, problem: str) -> Finding:
    """heard_itself: whether an announcement of this machine came back to it. problem: what went wrong in between."""
    check = "Bonjour"
    if problem:
        return Finding(
            check, Verdict.PROBLEM, phrase("Bonjour does not work here: {problem}.", problem=problem), BY_ADDRESS
        )
    if not heard_itself:
        return Finding(
            check,
            Verdict.PROBLEM,
            phrase("This machine does not hear its own announcement."),
            phrase(
                "Let its firewall pass UDP port {dns_port} in both directions. {by_address}",
                dns_port=DNS_PORT,
                by_address=BY_ADDRESS,
            ),
        )
    return Finding(check, Verdict.GOOD, phrase("Announcements go out and come back on this machine."))


def judge_announced(agents: Sequence[DiscoveredAgent], known: Sequence[str]) -> Finding:
    """Who is heard. known: names of machines that are paired already and were heard or connected."""
    check = phrase("Machines that announce themselves")
    if agents:
        names = ", ".join(f"{agent.name} ({agent.address})" for agent in agents)
        return Finding(check, Verdict.GOOD, phrase("Heard: {names}.", names=names))
    others = phrase(" Paired already: {known}.", known=", ".join(known)) if known else ""
    return Finding(
        check,
        Verdict.NOTE,
        phrase("No unpaired agent announces itself on this network.{others}", others=others),
        phrase(
            "{start_it}. If it runs, a router may keep machines on Wi-Fi apart: type its address here.",
            start_it=START_IT,
        ),
    )


def judge_name(host: str, addresses: Sequence[str]) -> Finding:
    """Whether the name that was typed leads anywhere."""
    check = phrase("Its name")
    if not addresses:
        local = phrase(" Names that end in .local work only while Bonjour does.") if host.endswith(".local") else ""
        return Finding(
            check,
            Verdict.PROBLEM,
            phrase("No machine is called {host} here.{local}", host=host, local=local),
            phrase("Look its address up there: System Settings, Network."),
        )
    if addresses[0] == host:
        return Finding(check, Verdict.GOOD, phrase("{host} is an address already.", host=host))
    return Finding(check, Verdict.GOOD, phrase("{host} is {addresses}.", host=host, addresses=addresses[0]))


def judge_subnet(target: str, networks: Sequence[Network]) -> Finding:
    """Whether an address is on a network of this machine: Bonjour does not cross from one to another."""
    check = phrase("Same network")
    ip = ipaddress.ip_address(target.partition("%")[0])
    if ip.is_loopback:
        return Finding(check, Verdict.NOTE, phrase("{target} is this machine itself.", target=target))
    shared = next((each for each in networks if ip in each.address.network), None)
    if shared:
        text = phrase(
            "{target} is on the same network as this machine ({interface}, {network}).",
            target=target,
            interface=shared.interface,
            network=shared.address.network,
        )
        return Finding(check, Verdict.GOOD, text)
    own = ", ".join(str(each.address.network) for each in networks[:3]) or phrase("no network")
    return Finding(
        check,
        Verdict.NOTE,
        phrase("{target} is on another network than this machine ({own}).", target=target, own=own),
        phrase(
            "It is not found by itself there, and can be added by address if a route leads to it. "
            "Joining the same network is faster."
        ),
    )


def judge_port(address: Address, outcome: ProbeOutcome) -> Finding:
    """What answered at the agent's port."""
    check, where = phrase("Agent's port"), phrase("port {port} of {host}", port=address.port, host=address.host)
    match outcome:
        case ProbeOutcome.CERTIFICATE:
            return Finding(check, Verdict.GOOD, phrase("An encrypted service answers at {where}.", where=where))
        case ProbeOutcome.REFUSED:
            text = phrase("{host} is on, and nothing listens at port {port}.", host=address.host, port=address.port)
            return Finding(
                check,
                Verdict.PROBLEM,
                text,
                phrase("{start_it}. If it runs, type the port that it uses.", start_it=START_IT),
            )
        case ProbeOutcome.TIMEOUT:
            return Finding(
                check,
                Verdict.PROBLEM,
                phrase(
                    "Nothing comes back from {where}: the machine is off or asleep, or a firewall drops it.",
                    where=where,
                ),
                phrase(
                    "Wake it. Then let its firewall pass TCP ports {port} and {pairing_port} in (on "
                    "a Mac, System Settings, Network, Firewall, Options: allow incoming connections "
                    "for shardd).",
                    port=address.port,
                    pairing_port=pairing_port(address.port),
                ),
            )
        case ProbeOutcome.SILENT:
            return Finding(
                check,
                Verdict.PROBLEM,
                phrase("{where} takes connections and says nothing.", where=where.capitalize()),
                phrase("Restart shardd there."),
            )
        case ProbeOutcome.UNREACHABLE:
            return Finding(
                check,
                Verdict.PROBLEM,
                phrase("There is no way to {host}.", host=address.host),
                phrase("Check that both machines are on the same network, and the permission above."),
            )
        case ProbeOutcome.NOT_TLS:
            return Finding(
                check,
                Verdict.PROBLEM,
                phrase("Another program answers at {where}.", where=where),
                phrase("Type the port of shardd."),
            )


def judge_pairing(address: Address, outcome: ProbeOutcome, problem: str = "") -> Finding:
    """What answered where codes are exchanged; nothing listens there while no code is shown. problem: why the code
    that was shown does not serve any more."""
    check, port = "Pairing", pairing_port(address.port)
    if problem:
        return Finding(check, Verdict.PROBLEM, problem)
    match outcome:
        case ProbeOutcome.CERTIFICATE:
            return Finding(check, Verdict.GOOD, phrase("A code is shown there just now: pair with it."))
        case ProbeOutcome.REFUSED | ProbeOutcome.NOT_TLS:
            return Finding(
                check,
                Verdict.NOTE,
                phrase("No code is shown there just now."),
                phrase("Show one on that machine with: shardd pair"),
            )
        case _:
            return Finding(
                check,
                Verdict.PROBLEM,
                phrase("Port {port}, where codes are exchanged, does not answer.", port=port),
                phrase("Let its firewall pass TCP port {port} inwards.", port=port),
            )


def judge_version(name: str, version: str, protocol: str | None) -> Finding:
    """protocol: what it speaks; None where only its version is known, and "" where not even that."""
    check = phrase("Agent's version")
    if protocol is None and not version:
        return Finding(
            check,
            Verdict.UNTESTED,
            phrase("It says its version only while it shows a code."),
            phrase("Show one there with: shardd pair"),
        )
    if protocol is None:
        return Finding(check, Verdict.NOTE, phrase("{name} announces version {version}.", name=name, version=version))
    problem = protocol_problem(name, version, protocol)
    if problem:
        return Finding(check, Verdict.PROBLEM, problem, phrase("Install the same version on both machines."))
    return Finding(
        check,
        Verdict.GOOD,
        phrase("{name} runs shardd {version}, which works with this app.", name=name, version=version),
    )

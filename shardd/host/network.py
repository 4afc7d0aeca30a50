"""At which addresses other machines can reach this one."""

import ipaddress
import socket
from collections.abc import Iterable, Mapping

import psutil

MOST_ADDRESSES = 16
"""A machine with more has them from containers; a caller that tries them all would wait too long."""

# Networks inside this machine: containers and virtual machines. macOS counts shared ones from bridge100; its
# bridge0 is the Thunderbolt bridge, a real and fast cable.
_INNER_PREFIXES = ("docker", "br-", "virbr", "vmnet", "vboxnet", "vnic", "bridge1", "cni", "flannel", "podman")


def addresses() -> tuple[str, ...]:
    """Return the addresses to try, the best first: IPv4, IPv6, link-local IPv4, and last what containers use.

    Loopback is given only where there is nothing else. IPv6 link-local addresses are left out: they need the name
    of the *caller's* interface to be of use. IPv4 ones (169.254…) stay: a Thunderbolt cable between two Macs has
    no others.
    """
    up = {name for name, facts in psutil.net_if_stats().items() if facts.isup}
    found = {
        interface: [entry.address for entry in entries if entry.family in (socket.AF_INET, socket.AF_INET6)]
        for interface, entries in psutil.net_if_addrs().items()
        if interface in up
    }
    return order_addresses(found)


def order_addresses(found: Mapping[str, Iterable[str]]) -> tuple[str, ...]:
    """Choose and order the addresses of all interfaces; see `addresses`. Pure."""
    ranked: dict[str, tuple[int, int, str]] = {}
    loopback: list[str] = []
    for interface, entries in found.items():
        for entry in entries:
            try:
                address = ipaddress.ip_address(entry.partition("%")[0])
            except ValueError:
                continue
            text = str(address)
            if address.is_loopback:
                loopback.append(text)
            elif not _is_useless(address):
                ranked.setdefault(text, (_rank(interface, address), address.version, text))
    chosen = sorted(ranked, key=lambda text: ranked[text])[:MOST_ADDRESSES]
    return tuple(chosen or sorted(set(loopback), key=lambda text: (":" in text, text)))


def _is_useless(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    return address.is_unspecified or address.is_multicast or (address.version == 6 and address.is_link_local)


def _rank(interface: str, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> int:
    if interface.startswith(_INNER_PREFIXES):
        return 2
    return 1 if address.is_link_local else 0

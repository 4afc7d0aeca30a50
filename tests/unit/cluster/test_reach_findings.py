"""What each check of "Why can't I see my Mac?" makes of what it finds, as tables."""

from __future__ import annotations

import errno
import ipaddress

import pytest

from app.core.cluster.address import Address
from app.core.cluster.reach import own_networks
from app.core.cluster.reach_findings import (
    ALLOW,
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
from app.core.snapshot import DiscoveredAgent
from shardd.identity.probe import ProbeOutcome
from shardd.rpc.options import PROTOCOL_VERSION

GOOD, PROBLEM, NOTE, UNTESTED = Verdict.GOOD, Verdict.PROBLEM, Verdict.NOTE, Verdict.UNTESTED
WIFI = Network("en0", ipaddress.ip_interface("192.168.1.20/24"))
CABLE = Network("bridge0", ipaddress.ip_interface("169.254.7.7/16"))
SIX = Network("en0", ipaddress.ip_interface("fd00::5/64"))
MINI = Address("mini-1.local", 8101)


def test_networks() -> None:
    assert judge_networks([]).verdict is PROBLEM
    found = judge_networks([WIFI, CABLE])
    assert found.verdict is GOOD and "192.168.1.20 (en0)" in found.sentence


@pytest.mark.parametrize(
    ("platform", "failure", "verdict", "remedy"),
    [
        ("darwin", None, GOOD, ""),
        ("darwin", errno.EHOSTUNREACH, PROBLEM, ALLOW),
        ("darwin", errno.EPERM, PROBLEM, ALLOW),
        ("linux", None, GOOD, ""),
        ("linux", errno.EPERM, PROBLEM, "firewall"),
        ("linux", errno.EACCES, PROBLEM, "firewall"),
        ("darwin", errno.ENETUNREACH, PROBLEM, "Join a network."),
        ("linux", errno.ENETDOWN, PROBLEM, "Join a network."),
        ("linux", errno.ENOBUFS, UNTESTED, "by address"),
    ],
)
def test_permission(platform: str, failure: int | None, verdict: Verdict, remedy: str) -> None:
    found = judge_permission(platform, failure)
    assert found.verdict is verdict and remedy in found.remedy


@pytest.mark.parametrize(
    ("heard", "problem", "verdict"), [(True, "", GOOD), (False, "", PROBLEM), (True, "no such device", PROBLEM)]
)
def test_bonjour(heard: bool, problem: str, verdict: Verdict) -> None:
    found = judge_bonjour(heard, problem)
    assert found.verdict is verdict and problem in found.sentence
    assert bool(found.remedy) is (verdict is PROBLEM)


def test_announced() -> None:
    agent = DiscoveredAgent("mini-1", "192.168.1.7:8101", "ab", "0.1.0")
    assert judge_announced([agent], []).verdict is GOOD
    found = judge_announced([], ["mini-2"])
    assert found.verdict is NOTE and "Paired already: mini-2." in found.sentence and "shardd run" in found.remedy


@pytest.mark.parametrize(
    ("host", "addresses", "verdict", "says"),
    [
        ("mini-1.local", (), PROBLEM, "only while Bonjour does"),
        ("mini-1.example", (), PROBLEM, "No machine is called mini-1.example here."),
        ("mini-1.local", ("192.168.1.7",), GOOD, "mini-1.local is 192.168.1.7."),
        ("192.168.1.7", ("192.168.1.7",), GOOD, "an address already"),
    ],
)
def test_name(host: str, addresses: tuple[str, ...], verdict: Verdict, says: str) -> None:
    found = judge_name(host, addresses)
    assert found.verdict is verdict and says in found.sentence


@pytest.mark.parametrize(
    ("target", "verdict", "says"),
    [
        ("192.168.1.7", GOOD, "en0, 192.168.1.0/24"),
        ("169.254.200.1", GOOD, "bridge0"),
        ("fd00::9", GOOD, "fd00::/64"),
        ("192.168.2.7", NOTE, "another network than this machine (192.168.1.0/24"),
        ("fd01::9", NOTE, "another network"),
        ("fe80::1%en0", NOTE, "another network"),
        ("127.0.0.1", NOTE, "this machine itself"),
        ("::1", NOTE, "this machine itself"),
    ],
)
def test_subnet(target: str, verdict: Verdict, says: str) -> None:
    found = judge_subnet(target, [WIFI, CABLE, SIX])
    assert found.verdict is verdict and says in found.sentence


@pytest.mark.parametrize("outcome", list(ProbeOutcome))
def test_port(outcome: ProbeOutcome) -> None:
    found = judge_port(MINI, outcome)
    assert found.verdict is (GOOD if outcome is ProbeOutcome.CERTIFICATE else PROBLEM)
    assert bool(found.remedy) is (found.verdict is PROBLEM)
    assert "mini-1.local" in found.sentence


def test_a_silent_port_names_both_ports() -> None:
    assert "8101 and 8102" in judge_port(MINI, ProbeOutcome.TIMEOUT).remedy


@pytest.mark.parametrize(
    ("outcome", "problem", "verdict", "says"),
    [
        (ProbeOutcome.CERTIFICATE, "", GOOD, "A code is shown there"),
        (ProbeOutcome.CERTIFICATE, "The code on mini-1 has expired.", PROBLEM, "has expired"),
        (ProbeOutcome.REFUSED, "", NOTE, "No code is shown"),
        (ProbeOutcome.TIMEOUT, "", PROBLEM, "Port 8102"),
        (ProbeOutcome.SILENT, "", PROBLEM, "Port 8102"),
    ],
)
def test_pairing(outcome: ProbeOutcome, problem: str, verdict: Verdict, says: str) -> None:
    found = judge_pairing(MINI, outcome, problem)
    assert found.verdict is verdict and says in found.sentence


@pytest.mark.parametrize(
    ("version", "protocol", "verdict"),
    [("", None, UNTESTED), ("0.1.0", None, NOTE), ("0.1.0", PROTOCOL_VERSION, GOOD), ("0.0.1", "none", PROBLEM)],
)
def test_version(version: str, protocol: str | None, verdict: Verdict) -> None:
    assert judge_version("mini-1", version, protocol).verdict is verdict


def test_own_networks_can_be_judged() -> None:
    for network in own_networks():
        assert not network.address.is_loopback
        assert judge_subnet(str(network.address.ip), [network]).verdict is GOOD

"""Addresses, lost nodes and names, as tables."""

from __future__ import annotations

import pytest

from app.core.cluster.address import Address, parse_address
from app.core.cluster.node import explain_loss
from app.core.cluster.registry import free_name
from app.core.errors import UsageError
from app.core.snapshot import NodeState
from shardd.identity.probe import ProbeOutcome


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("mini-1.local", Address("mini-1.local", 8101)),
        (" 10.0.0.7:9000 ", Address("10.0.0.7", 9000)),
        ("::1", Address("::1", 8101)),
        ("[fe80::1%en0]:9000", Address("fe80::1%en0", 9000)),
    ],
)
def test_addresses(text: str, address: Address) -> None:
    assert parse_address(text) == address
    assert parse_address(str(address)) == address


@pytest.mark.parametrize("text", ["", "a b", "host:", "host:0", "host:70000", "host:٣", "a:b:c", "http://mini"])
def test_what_is_no_address(text: str) -> None:
    if text == "host:":
        assert parse_address(text).port == 8101
        return
    with pytest.raises(UsageError):
        parse_address(text)


@pytest.mark.parametrize(
    ("outcome", "same", "state", "words"),
    [
        (ProbeOutcome.CERTIFICATE, True, NodeState.NOT_PAIRED, "does not know this controller"),
        (ProbeOutcome.CERTIFICATE, False, NodeState.NOT_PAIRED, "Another machine"),
        (ProbeOutcome.REFUSED, False, NodeState.LOST, "shardd is not running there"),
        (ProbeOutcome.TIMEOUT, False, NodeState.LOST, "asleep"),
        (ProbeOutcome.SILENT, False, NodeState.LOST, "frozen"),
        (ProbeOutcome.UNREACHABLE, False, NodeState.LOST, "no way"),
        (ProbeOutcome.NOT_TLS, False, NodeState.LOST, "Another program"),
    ],
)
def test_a_lost_node_is_explained(outcome: ProbeOutcome, same: bool, state: NodeState, words: str) -> None:
    found, text = explain_loss(outcome, same, "mini-1", "10.0.0.7:8101")
    assert found is state and words in text


def test_free_names() -> None:
    assert free_name("mini", []) == "mini"
    assert free_name("mini", ["mini", "mini-2"]) == "mini-3"

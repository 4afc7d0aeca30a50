"""Orders and reports between an agent and its stages."""

from __future__ import annotations

import pytest

from shardd.stage.orders import Connect, Failed, Grant, Place, Reading, Ready, order_from, report_from, to_line


def test_round_trips() -> None:
    for order in (Connect(["10.0.0.1"], 5, "ab", "pem"), Grant("ab", "pem", True), Place(2, 1, 3, 99)):
        assert order_from(to_line(order)) == order
    for report in (Ready(5, 6), Failed("x", False), Reading(1, 2, 3, 4, 5, [1.0, 2.0], [], [], 7)):
        assert report_from(to_line(report)) == report


@pytest.mark.parametrize("line", [b"", b"{}", b"nonsense", b'{"kind": "Ready"}', b'{"kind": "Grant", "token": "a"}'])
def test_what_cannot_be_read(line: bytes) -> None:
    with pytest.raises(ValueError):
        report_from(line)

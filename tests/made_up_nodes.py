"""Machines made by hand, as a snapshot shows them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from app.core.snapshot import NodeState, NodeView

NOTHING_KNOWN = NodeView(
    name="",
    address="192.0.2.7:8101",
    fingerprint="ab" * 32,
    local=False,
    state=NodeState.READY,
    state_text="Ready.",
    chip="",
    os="",
    versions={},
    memory=None,
    swap_used=None,
    cpu_percent=None,
    disk_free=None,
    round_trip_ms=None,
    stage=None,
    shards=(),
    transfer=None,
)


def node(name: str, **known: Any) -> NodeView:
    """One that is ready. known: the fields of NodeView that matter."""
    return replace(NOTHING_KNOWN, name=name, **known)

"""Why a machine does not answer, in words. Pure."""

from __future__ import annotations

from app.core.snapshot import NodeState
from app.core.text import phrase
from shardd.identity.probe import ProbeOutcome


def explain_loss(outcome: ProbeOutcome, same_certificate: bool, name: str, address: str) -> tuple[NodeState, str]:
    """The state and the sentence for a node that does not answer, from what a bare TLS probe of its address found."""
    match outcome:
        case ProbeOutcome.CERTIFICATE if same_certificate:
            return NodeState.NOT_PAIRED, phrase(
                "{name} runs, but does not know this controller any more. Pair it again.", name=name
            )
        case ProbeOutcome.CERTIFICATE:
            return (
                NodeState.NOT_PAIRED,
                phrase(
                    "Another machine than {name} answers at {address}. Forget {name} and add it again.",
                    name=name,
                    address=address,
                ),
            )
        case ProbeOutcome.REFUSED:
            return NodeState.LOST, phrase(
                "{name} is on, but shardd is not running there. Start it with: shardd run", name=name
            )
        case ProbeOutcome.TIMEOUT:
            return NodeState.LOST, phrase(
                "{name} does not answer at {address}. It may be asleep, off or on another network: "
                "wake it, or look at its network.",
                name=name,
                address=address,
            )
        case ProbeOutcome.SILENT:
            return NodeState.LOST, phrase("shardd on {name} is frozen. Restart it there.", name=name)
        case ProbeOutcome.UNREACHABLE:
            return (
                NodeState.LOST,
                phrase(
                    "There is no way to {address}. Check this machine's network and the address of {name}.",
                    address=address,
                    name=name,
                ),
            )
        case ProbeOutcome.NOT_TLS:
            return NodeState.LOST, phrase(
                "Another program than shardd answers at {address}. Check the port of {name}.",
                address=address,
                name=name,
            )

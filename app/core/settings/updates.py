"""What can be said of newer versions without asking anybody outside: this build knows no address to ask. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from app.core.snapshot import NodeView
from app.core.text import phrase

NO_ADDRESS = phrase(
    "This build has no address where newer releases could be looked up, so none was asked. Get a "
    "newer release where you got this one."
)


def version_report(own: str, nodes: Sequence[NodeView]) -> tuple[str, ...]:
    """What asking for updates can answer: how the machines' versions stand to this app's, and that no more is known."""
    told = [(node.name, node.versions.get("shardd", "")) for node in nodes]
    others = [
        phrase("{name} runs shardd {version}", name=name, version=version)
        for name, version in told
        if version and version != own
    ]
    silent = [name for name, version in told if not version]
    lines: list[str] = []
    if others:
        lines.append(
            phrase(
                "This is Shardboard {own}; {others}. Install the same version on all machines.",
                own=own,
                others=", ".join(others),
            )
        )
    elif told and not silent:
        lines.append(phrase("This is Shardboard {own}, and every machine runs the same version.", own=own))
    else:
        lines.append(phrase("This is Shardboard {own}.", own=own))
    if silent:
        lines.append(phrase("Not heard from: {silent}.", silent=", ".join(silent)))
    return (*lines, NO_ADDRESS)

"""The nodes that this controller knows, on disk: names and addresses in one file, pinned certificates beside it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from app.core.cluster.node import KnownNode
from app.core.paths import ControllerPaths
from shardd.host import atomic_write
from shardd.identity import TrustedPeers


class NodeRegistry:
    def __init__(self, paths: ControllerPaths) -> None:
        self._file = paths.nodes
        self._peers = TrustedPeers(paths.peers)

    def all(self) -> tuple[KnownNode, ...]:
        """In the order in which they were added. A node whose certificate is missing is left out."""
        try:
            entries: list[dict[str, Any]] = json.loads(self._file.read_bytes())["nodes"]
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return ()
        nodes: list[KnownNode] = []
        for entry in entries:
            peer = self._peers.get(str(entry.get("fingerprint", "")))
            if peer is not None:
                nodes.append(KnownNode(str(entry["name"]), str(entry["address"]), peer.pem))
        return tuple(nodes)

    def add(self, node: KnownNode) -> KnownNode:
        """Pins the certificate; a name that is taken gets a number. Answers the node as it is kept."""
        others = tuple(known for known in self.all() if known.fingerprint != node.fingerprint)
        named = replace(node, name=free_name(node.name, [known.name for known in others]))
        self._peers.add(node.certificate_pem, named.name, "agent")
        self._write([*others, named])
        return named

    def remove(self, name: str) -> None:
        for node in self.all():
            if node.name == name:
                self._peers.remove(node.fingerprint)
        self._write([node for node in self.all() if node.name != name])

    def _write(self, nodes: Sequence[KnownNode]) -> None:
        entries = [{"name": n.name, "address": n.address, "fingerprint": n.fingerprint} for n in nodes]
        atomic_write(self._file, json.dumps({"nodes": entries}, indent=1).encode())


def free_name(name: str, taken: Sequence[str]) -> str:
    """name, or name-2, name-3 … where it is taken."""
    number, candidate = 1, name
    while candidate in taken:
        number += 1
        candidate = f"{name}-{number}"
    return candidate

"""The nodes that this controller knows, on disk: names and addresses in one file, pinned certificates beside it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from app.core.cluster.node import KnownNode
from app.core.errors import ShardboardError
from app.core.paths import ControllerPaths
from app.core.text import phrase
from shardd.host import atomic_write
from shardd.identity import IdentityError, TrustedPeers, fingerprint_of


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
                coming = next((each.pem for each in self._peers.all() if each.follows == peer.fingerprint), b"")
                nodes.append(KnownNode(str(entry["name"]), str(entry["address"]), peer.pem, next_pem=coming))
        return tuple(nodes)

    def expect(self, node: KnownNode, certificate_pem: bytes) -> KnownNode:
        """Pins the certificate that a node announced, beside its present one. Raises IdentityError."""
        fingerprint = fingerprint_of(certificate_pem)
        pinned = self._peers.get(fingerprint)
        if pinned is not None and pinned.follows != node.fingerprint:
            raise IdentityError(
                phrase("{name} announces the certificate of another machine.", name=node.name), phrase("Pair it again.")
            )
        for each in self._peers.all():
            if each.follows == node.fingerprint and each.fingerprint != fingerprint:
                self._peers.remove(each.fingerprint)
        self._peers.add(certificate_pem, node.name, "agent", follows=node.fingerprint)
        return replace(node, next_pem=certificate_pem)

    def advance(self, node: KnownNode) -> KnownNode:
        """The node shows the certificate that it announced: it takes the former one's place. Raises IdentityError."""
        changed = replace(node, certificate_pem=node.next_pem, next_pem=b"")
        self._peers.add(changed.certificate_pem, node.name, "agent")
        self._write([changed if known.name == node.name else known for known in self.all()])
        self._peers.remove(node.fingerprint)
        return changed

    def add(self, node: KnownNode) -> KnownNode:
        """Pins the certificate; a name that is taken gets a number. Answers the node as it is kept."""
        others = tuple(known for known in self.all() if known.fingerprint != node.fingerprint)
        named = replace(node, name=free_name(node.name, [known.name for known in others]))
        self._peers.add(node.certificate_pem, named.name, "agent")
        self._write([*others, named])
        return named

    def move(self, node: KnownNode) -> None:
        """It is at another address from now on. One that was never added is not kept."""
        self._write(
            [replace(known, address=node.address) if known.name == node.name else known for known in self.all()]
        )

    def remove(self, name: str) -> None:
        for node in self.all():
            if node.name == name:
                self._peers.remove(node.fingerprint)
        with contextlib.suppress(ShardboardError):  # what has no certificate is left out all the same
            self._write([node for node in self.all() if node.name != name])

    def _write(self, nodes: Sequence[KnownNode]) -> None:
        entries = [{"name": n.name, "address": n.address, "fingerprint": n.fingerprint} for n in nodes]
        try:
            atomic_write(self._file, json.dumps({"nodes": entries}, indent=1).encode())
        except OSError as error:
            raise not_written(self._file, error) from error


def not_written(file: Path, error: OSError) -> ShardboardError:
    """What is durable could not be made so, in a sentence."""
    return ShardboardError(
        phrase("{file} could not be written: {cause}.", file=file, cause=error.strerror or error),
        phrase("Check the free space on its disk and the folder's permissions."),
    )


def free_name(name: str, taken: Sequence[str]) -> str:
    """name, or name-2, name-3 … where it is taken."""
    number, candidate = 1, name
    while candidate in taken:
        number += 1
        candidate = f"{name}-{number}"
    return candidate

"""Which agents can work with this controller, and what the others are told."""

from __future__ import annotations

import pytest

from app.core.cluster.node import version_problem
from shardd.rpc import agent_pb2
from shardd.rpc.options import PROTOCOL_VERSION


@pytest.mark.parametrize(
    ("protocol", "mlx_lm", "words"),
    [
        (PROTOCOL_VERSION, "0.32.2", None),
        ("", "0.32.2", "runs shardd 0.9 with protocol unknown"),
        ("0", "0.32.2", f"needs protocol {PROTOCOL_VERSION}. Install the same version on both."),
        (
            PROTOCOL_VERSION,
            "0.31.0",
            "mini runs mlx-lm 0.31.0, this app mlx-lm 0.32.2. Install the same version on both.",
        ),
        (PROTOCOL_VERSION, "", "mini runs mlx-lm unknown"),
    ],
)
def test_versions_are_named(protocol: str, mlx_lm: str, words: str | None) -> None:
    versions = agent_pb2.Versions(shardd="0.9", protocol=protocol, mlx_lm=mlx_lm)
    problem = version_problem(agent_pb2.Description(name="mini", versions=versions), "0.32.2")
    assert problem is None if words is None else problem is not None and words in problem

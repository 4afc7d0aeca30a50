"""Which agents can work with this controller, and what a person is told of the others."""

from __future__ import annotations

import pytest

import shardd
from app.core.cluster.versions import protocol_problem, version_problem
from shardd.rpc import agent_pb2
from shardd.rpc.options import PROTOCOL_VERSION

OURS, NEWER = shardd.__version__, str(int(PROTOCOL_VERSION) + 1)


@pytest.mark.parametrize(
    ("version", "protocol", "said"),
    [
        (OURS, PROTOCOL_VERSION, ""),
        ("0.0.9", PROTOCOL_VERSION, ""),  # what they say to each other is the same
        ("0.0.1", "1", f"mini-2 runs 0.0.1, this app needs {OURS}: update it."),
        ("0.0.1", "", f"mini-2 runs 0.0.1, this app needs {OURS}: update it."),
        ("", "", f"mini-2 runs an unknown version, this app needs {OURS}: update it."),
        ("9.0", NEWER, f"mini-2 runs 9.0, this app is {OURS}: update this app."),
        ("0.0.1", "²", f"mini-2 runs 0.0.1, this app needs {OURS}: update it."),
        ("0.0.1", "9" * 5000, f"mini-2 runs 0.0.1, this app needs {OURS}: update it."),
        (
            OURS,
            "none",
            f"mini-2 speaks protocol none, this app needs {PROTOCOL_VERSION}: install the same build on both.",
        ),
    ],
)
def test_the_version_and_what_to_update_are_named(version: str, protocol: str, said: str) -> None:
    assert protocol_problem("mini-2", version, protocol) == said


@pytest.mark.parametrize(
    ("protocol", "mlx_lm", "said"),
    [
        (PROTOCOL_VERSION, "0.32.2", ""),
        ("0", "0.32.2", f"mini runs 0.0.9, this app needs {OURS}: update it."),
        ("0", "", f"mini runs 0.0.9, this app needs {OURS}: update it."),
        (
            PROTOCOL_VERSION,
            "0.31.0",
            "mini runs mlx-lm 0.31.0, this app mlx-lm 0.32.2. Install the same version on both.",
        ),
        (
            PROTOCOL_VERSION,
            "",
            "mini runs mlx-lm unknown, this app mlx-lm 0.32.2. Install the same version on both.",
        ),
    ],
)
def test_of_a_paired_agent_also_what_it_computes_with(protocol: str, mlx_lm: str, said: str) -> None:
    versions = agent_pb2.Versions(shardd="0.0.9", protocol=protocol, mlx_lm=mlx_lm)
    assert version_problem(agent_pb2.Description(name="mini", versions=versions), "0.32.2") == said

"""Which agents can work with this controller, and what a person is told of the others. Pure.

All or nothing: an agent of another protocol is not half used.
"""

from __future__ import annotations

from importlib.metadata import version as version_of

import shardd
from app.core.text import phrase
from shardd.rpc import agent_pb2
from shardd.rpc.options import PROTOCOL_VERSION


def protocol_problem(name: str, version: str, protocol: str) -> str:
    """Why an agent that runs this version cannot be used, and which side is to be updated; or ""."""
    if protocol == PROTOCOL_VERSION:
        return ""
    ours = shardd.__version__
    if version == ours:  # two builds of one version
        return phrase(
            "{name} speaks protocol {protocol}, this app needs {protocol_version}: install the same build on both.",
            name=name,
            protocol=protocol or phrase("unknown"),
            protocol_version=PROTOCOL_VERSION,
        )
    runs = version or phrase("an unknown version")
    if _number(protocol) > _number(PROTOCOL_VERSION):
        return phrase("{name} runs {version}, this app is {ours}: update this app.", name=name, version=runs, ours=ours)
    return phrase("{name} runs {version}, this app needs {ours}: update it.", name=name, version=runs, ours=ours)


def version_problem(description: agent_pb2.Description, mlx_lm: str | None = None) -> str:
    """As protocol_problem, of an agent that is paired, which says more of itself. mlx_lm: this controller's version."""
    theirs = description.versions
    if problem := protocol_problem(description.name, theirs.shardd, theirs.protocol):
        return problem
    ours = mlx_lm or version_of("mlx-lm")
    if theirs.mlx_lm == ours:
        return ""
    # What a layer computes must be the same wherever it is placed.
    return phrase(
        "{name} runs mlx-lm {mlx_lm}, this app mlx-lm {ours}. Install the same version on both.",
        name=description.name,
        mlx_lm=theirs.mlx_lm or phrase("unknown"),
        ours=ours,
    )


def _number(protocol: str) -> int:
    """0 where it is none: it comes from the network."""
    return int(protocol) if protocol.isascii() and protocol.isdigit() and len(protocol) < 10 else 0

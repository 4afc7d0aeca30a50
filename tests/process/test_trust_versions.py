"""An agent of another version is named as such, and not half used."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import shardd
from app.core.cluster.address import parse_address
from app.core.cluster.pairing import look, pair
from app.core.controller import Controller
from app.core.errors import SentenceError
from app.core.library.models import BUILT_IN
from app.core.paths import controller_paths
from app.core.snapshot import NodeState
from shardd.identity import load_or_create_identity
from tests.agents import Agent, shown_code
from tests.clusters import deploy_evenly
from tests.process.conftest import eventually

# The agent as it would be, had it been built earlier: before anything has read these two.
EARLIER = """
import sys, shardd, shardd.rpc.options
shardd.__version__, shardd.rpc.options.PROTOCOL_VERSION = "0.0.2", "1"
from shardd.main import main
sys.exit(main(sys.argv[1:]))
"""


class EarlierAgent(Agent):
    command = (sys.executable, "-c", EARLIER)


@pytest.fixture
def earlier(tmp_path: Path) -> Iterator[Callable[..., Agent]]:
    started: list[Agent] = []

    def start(*arguments: str) -> Agent:
        started.append(EarlierAgent(tmp_path / "earlier", *arguments, name="mini-2"))
        return started[-1]

    yield start
    for each in started:
        each.stop()


async def test_an_earlier_agent_is_told_to_be_updated(earlier: Any, tmp_path: Path) -> None:
    told = f"mini-2 runs 0.0.2, this app needs {shardd.__version__}: update it."
    paths = controller_paths(tmp_path / "controller")
    identity = load_or_create_identity(paths.identity, "controller")
    running = earlier("--trust", str(paths.identity / "certificate.pem"))
    code = shown_code(running)
    address = parse_address(running.address)
    offer = await look(address)
    assert (offer.problem, offer.protocol_fits) == (told, False)
    with pytest.raises(SentenceError) as refused:
        await pair(address, code, identity, "studio")
    assert str(refused.value) == told
    assert (await look(address)).tries_left == offer.tries_left  # it cost no try

    controller = Controller(paths, discover=False)
    try:
        await controller.start()
        await controller.add_node(running.address, running.ready["fingerprint"])
        await eventually(lambda: controller.snapshot().nodes[0].state is NodeState.INCOMPATIBLE, 60)
        assert controller.snapshot().nodes[0].state_text == told
        await controller.choose_model(BUILT_IN)
        with pytest.raises(SentenceError, match=re.escape(told)):
            await deploy_evenly(controller)
    finally:
        await controller.close()
    status = subprocess.run(
        [sys.executable, "-m", "shardd.main", "status", "--json", "--data", str(running.data)],
        capture_output=True,
        check=True,
    )
    assert json.loads(status.stdout)["shards"] == []  # nothing was sent to it

"""The user's own agents, which go on when a command ends: deploy, look, generate, undeploy, one by one."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from app.core.controller import Controller
from app.core.library.models import BUILT_IN
from app.core.paths import controller_paths
from tests.agents import Agent, shardd, stop_all
from tests.process.conftest import shardboard
from tests.process.test_command_line import folders, ours


async def test_deploy_status_generate_undeploy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHARDBOARD_DATA", str(tmp_path / "controller"))
    paths = controller_paths()
    controller = Controller(paths, discover=False)
    agents: list[Agent] = []
    try:
        for number in (1, 2):
            trust = "--trust", str(paths.identity / "certificate.pem")
            agents.append(Agent(tmp_path / f"mini-{number}", *trust, name=f"mini-{number}"))
            await controller.add_node(agents[-1].address, agents[-1].ready["fingerprint"])
        await controller.close()

        assert shardboard("generate", "-p", "Hello!").code == 1  # nothing is deployed
        deployed = shardboard("deploy", BUILT_IN, "--place", "mini-2=0-4,mini-1=5-11", "--context", "512", "--json")
        assert deployed.code == 0, deployed.err
        status = shardboard("status", "--json").json
        assert status["deployment"]["stages"] == [
            {"node": "mini-2", "layers": [0, 4]},
            {"node": "mini-1", "layers": [5, 11]},
        ]
        assert all(node["memory"]["total"] > 0 for node in status["nodes"])
        nodes = shardboard("nodes", "--json").json["nodes"]
        assert [node["stage"]["state"] for node in nodes] == ["ready", "ready"]
        answer = shardboard("generate", "-p", "What is a shard?", "--json")
        assert answer.code == 0, answer.err
        assert [stage["node"] for stage in answer.json["stages"]] == ["mini-2", "mini-1"]
        wrong = shardboard("generate", "--model", "another", "-p", "Hello!")
        assert wrong.code == 1 and "shardboard-tiny is deployed, not another" in wrong.err

        # On another placement while it runs, with a second copy of every unit.
        again = shardboard("deploy", BUILT_IN, "--context", "512", "--spare", "--json")
        assert again.code == 0, again.err
        assert again.json["spares"]["text"] == "Every layer has a second copy on another machine's disk."
        assert shardboard("undeploy").code == 0
        assert shardboard("status", "--json").json["deployment"] is None
        kept = shardd("status", "--data", str(tmp_path / "mini-1"), "--json")
        assert json.loads(kept.stdout)["shards"], "shards stay on disk"
    finally:
        stop_all(agents)
        await controller.close()


@pytest.mark.in_turn
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_window_leaves_nothing_behind(number: signal.Signals, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    processes, temporary = ours(), folders()
    window = subprocess.Popen(
        [sys.executable, "-m", "app.cli.main", "demo"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    try:
        while sum("shardd.stage" in line for line in _command_lines(psutil.Process(window.pid))) < 3:
            assert window.poll() is None, window.communicate()[1].decode()
        window.send_signal(number)
        _, said = window.communicate(timeout=100)
    finally:
        window.terminate()
        window.communicate(timeout=100)
    assert window.returncode == 0, said.decode()
    assert ours() == processes
    assert folders() == temporary


def _command_lines(process: psutil.Process) -> list[str]:
    """Of the children that are there long enough to be looked at."""
    found: list[str] = []
    for child in process.children(recursive=True):
        with contextlib.suppress(psutil.Error):
            found.append(" ".join(child.cmdline()))
    return found

"""Several controllers of one agent, and new keys while everything runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from app.core.cluster.client import AgentClient, AgentError
from app.core.controller import Controller
from app.core.errors import SentenceError, ShardboardError
from app.core.library.models import BUILT_IN
from app.core.paths import controller_paths
from app.core.placement.placement import even_split
from app.core.snapshot import NodeState
from shardd.identity import TrustedPeers, load_or_create_identity
from shardd.rpc import agent_pb2
from tests.agents import Agent, shardd
from tests.clusters import ask, deploy_evenly
from tests.process.conftest import chat, eventually


@asynccontextmanager
async def two_controllers(start: Callable[..., Agent], tmp_path: Path) -> AsyncIterator[tuple[Controller, Controller]]:
    """Both know one agent."""
    controllers = []
    for name in ("studio", "laptop"):
        load_or_create_identity(tmp_path / name / "identity", "controller")
        (tmp_path / f"{name}.pem").write_bytes((tmp_path / name / "identity" / "certificate.pem").read_bytes())
        controllers.append(Controller(controller_paths(tmp_path / name), discover=False))
    running = start("--trust", str(tmp_path / "studio.pem"), "--trust", str(tmp_path / "laptop.pem"))
    try:
        for controller in controllers:
            await controller.start()
            await controller.add_node(running.address, running.ready["fingerprint"])
            await controller.wait_ready()
            await controller.choose_model(BUILT_IN)
        yield controllers[0], controllers[1]
    finally:
        for controller in controllers:
            await controller.close()


@pytest.mark.in_turn
async def test_one_controller_deploys_and_the_other_is_told_who(agent: Any, tmp_path: Path) -> None:
    async with two_controllers(agent, tmp_path) as (studio, laptop):
        await deploy_evenly(studio)
        # It is told before anything is sent, and on the board too.
        model = laptop.snapshot().model
        assert model is not None
        placement = even_split(("mini-7",), model.inventory.layer_count)
        told = "studio has a model deployed on mini-7. Undeploy it there first."
        await eventually(lambda: [each.sentence for each in laptop.check(placement, 256)] == [told])
        with pytest.raises(SentenceError, match=told):
            await deploy_evenly(laptop)
        (stage,) = (await laptop.nodes["mini-7"].client.list_stages()).stages
        client = laptop.nodes["mini-7"].client
        wanted = agent_pb2.LoadStageRequest(shard_id=stage.shard_id, stage_count=1, context_tokens=256)
        with pytest.raises(AgentError, match="studio has a model deployed on this machine"):
            await anext(aiter(client.load_stage(wanted)))
        for attempt in (
            client.grant_lane(stage.stage_id),
            client.unload_stage(stage.stage_id),
            client.connect_stage(agent_pb2.ConnectStageRequest(stage_id=stage.stage_id)),
        ):
            with pytest.raises(AgentError, match="studio deployed this stage"):
                await attempt
        assert (await ask(studio, chat("Hello"))).finish_reason in ("stop", "length")
        # Once studio is unpaired, the machine is free for laptop.
        await studio.nodes["mini-7"].client.unpair()
        await eventually(lambda: not laptop.nodes["mini-7"].stages)
        await deploy_evenly(laptop)
        assert (await ask(laptop, chat("Hello"))).finish_reason in ("stop", "length")


# -- new keys --------------------------------------------------------------------------------------------------------


@pytest.mark.in_turn
async def test_an_agent_changes_its_key(agent: Any, tmp_path: Path) -> None:
    async with two_controllers(agent, tmp_path) as (studio, laptop):
        states: set[NodeState] = set()
        stop = studio.subscribe(lambda snapshot: states.update(node.state for node in snapshot.nodes))
        await deploy_evenly(studio)
        before = studio.nodes["mini-7"].known.fingerprint
        folder = next(tmp_path.glob("agent-*"))
        done = await asyncio.to_thread(shardd, "rotate", "--data", str(folder))
        assert done.returncode == 0 and "takes the old one's place" in done.stdout, done.stderr
        await eventually(lambda: all(c.nodes["mini-7"].known.next_pem for c in (studio, laptop)))
        assert studio.nodes["mini-7"].known.fingerprint == before  # while a stage stands on it
        assert (await ask(studio, chat("Hello"))).finish_reason in ("stop", "length")
        await studio.undeploy()
        await eventually(lambda: all(c.nodes["mini-7"].known.fingerprint != before for c in (studio, laptop)))
        after = load_or_create_identity(folder / "identity", "").fingerprint
        assert {c.nodes["mini-7"].known.fingerprint for c in (studio, laptop)} == {after}
        assert states <= {NodeState.READY, NodeState.CONNECTING}, states
        stop()
        # A new deployment and a new connection stand on the new key.
        await deploy_evenly(studio)
        assert (await ask(studio, chat("Hello"))).finish_reason in ("stop", "length")
        fresh = Controller(controller_paths(tmp_path / "laptop"), discover=False)
        await fresh.start()
        await fresh.wait_ready()
        await fresh.close()


@pytest.mark.in_turn
async def test_a_controller_changes_its_key_under_a_deployment(agent: Any, tmp_path: Path) -> None:
    async with two_controllers(agent, tmp_path) as (studio, laptop):
        await deploy_evenly(studio)
        former = studio.identity
        states: set[NodeState] = set()
        stop = studio.subscribe(lambda snapshot: states.update(node.state for node in snapshot.nodes))
        await studio.rotate_key()
        stop()
        assert states <= {NodeState.READY} and studio.identity.fingerprint != former.fingerprint
        assert (await ask(studio, chat("Hello"))).finish_reason in ("stop", "length")
        pinned = {peer.fingerprint for peer in TrustedPeers(next(tmp_path.glob("agent-*")) / "peers").all()}
        assert pinned == {studio.identity.fingerprint, laptop.identity.fingerprint}
        # The old key opens nothing any more; the stage is the new one's.
        node = studio.nodes["mini-7"]
        old = AgentClient("mini-7", node.address, former, node.known.certificate_pem)
        with pytest.raises(AgentError):
            await old.describe()
        await old.close()
        await studio.restart_stage("mini-7")
        assert (await ask(studio, chat("Hello"))).finish_reason in ("stop", "length")
        await studio.undeploy()


async def test_a_key_is_not_changed_when_a_machine_cannot_learn_it(agent: Any, tmp_path: Path) -> None:
    async with two_controllers(agent, tmp_path) as (studio, _):
        former = studio.identity
        studio.nodes["mini-7"].state = NodeState.LOST
        with pytest.raises(ShardboardError, match="Every paired machine must learn the new key"):
            await studio.rotate_key()
        assert studio.identity == former
        studio.nodes["mini-7"].state = NodeState.READY

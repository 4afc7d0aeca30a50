"""Events of a machine come on a connection of their own: what they tell may be long known, or come long after."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from app.core.cluster.client import AgentClient
from app.core.controller import Controller
from app.core.generation.request import GenerationRequest
from app.core.library.models import built_in_model
from app.core.placement.placement import parse_placement
from app.core.snapshot import DeploymentState
from shardd.rpc import agent_pb2
from tests.clusters import ask
from tests.process.conftest import Opener, eventually

STORY = GenerationRequest(prompt="Once", max_tokens=8, ignore_end=True)


def loaded(controller: Controller) -> set[str]:
    return {stage_id for node in controller.nodes.values() for stage_id in node.stages}


def deployed(controller: Controller) -> set[str]:
    return {stage.stage_id for stage in controller.deployment.stages} if controller.deployment else set()


async def test_a_model_is_deployed_again_before_the_machines_have_told_that_it_was_unloaded(
    cluster: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    flowing, watch = asyncio.Event(), AgentClient.watch_stages
    flowing.set()

    async def late(self: AgentClient) -> AsyncIterator[agent_pb2.StageEvent]:
        async for event in watch(self):
            await flowing.wait()
            yield event

    monkeypatch.setattr(AgentClient, "watch_stages", late)
    async with cluster(built_in_model(), 3) as controller:
        written = (await ask(controller, STORY)).token_ids
        one = parse_placement("local-1=0-11", tuple(controller.nodes), 12)
        for placement in (controller.snapshot().deployment.placement, one):
            assert placement is not None
            flowing.clear()
            await controller.undeploy()
            await controller.deploy(placement, 512)
            assert (await ask(controller, STORY)).token_ids == written
            flowing.set()
            await eventually(lambda: loaded(controller) == deployed(controller))
            assert controller.snapshot().deployment.state is DeploymentState.READY

"""Second copies on other disks: after a machine is lost nothing has to travel before its layers run again."""

from __future__ import annotations

import os
import signal

import pytest

from app.core.cluster.client import AgentError
from app.core.controller import Controller
from app.core.generation.request import GenerationRequest
from app.core.library.models import built_in_model
from app.core.placement.placement import parse_placement
from shardd.stage.orders import PipelineOptions
from tests.clusters import ask
from tests.process.conftest import Opener, eventually
from tests.process.test_recovery import agent_id, hurt

SLOW = PipelineOptions(layer_delay_ms=2.0)
STORY = GenerationRequest(prompt="Once", max_tokens=60, ignore_end=True)


def kept(controller: Controller) -> dict[str, list[tuple[int, int]]]:
    """Ranges that are spares, by node, as the nodes say it."""
    return {
        name: sorted((shard.first, shard.last) for shard in node.shards if shard.spare)
        for name, node in controller.nodes.items()
    }


@pytest.mark.in_turn
async def test_a_loss_needs_no_transfer(cluster: Opener) -> None:
    async with cluster(built_in_model(), 3, options=SLOW) as controller:
        plain = await ask(controller, STORY)
        await controller.deploy(parse_placement("0-3,4-7,8-11", tuple(controller.nodes), 12), 512, spares=True)
        await controller.spares_settled()
        view = controller.snapshot().spares
        assert view.text == "Every layer has a second copy on another machine's disk."
        assert [(each.first, each.last, each.there) for each in view.spares] == [
            (0, 3, True),
            (4, 7, True),
            (8, 11, True),
        ]
        assert all(each.node != each.runs_on for each in view.spares)
        assert sorted(range_ for ranges in kept(controller).values() for range_ in ranges) == [(0, 3), (4, 7), (8, 11)]
        assert len({each.node for each in view.spares}) > 1, "balanced over the disks"
        copies = controller._spares.transfers
        assert sum(each.sent_bytes for each in copies) == 0, "from machine to machine"
        assert sum(each.fetched_bytes for each in copies) > 0
        holder = controller.nodes[view.spares[1].node]
        spare = next(shard for shard in holder.shards if shard.spare)
        with pytest.raises(AgentError, match="kept as a spare"):
            await holder.client.delete_shard(spare.shard_id)

        killed = agent_id(controller, "local-2")
        result, _ = await hurt(controller, STORY, 10, lambda: os.kill(killed, signal.SIGKILL))
        assert result.token_ids == plain.token_ids
        deployment = controller.deployment
        assert deployment is not None and deployment.placement.nodes == ("local-1", "local-3")
        assert deployment.sent_bytes == deployment.fetched_bytes == 0
        assert f"moved to {view.spares[1].node}" in result.events[-1].message

        await eventually(
            lambda: {each.runs_on for each in controller.snapshot().spares.spares} == {"local-1", "local-3"}
        )
        await controller.spares_settled()  # of what runs now, on the machines that are left
        assert all(each.there for each in controller.snapshot().spares.spares)
        await controller.undeploy()
        await eventually(lambda: not any(kept(controller)[name] for name in ("local-1", "local-3")))
        assert not controller.snapshot().spares.wanted

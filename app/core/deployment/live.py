"""Finding a deployment that already runs on the nodes. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields

from app.core.cluster.node import Node
from app.core.deployment.deployment import Deployment, LiveStage
from app.core.errors import ShardboardError
from app.core.placement.placement import Placement, StageRange
from shardd.rpc import agent_pb2
from shardd.stage.orders import PipelineOptions


def stages_of(nodes: Mapping[str, Node], fingerprint: str) -> tuple[LiveStage, ...]:
    """Every stage on these nodes that the controller with this fingerprint deployed, in whatever state."""
    return tuple(
        LiveStage(name, stage.stage_id, stage.first, stage.last, stage.lane_port)
        for name, node in nodes.items()
        for stage in node.stages.values()
        if stage.deployed_by == fingerprint
    )


def options_from(message: agent_pb2.PipelineOptions) -> PipelineOptions:
    return PipelineOptions(**{each.name: getattr(message, each.name) for each in fields(PipelineOptions)})


def find_live(nodes: Mapping[str, Node], fingerprint: str) -> Deployment:
    """The newest whole deployment of the controller with this fingerprint. Raises ShardboardError."""
    by_epoch: dict[int, list[tuple[str, agent_pb2.Stage]]] = {}
    for name, node in nodes.items():
        for stage in node.stages.values():
            if stage.deployed_by == fingerprint and stage.state == agent_pb2.STAGE_STATE_READY:
                by_epoch.setdefault(stage.epoch, []).append((name, stage))
    whole = [epoch for epoch, stages in by_epoch.items() if len(stages) == stages[0][1].stage_count]
    if not whole:
        raise ShardboardError(
            "No model is deployed.", "Deploy one with: shardboard deploy MODEL, or use --local 3 for temporary agents."
        )
    epoch = max(whole)
    placed = sorted(by_epoch[epoch], key=lambda each: each[1].stage_index)
    stages = tuple(
        LiveStage(name, s.stage_id, s.first, s.last, s.lane_port, s.batchable, s.shard_id) for name, s in placed
    )
    placement = Placement(stages[-1].last + 1, tuple(StageRange(s.node, s.first, s.last) for s in stages))
    first = placed[0][1]
    return Deployment(
        epoch,
        first.model,
        placement,
        first.context_tokens,
        stages,
        options=options_from(first.options),
        prefill_chunk_tokens=first.prefill_chunk_tokens,
        draft=first.draft,
    )

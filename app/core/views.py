"""From what nodes and deployments are to what is shown. Pure."""

from __future__ import annotations

from app.core.cluster.node import Node
from app.core.deployment.deployment import Deployment
from app.core.snapshot import DeploymentState, DeploymentView, MemoryView, NodeView, SpreadView, StageView
from app.core.text import phrase
from shardd.host import format_bytes
from shardd.rpc import agent_pb2

_STATES = {
    agent_pb2.STAGE_STATE_LOADING: "loading",
    agent_pb2.STAGE_STATE_READY: "ready",
    agent_pb2.STAGE_STATE_FAILED: "failed",
}


def node_view(node: Node) -> NodeView:
    description, beat = node.description, node.beat
    telemetry = {each.stage_id: each for each in beat.stages} if beat else {}
    stages = [stage_view(stage, telemetry.get(stage.stage_id)) for stage in node.stages.values()]
    versions = description.versions if description else agent_pb2.Versions()
    return NodeView(
        name=node.name,
        address=str(node.address),
        fingerprint=node.known.fingerprint,
        local=node.known.local,
        state=node.state,
        state_text=node.state_text,
        chip=description.chip if description else "",
        os=description.os if description else "",
        versions={
            "shardd": versions.shardd,
            "protocol": versions.protocol,
            "mlx": versions.mlx,
            "mlx-lm": versions.mlx_lm,
            "python": versions.python,
        },
        memory=memory_view(beat, node.reserved_bytes) if beat else None,
        swap_used=beat.memory.swap_used if beat else None,
        cpu_percent=beat.cpu_percent if beat else None,
        disk_free=beat.disk_free if beat else None,
        round_trip_ms=node.round_trip_ms if beat else None,
        stage=next(iter(stages), None),
        shards=node.shards,
        transfer=node.transfer,
    )


def memory_view(beat: agent_pb2.Beat, reserved: int = 0) -> MemoryView:
    """Splits a machine's memory so that the parts add up: others is what is used and not ours. reserved: bytes that
    the settings keep free there."""
    memory = beat.memory
    weights = sum(stage.weights_bytes for stage in beat.stages)
    kv = sum(stage.kv_bytes for stage in beat.stages)
    used = max(0, memory.total - memory.available)
    return MemoryView(
        total=memory.total,
        weights=weights,
        kv=kv,
        others=max(0, used - weights - kv),
        free=max(0, memory.total - max(used, weights + kv)),
        shard_available=max(0, memory.shard_available - reserved),
        reserved=reserved,
    )


def stage_view(stage: agent_pb2.Stage, telemetry: agent_pb2.StageTelemetry | None) -> StageView:
    seen = telemetry or agent_pb2.StageTelemetry()
    return StageView(
        stage_id=stage.stage_id,
        index=stage.stage_index,
        count=stage.stage_count,
        first=stage.first,
        last=stage.last,
        state=_STATES.get(stage.state, "unloaded"),
        cause=stage.cause,
        weights_bytes=seen.weights_bytes,
        kv_bytes=seen.kv_bytes,
        process_bytes=seen.process_bytes,
        sequences=seen.sequences,
        queue_depth=seen.queue_depth,
        compute_ms=_spread(seen.compute_ms),
        queue_ms=_spread(seen.queue_ms),
        hop_ms=_spread(seen.hop_ms),
    )


def _spread(spread: agent_pb2.Spread) -> SpreadView | None:
    return SpreadView(spread.p50, spread.p95) if spread.samples else None


def ready_view(deployment: Deployment) -> DeploymentView:
    """A deployment that answers."""
    known = {"model": deployment.model, "stages": len(deployment.stages)}
    return DeploymentView(
        DeploymentState.READY,
        phrase("{model} runs on {stages} machines, {draft} drafts for it.", draft=deployment.draft, **known)
        if deployment.draft
        else phrase("{model} runs on {stages} machines.", **known),
        deployment.epoch,
        deployment.model,
        deployment.placement,
        deployment.context_tokens,
    )


def deployed_text(deployment: Deployment) -> str:
    """What a deployment moved, in a sentence."""
    return phrase(
        "{model} is deployed on {stages} machines: {sent_bytes} sent, {fetched_bytes} passed on "
        "between machines, {load_bytes} loaded in {load_seconds:.1f} s.",
        model=deployment.model,
        stages=len(deployment.stages),
        sent_bytes=format_bytes(deployment.sent_bytes),
        fetched_bytes=format_bytes(deployment.fetched_bytes),
        load_bytes=format_bytes(deployment.load_bytes),
        load_seconds=deployment.load_seconds,
    )

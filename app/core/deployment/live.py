"""Finding a deployment that already runs on the nodes, or what is left of one. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from itertools import count, pairwise

from app.core.cluster.node import Node
from app.core.deployment.deployment import Deployment, LiveStage
from app.core.errors import ShardboardError
from app.core.placement.placement import Placement, StageRange, layers_text
from app.core.text import listed, phrase
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
    """The newest whole deployment of the controller with this fingerprint; one whose lanes stand, where there are
    several. Raises ShardboardError."""
    whole = [
        chosen
        for stages in _by_epoch(nodes, fingerprint).values()
        if len(chosen := _one_each(stages)) == stages[0][1].stage_count and all(_ready(stage) for _, stage in chosen)
    ]
    if not whole:
        raise _nothing(nodes)
    return _deployment(max(whole, key=lambda stages: (_joined(stages), stages[0][1].epoch)))


def is_joined(nodes: Mapping[str, Node], deployment: Deployment) -> bool:
    """Whether every lane between its stages stands, as their machines said last."""
    known = [node.stages.get(s.stage_id) if (node := nodes.get(s.node)) else None for s in deployment.stages]
    return len(known) == 1 or all(stage is not None and stage.joined for stage in known)


def still_ready(deployment: Deployment, nodes: Mapping[str, Node]) -> Deployment | None:
    """With the stages alone that are there and ready; None where none is."""
    stages = tuple(
        stage
        for stage in deployment.stages
        if (node := nodes.get(stage.node)) and (now := node.stages.get(stage.stage_id)) and _ready(now)
    )
    return replace(deployment, stages=stages) if stages else None


def find_remains(nodes: Mapping[str, Node], fingerprint: str) -> list[Placed]:
    """What is left of a deployment that is not whole, such as that of a program that was killed while it loaded: the
    stages of the epoch of which most layers are ready. Empty: nothing."""
    best: list[Placed] = []
    for stages in _by_epoch(nodes, fingerprint).values():
        chosen = _one_each(stages)
        if (_ready_layers(chosen), chosen[0][1].epoch) > (_ready_layers(best), best[0][1].epoch if best else 0):
            best = chosen
    return best if _ready_layers(best) else []


def rebuilt(remains: Sequence[Placed], layer_count: int) -> Deployment | None:
    """The deployment of which these are left: the layers in between are stages without a stage_id on machines that
    nobody knows, which count as lost. None where they do not fit together."""
    stages: list[LiveStage] = []
    next_layer = next_index = 0
    places = remains[0][1].stage_count if remains else 0
    for name, stage in remains:
        gap = _gap(next_layer, stage.first, stage.stage_index - next_index)
        if gap is None:
            return None
        stages += [*gap, _live(name, stage)]
        next_layer, next_index = stage.last + 1, stage.stage_index + 1
    gap = _gap(next_layer, layer_count, places - next_index)
    if gap is None or not remains:
        return None
    return _from(remains, _named([*stages, *gap]))


def lacking(deployment: Deployment) -> str:
    """The layers that no machine has ready: `layers 4 to 7 and layers 10 to 11`."""
    return listed(layers_text(stage.first, stage.last) for stage in deployment.stages if not stage.lane_port)


# -- inside ----------------------------------------------------------------------------------------------------------

Placed = tuple[str, agent_pb2.Stage]
"""A machine's name, and one stage on it."""


def _by_epoch(nodes: Mapping[str, Node], fingerprint: str) -> dict[int, list[Placed]]:
    """What can be used again of each deployment of this controller."""
    found: dict[int, list[Placed]] = {}
    for name, node in nodes.items():
        for stage in node.stages.values():
            usable = stage.state in (agent_pb2.STAGE_STATE_READY, agent_pb2.STAGE_STATE_FAILED)
            if stage.deployed_by == fingerprint and usable:
                found.setdefault(stage.epoch, []).append((name, stage))
    return found


def _one_each(stages: Sequence[Placed]) -> list[Placed]:
    """In order, one for each place: a machine that was away and is back may still have what another has by now."""
    best: dict[int, Placed] = {}
    for name, stage in stages:
        if stage.stage_index not in best or _use(stage) > _use(best[stage.stage_index][1]):
            best[stage.stage_index] = (name, stage)
    return [best[index] for index in sorted(best)]


def _use(stage: agent_pb2.Stage) -> tuple[bool, bool, bool]:
    return _ready(stage), stage.joined, not stage.apart


def _ready(stage: agent_pb2.Stage) -> bool:
    return stage.state == agent_pb2.STAGE_STATE_READY


def _joined(stages: Sequence[Placed]) -> bool:
    return len(stages) == 1 or all(stage.joined for _, stage in stages)


def _ready_layers(stages: Sequence[Placed]) -> int:
    return sum(stage.last - stage.first + 1 for _, stage in stages if _ready(stage))


def _gap(first: int, end: int, parts: int) -> list[LiveStage] | None:
    """Layers from first up to end as so many stages that are nowhere; None where that cannot be."""
    layers = end - first
    if parts < 0 or layers < parts or (layers == 0) is not (parts == 0):
        return None
    bounds = [first + layers * part // parts for part in range(parts + 1)] if parts else []
    return [LiveStage("", "", start, stop - 1, 0) for start, stop in pairwise(bounds)]


def _named(stages: Sequence[LiveStage]) -> list[LiveStage]:
    """With a name of its own for each machine that nobody knows."""
    numbers = count(1)
    return [each if each.stage_id else replace(each, node=f"unknown machine {next(numbers)}") for each in stages]


def _live(name: str, stage: agent_pb2.Stage) -> LiveStage:
    return LiveStage(name, stage.stage_id, stage.first, stage.last, stage.lane_port, stage.batchable, stage.shard_id)


def _deployment(placed: Sequence[Placed]) -> Deployment:
    return _from(placed, [_live(name, stage) for name, stage in placed])


def _from(placed: Sequence[Placed], stages: Sequence[LiveStage]) -> Deployment:
    """stages: all of it. What they have in common is as those say that are there."""
    first = next((stage for _, stage in placed if stage.stage_index == 0), placed[0][1])
    return Deployment(
        first.epoch,
        first.model,
        Placement(stages[-1].last + 1, tuple(StageRange(s.node, s.first, s.last) for s in stages)),
        first.context_tokens,
        tuple(stages),
        options=options_from(first.options),
        prefill_chunk_tokens=first.prefill_chunk_tokens,
        draft=first.draft,
    )


def _nothing(nodes: Mapping[str, Node]) -> ShardboardError:
    released = {name: next(iter(node.released.values())) for name, node in nodes.items() if node.released}
    if not released:
        return ShardboardError(
            phrase("No model is deployed."),
            phrase("Deploy one with: shardboard deploy MODEL, or use --local 3 for temporary agents."),
        )
    model = next(iter(released.values())).model
    return ShardboardError(
        phrase(
            "{model} was unloaded on {machines}, because this controller was away for long.",
            model=model,
            machines=listed(released),
        ),
        phrase("Its layers are still on their disks. Load it again with: shardboard deploy {model}", model=model),
    )

"""Who talks to whom, and what lies where: pure functions from a snapshot. Imports no Qt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.core.snapshot import NodeState, NodeView, ShardView, Snapshot
from app.core.text import joined, phrase
from app.ui import words


@dataclass(frozen=True, slots=True)
class Place:
    """A machine in the link picture. to_controller_ms and rate: of the control plane and of the last push."""

    node: str
    colour: int
    role: str  # "layers 0–3", "holds no layers"
    well: bool
    state: str
    to_controller_ms: float | None
    push_bytes_per_s: float | None


@dataclass(frozen=True, slots=True)
class Hop:
    """A lane: the hidden state from one stage to the next, or the token's id from the tail back to the head."""

    source: str
    target: str
    back: bool
    ms: float | None


@dataclass(frozen=True, slots=True)
class LinkPicture:
    """Stages in pipeline order first, the other machines after them."""

    places: tuple[Place, ...] = ()
    hops: tuple[Hop, ...] = ()


def link_picture(snapshot: Snapshot) -> LinkPicture:
    deployed = snapshot.deployment.placement
    order = [name for name in (deployed.nodes if deployed else ()) if snapshot.node(name) is not None]
    staged = set(order)
    order += [node.name for node in snapshot.nodes if node.name not in staged]
    colours = {node.name: number for number, node in enumerate(snapshot.nodes)}
    places: list[Place] = []
    for name in order:
        node = snapshot.node(name)
        assert node is not None
        stage = deployed.stage_of(name) if deployed else None
        figures = snapshot.figures.get(name)
        places.append(
            Place(
                name,
                colours[name],
                words.layers(stage.first, stage.last) if stage else phrase("no layers"),
                node.state is NodeState.READY,
                node.state.value,
                node.round_trip_ms,
                figures.push_bytes_per_s if figures else None,
            )
        )
    chain = [name for name in order if name in staged]
    hops = tuple(
        Hop(source, target, number == len(chain) - 1, _hop_into(snapshot.node(target)))
        for number, (source, target) in enumerate(zip(chain, [*chain[1:], *chain[:1]], strict=True))
        if len(chain) > 1
    )
    return LinkPicture(tuple(places), hops)


def _hop_into(node: NodeView | None) -> float | None:
    return node.stage.hop_ms.p50 if node and node.stage and node.stage.hop_ms else None


def sentences(picture: LinkPicture) -> tuple[str, ...]:
    """The picture for somebody who does not see it."""
    lines = [
        phrase(
            "{source} sends the token to {target}: {figure}."
            if hop.back
            else "{source} sends activations to {target}: {figure}.",
            source=hop.source,
            target=hop.target,
            figure=phrase("{time} a hop", time=words.milliseconds(hop.ms))
            if hop.ms is not None
            else phrase("not measured yet"),
        )
        for hop in picture.hops
    ]
    for place in picture.places:
        trip = words.milliseconds(place.to_controller_ms) if place.to_controller_ms is not None else ""
        rate = (
            phrase(", last push {push_bytes_per_s}", push_bytes_per_s=words.rate(place.push_bytes_per_s))
            if place.push_bytes_per_s
            else ""
        )
        reach = phrase("round trip {trip}", trip=trip) if trip and place.well else place.state
        lines.append(phrase("This controller to {node}: {reach}{rate}.", node=place.node, reach=reach, rate=rate))
    return tuple(lines)


@dataclass(frozen=True, slots=True)
class Cell:
    """What one machine holds of one model. moving: a transfer under way, 0 to 1, None for none."""

    text: str = ""
    detail: str = ""
    loaded: bool = False
    spare: bool = False
    moving: float | None = None


@dataclass(frozen=True, slots=True)
class ShardMatrix:
    """A row for each model, a column for each machine."""

    models: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()
    rows: tuple[tuple[Cell, ...], ...] = ()


def shard_matrix(snapshot: Snapshot) -> ShardMatrix:
    coming = snapshot.deployment.model if snapshot.deployment.model else ""
    transfers = any(node.transfer for node in snapshot.nodes)
    names = {shard.model for node in snapshot.nodes for shard in node.shards} | ({coming} if transfers else set())
    models = tuple(sorted(name for name in names if name))
    rows = tuple(tuple(_cell(node, model, model == coming) for node in snapshot.nodes) for model in models)
    return ShardMatrix(models, tuple(node.name for node in snapshot.nodes), rows)


def _cell(node: NodeView, model: str, coming: bool) -> Cell:
    held = sorted((shard for shard in node.shards if shard.model == model), key=lambda shard: (shard.first, shard.last))
    transfer = node.transfer if coming else None
    lines = [_shard_line(shard) for shard in held]
    moving = None
    ranges = together(held)
    size = words.size(sum(shard.bytes for shard in held))
    if sum(last - first + 1 for first, last in ranges) < sum(shard.last - shard.first + 1 for shard in held):
        size = phrase("up to {size}", size=size)  # what two shards share lies there once
    parts = ", ".join(words.layer_range(first, last) for first, last in ranges)
    text = joined((parts, size), " · ") if held else ""
    if transfer is not None:
        moving = transfer.done_bytes / transfer.total_bytes if transfer.total_bytes else 0.0
        rate = words.rate(transfer.bytes_per_s) if transfer.bytes_per_s else ""
        text = joined((joined((words.phase(transfer.phase), f"{moving:.0%}")), rate), ", ")
        lines.append(joined((words.transfer(transfer.phase, transfer.done_bytes, transfer.total_bytes), rate), ", "))
    loaded, spare = any(shard.loaded for shard in held), any(shard.spare for shard in held)
    if loaded and transfer is None:
        text = joined((text, phrase("loaded")), " · ")
    elif spare and transfer is None:
        text = joined((text, phrase("spare")), " · ")
    return Cell(
        text,
        joined(lines, "\n") or phrase("{name} holds nothing of {model}.", name=node.name, model=model),
        loaded,
        spare,
        moving,
    )


def together(shards: Sequence[ShardView]) -> list[tuple[int, int]]:
    """The layers of these shards, sorted by their first one, as ranges that neither meet nor overlap."""
    ranges: list[tuple[int, int]] = []
    for shard in shards:
        if ranges and shard.first <= ranges[-1][1] + 1:
            ranges[-1] = (ranges[-1][0], max(ranges[-1][1], shard.last))
        else:
            ranges.append((shard.first, shard.last))
    return ranges


def _shard_line(shard: ShardView) -> str:
    use = phrase("loaded") if shard.loaded else phrase("kept as a spare") if shard.spare else phrase("on disk")
    return joined((words.layers(shard.first, shard.last), words.size(shard.bytes), use), ", ")

"""Clusters made by hand, for the window without a controller behind it."""

from __future__ import annotations

from dataclasses import replace

from app.core.placement.placement import Placement, even_split
from app.core.snapshot import (
    DeploymentState,
    DeploymentView,
    MachineFigures,
    MemoryView,
    ModelView,
    NodeState,
    NodeView,
    ShardView,
    Snapshot,
    SpreadView,
    StageView,
)
from shardd.model.inventory import Inventory
from tests.made_up_models import GB
from tests.made_up_models import model as made_up_model
from tests.made_up_nodes import node as made_up_node

CONTEXT = 4096


def inventory(layers: int, layer_bytes: int = 450_000_000, forbidden: dict[int, str] | None = None) -> Inventory:
    return made_up_model(
        [layer_bytes] * layers,
        kv=[4096] * layers,
        forbidden=forbidden or {},
        context=32768,
        quantization="4 bit",
    )


def node(name: str, total: int = 64 * GB, state: NodeState = NodeState.READY) -> NodeView:
    memory = MemoryView(total, 0, 0, total // 4, total - total // 4, total - total // 4)
    text = "Ready." if state is NodeState.READY else f"{name} does not answer at 192.0.2.7:8101. It may be asleep."
    there = state in (NodeState.READY, NodeState.SUSPECT)
    return made_up_node(
        name,
        state=state,
        state_text=text,
        chip="Apple M4 Pro",
        os="macOS 26.1",
        memory=memory if there else None,
        swap_used=0,
        cpu_percent=12.0,
        disk_free=200 * GB,
        round_trip_ms=1.4,
    )


def running(view: NodeView, placement: Placement, layer_bytes: int, model: str, compute_ms: float = 9.0) -> NodeView:
    """With its stage of a deployment, and its shard on disk."""
    stage = placement.stage_of(view.name)
    if stage is None or view.memory is None:
        return view
    weights, kv, index = stage.layers * layer_bytes, stage.layers * 4096 * 900, placement.stages.index(stage)
    free = view.memory.free - weights - kv
    loaded = StageView(
        f"s{index}",
        index,
        len(placement.stages),
        stage.first,
        stage.last,
        "ready",
        "",
        weights,
        kv,
        weights + 150_000_000,
        1,
        0,
        SpreadView(compute_ms, compute_ms * 1.2),
        SpreadView(0.1, 0.3),
        SpreadView(0.4 + index / 10, 1.0),
    )
    shard = ShardView(f"{index}", model, stage.first, stage.last, weights, True)
    memory = replace(view.memory, weights=weights, kv=kv, free=free, shard_available=free)
    return replace(view, memory=memory, stage=loaded, shards=(shard,))


def cluster(
    names: tuple[str, ...],
    layers: int,
    *,
    deployed: bool = True,
    layer_bytes: int = 450_000_000,
    forbidden: dict[int, str] | None = None,
    model: str = "Qwen3-32B-4bit",
) -> Snapshot:
    """Machines, a model, and the model deployed on all but the last machine."""
    held = inventory(layers, layer_bytes, forbidden)
    placement = even_split(names[:-1] if len(names) > 2 else names, layers, held.forbidden_cuts)
    nodes = tuple(node(name, (64 if number % 2 == 0 else 48) * GB) for number, name in enumerate(names))
    snapshot = Snapshot(nodes=nodes, model=ModelView(model, "", held), models=(model, "Llama-3.2-3B"))
    if not deployed:
        return snapshot
    live = tuple(running(each, placement, layer_bytes, model) for each in nodes)
    measured = {each.name: each.stage for each in live if each.stage}
    speeds = {name: 0.009 / stage.weights_bytes for name, stage in measured.items()}
    figures = {name: MachineFigures(speeds[name], 0.5, 110e6) for name in measured}
    figures[names[-1]] = MachineFigures(read_bytes_per_s=95e9, flops_per_s=4e12)
    view = DeploymentView(DeploymentState.READY, f"{model} runs.", 3, model, placement, CONTEXT)
    return replace(snapshot, nodes=live, deployment=view, seconds_per_byte=speeds, figures=figures)

"""What moves from one placement to another, what stays, and whether both have room."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from app.core.cluster.node import Node
from app.core.deployment.deployment import Deployment, DeployOrder, LiveStage, staying
from app.core.deployment.drafting import DraftModel, DraftOrder
from app.core.deployment.moving import moved_layers, moving_layers, room_beside
from app.core.library.models import built_in_model
from app.core.placement.budget import kv_bytes, needs
from app.core.placement.placement import Placement, parse_placement
from shardd.model.survey import survey
from shardd.rpc import agent_pb2
from shardd.stage.orders import PipelineOptions

NAMES = ("a", "b", "c")


def place(text: str) -> Placement:
    return parse_placement(text, NAMES, 12)


@pytest.mark.parametrize(
    ("before", "after", "moved", "moving"),
    [
        ("a=0-5,b=6-11", "a=0-3,b=4-11", "Layers 4 to 5 moved to b", "Layers 4 to 5 move to b"),
        ("a=0-5,b=6-11", "a=0-6,b=7-11", "Layer 6 moved to a", "Layer 6 moves to a"),
        (
            "a=0-5,b=6-11",
            "a=0-3,b=4-7,c=8-11",
            "Layers 4 to 5 moved to b and layers 8 to 11 to c",
            "Layers 4 to 5 move to b and layers 8 to 11 to c",
        ),
        (
            "a=0-3,b=4-7,c=8-11",
            "b=0-9,c=10-11",
            "Layers 0 to 3 moved to b and layers 8 to 9 to b",
            "Layers 0 to 3 move to b and layers 8 to 9 to b",
        ),
        (
            "a=0-5,b=6-11",
            "b=0-5,a=6-11",
            "Layers 0 to 5 moved to b and layers 6 to 11 to a",
            "Layers 0 to 5 move to b and layers 6 to 11 to a",
        ),
        ("a=0-5,b=6-11", "a=0-5,b=6-11", "The stages were loaded anew", "The stages are loaded anew"),
    ],
)
def test_words_for_what_moved(before: str, after: str, moved: str, moving: str) -> None:
    assert moved_layers(place(before), place(after)) == moved
    assert moving_layers(place(before), place(after)) == moving


def running(text: str, **changes: Any) -> Deployment:
    placement = place(text)
    stages = tuple(
        LiveStage(s.node, f"stage-{s.node}", s.first, s.last, 1, shard_id=f"{s.first}-{s.last}")
        for s in placement.stages
    )
    return replace(Deployment(1, "tiny", placement, 512, stages), **changes)


def order(text: str, **changes: Any) -> DeployOrder:
    inventory = survey(built_in_model())
    return replace(DeployOrder("tiny", inventory, cast(Any, None), place(text), 512), **changes)


DRAFT = DraftOrder(DraftModel("small", cast(Any, None)), cast(Any, None))


@pytest.mark.parametrize(
    ("wanted", "now", "stays"),
    [
        (order("a=0-3,b=4-7,c=8-11"), running("a=0-3,b=4-7,c=8-11"), {0: "a", 1: "b", 2: "c"}),
        (order("a=0-2,b=3-7,c=8-11"), running("a=0-3,b=4-7,c=8-11"), {2: "c"}),
        (order("a=0-3,c=4-7,b=8-11"), running("a=0-3,b=4-11"), {0: "a"}),
        (order("a=0-3,c=4-11"), running("a=0-3,b=4-11"), {0: "a"}),
        (order("a=0-3,b=4-11", context_tokens=1024), running("a=0-3,b=4-11"), {}),
        (order("a=0-3,b=4-11", prefill_chunk_tokens=64), running("a=0-3,b=4-11"), {}),
        (order("a=0-3,b=4-11", options=PipelineOptions(kv_tokens=9)), running("a=0-3,b=4-11"), {0: "a", 1: "b"}),
        (order("a=0-3,b=4-11", options=PipelineOptions(kept_bits=8)), running("a=0-3,b=4-11"), {}),
        (order("a=0-3,b=4-11", draft=DRAFT), running("a=0-3,b=4-11"), {1: "b"}),
        (order("a=0-3,b=4-11", draft=DRAFT), running("a=0-3,b=4-11", draft="small"), {0: "a", 1: "b"}),
        (order("a=0-3,b=4-11"), running("a=0-3,b=4-11", draft="small"), {1: "b"}),
    ],
)
def test_stages_that_stay(wanted: DeployOrder, now: Deployment, stays: dict[int, str]) -> None:
    ids = [f"{stage.first}-{stage.last}" for stage in wanted.placement.stages]
    assert {index: stage.node for index, stage in staying(wanted, now, ids).items()} == stays


def test_other_weights_do_not_stay() -> None:
    assert staying(order("a=0-3,b=4-11"), running("a=0-3,b=4-11"), ["changed", "4-11"]).keys() == {1}


def machine(free: int | None, kv: int = 0) -> Node:
    stage = agent_pb2.StageTelemetry(stage_id="stage-b", kv_bytes=kv)
    beat = agent_pb2.Beat(stages=[stage]) if free is not None else None
    return cast(Node, SimpleNamespace(shard_available=free, beat=beat))


def test_room_for_both_at_once() -> None:
    wanted, now = order("a=0-3,b=4-11"), running("a=0-5,b=6-11")
    need = needs(wanted.inventory, 4, 11, 512).total + kv_bytes(wanted.inventory, 6, 11, 512)
    plenty = machine(1 << 40)
    assert not room_beside(wanted, now, {"a": plenty, "b": machine(need)})
    assert not room_beside(wanted, now, {"a": plenty, "b": machine(None)}), "not known yet, so not judged"
    assert not room_beside(wanted, now, {"a": plenty, "b": machine(need - 5000, kv=5000)}), "it has grown already"
    (problem,) = room_beside(wanted, now, {"a": plenty, "b": machine(need - 2_000_000)})
    assert problem.node == "b" and "b lacks 2 MB to load its layers while the present ones" in problem.sentence
    assert not room_beside(wanted, running("a=0-5,b=4-11"), {"a": plenty, "b": machine(0)}), "what stays needs no more"

"""What is left of a deployment whose program was killed: what it was, and who may touch it."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from app.core.deployment.changing import Changing
from app.core.deployment.deployment import _next_epoch
from app.core.deployment.live import find_live, find_remains, is_joined, lacking, rebuilt, still_ready
from app.core.errors import ShardboardError
from shardd.rpc import agent_pb2

READY, FAILED = agent_pb2.STAGE_STATE_READY, agent_pb2.STAGE_STATE_FAILED
LOADING = agent_pb2.STAGE_STATE_LOADING


@dataclass
class There:
    """A machine, as far as it is looked at."""

    stages: dict[str, agent_pb2.Stage]
    released: dict[str, agent_pb2.Stage] = field(default_factory=dict)


def stage(index: int, first: int, last: int, count: int = 3, epoch: int = 1, **more: Any) -> agent_pb2.Stage:
    facts = {"state": READY, "joined": True, "lane_port": 9, "context_tokens": 512, "deployed_by": "me"} | more
    return agent_pb2.Stage(
        stage_id=f"{epoch}.{index}.{facts.get('lane_port')}", epoch=epoch, model="tiny", first=first, last=last,
        stage_index=index, stage_count=count, **facts,
    )  # fmt: skip


def cluster(**stages: list[agent_pb2.Stage]) -> Any:
    return {name: There({each.stage_id: each for each in there}) for name, there in stages.items()}


A, B, C = stage(0, 0, 3), stage(1, 4, 7), stage(2, 8, 11)


def ranges(nodes: Any) -> list[tuple[str, int, int]] | None:
    found = rebuilt(find_remains(nodes, "me"), 12)
    return [(s.node, s.first, s.last) for s in found.stages] if found else None


NOBODY = "unknown machine"


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        (cluster(a=[A], c=[C]), [("a", 0, 3), (f"{NOBODY} 1", 4, 7), ("c", 8, 11)]),
        (cluster(b=[B]), [(f"{NOBODY} 1", 0, 3), ("b", 4, 7), (f"{NOBODY} 2", 8, 11)]),
        (cluster(a=[A]), [("a", 0, 3), (f"{NOBODY} 1", 4, 7), (f"{NOBODY} 2", 8, 11)]),
        (cluster(c=[C]), [(f"{NOBODY} 1", 0, 3), (f"{NOBODY} 2", 4, 7), ("c", 8, 11)]),
        (cluster(a=[A], b=[stage(1, 4, 7, state=FAILED)], c=[C]), [("a", 0, 3), ("b", 4, 7), ("c", 8, 11)]),
        (cluster(a=[A], b=[stage(1, 4, 7, state=LOADING)], c=[C]), [("a", 0, 3), (f"{NOBODY} 1", 4, 7), ("c", 8, 11)]),
        (cluster(a=[A], c=[stage(2, 3, 11)]), None),  # they overlap
        (cluster(a=[A], c=[stage(2, 4, 11)]), None),  # nothing is left for the second
        (cluster(a=[A], b=[stage(1, 5, 7)]), None),  # a hole where there is no stage
        (cluster(a=[stage(0, 0, 3, deployed_by="another")]), None),
        (cluster(), None),
    ],
)
def test_what_it_was(nodes: Any, expected: list[tuple[str, int, int]] | None) -> None:
    assert ranges(nodes) == expected


def test_the_layers_that_are_lacking_are_named() -> None:
    found = rebuilt(find_remains(cluster(a=[A], b=[stage(1, 4, 7, state=FAILED, lane_port=0)]), "me"), 12)
    assert found is not None and lacking(found) == "layers 4 to 7 and layers 8 to 11"


def test_the_deployment_of_which_most_is_ready_is_taken() -> None:
    newer = stage(1, 6, 8, epoch=2)
    assert ranges(cluster(a=[A], b=[newer], c=[C])) == [("a", 0, 3), (f"{NOBODY} 1", 4, 7), ("c", 8, 11)]


def test_one_whose_lanes_stand_goes_before_one_that_was_only_prepared() -> None:
    prepared = [
        stage(index, first, last, epoch=2, joined=False) for index, first, last in ((0, 0, 2), (1, 3, 8), (2, 9, 11))
    ]
    nodes = cluster(a=[A, prepared[0]], b=[B, prepared[1]], c=[C, prepared[2]])
    live = find_live(nodes, "me")
    assert live.epoch == 1 and is_joined(nodes, live)
    nodes = cluster(a=[prepared[0]], b=[prepared[1]], c=[prepared[2]])
    live = find_live(nodes, "me")
    assert live.epoch == 2 and not is_joined(nodes, live)


def test_a_place_that_two_machines_have_is_taken_once() -> None:
    back = stage(1, 4, 7, joined=False, lane_port=8)
    live = find_live(cluster(a=[A], old=[back], b=[B], c=[C]), "me")
    assert [each.node for each in live.stages] == ["a", "b", "c"]


def test_what_has_gone_since_is_left_out() -> None:
    live = find_live(cluster(a=[A], b=[B], c=[C]), "me")
    left = still_ready(live, cluster(a=[A], b=[stage(1, 4, 7, state=FAILED)]))
    assert left is not None and [each.node for each in left.stages] == ["a"]
    assert still_ready(live, cluster(d=[])) is None


def test_why_nothing_is_there() -> None:
    with pytest.raises(ShardboardError, match="No model is deployed"):
        find_live(cluster(a=[]), "me")
    gone = {"a": There({}, {"s": stage(0, 0, 3, state=agent_pb2.STAGE_STATE_UNLOADED, released=True)})}
    with pytest.raises(ShardboardError, match=r"tiny was unloaded on a, .* Load it again with: shardboard deploy tiny"):
        find_live(gone, "me")  # type: ignore[arg-type]


def test_a_clock_that_was_set_back_makes_no_older_deployment() -> None:
    ahead = (time.time_ns() + 3600 * 10**9) // 1000
    assert _next_epoch(cluster(a=[stage(0, 0, 11, count=1, epoch=ahead)])) == ahead + 1
    assert _next_epoch(cluster(a=[A])) > ahead - 3601 * 10**6, "else it is the time"


def test_a_program_that_is_killed_leaves_no_mark(tmp_path: Path) -> None:
    changing = Changing(tmp_path / "lock")
    assert changing.nobody()
    with changing.marked(), Changing(tmp_path / "lock").marked():
        assert not changing.nobody()
    assert changing.nobody()
    code = (
        "import pathlib, sys, app.core.deployment.changing as c\n"
        "with c.Changing(pathlib.Path(sys.argv[1])).marked():\n    print('marked', flush=True); sys.stdin.read()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "lock")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert other.stdout and other.stdout.readline() == "marked\n"
        assert not changing.nobody()
    finally:
        other.kill()
        other.communicate()
    assert changing.nobody()


def test_a_folder_that_cannot_be_written_stops_nobody(tmp_path: Path) -> None:
    changing = Changing(tmp_path / "missing" / "lock")
    with changing.marked():
        assert not changing.nobody(), "it cannot be known"

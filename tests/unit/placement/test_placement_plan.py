"""What a range needs, how fast a placement would be, and the plan that tells both."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from placement_models import models, placed

from app.core.placement.budget import CHUNK_TOKENS, PROCESS_BYTES, kv_bytes, memory_problems, needs
from app.core.placement.placement import Placement
from app.core.placement.plan import plan
from app.core.placement.prediction import Prediction, predict
from app.core.placement.solver import NodeCapacity
from shardd.model.inventory import Inventory
from tests.made_up_models import GB, model


def test_a_cache_grows_to_its_window_and_no_further() -> None:
    inventory = model([GB] * 3, kv=[100, 100, 0], limits=[None, 128, None], fixed=[0, 0, 7])
    assert kv_bytes(inventory, 0, 2, 1024) == 100 * 1024 + 100 * 128 + 7
    assert kv_bytes(inventory, 0, 2, 64) == 100 * 64 + 100 * 64 + 7
    assert needs(inventory, 0, 0, 1024, sequences=3).kv_bytes == 3 * 100 * 1024


def test_overhead_is_the_process_a_chunk_and_the_caches_slack() -> None:
    inventory = model([GB] * 3, kv=[100, 100, 0], limits=[None, 128, None], hidden=8, config={"intermediate_size": 20})
    long, a_token = 2 * CHUNK_TOKENS, 2 * (6 * 8 + 3 * 20)
    base = PROCESS_BYTES + a_token * CHUNK_TOKENS
    assert needs(inventory, 0, 0, long).overhead_bytes == base + 100 * long
    assert needs(inventory, 0, 0, long - 24).overhead_bytes == base + 100 * 24 + 100 * (long - 24)
    assert needs(inventory, 1, 1, long).overhead_bytes == base + 100 * (CHUNK_TOKENS - 1) + 100 * 128
    assert needs(inventory, 2, 2, long).overhead_bytes == base + 4 * 16 * 4
    assert needs(inventory, 2, 2, 256).overhead_bytes == PROCESS_BYTES + a_token * 256 + 4 * 16 * 4


@pytest.mark.parametrize(
    ("config", "inner"),
    [
        ({}, 32),
        ({"intermediate_size": 20}, 20),
        ({"text_config": {"intermediate_size": 24}}, 24),
        ({"intermediate_size": 20, "moe_intermediate_size": 10, "num_experts_per_tok": 8}, 80),
        ({"intermediate_size": 20, "num_experts_per_tok": 2}, 40),
        ({"intermediate_size": "many", "text_config": None}, 32),
    ],
)
def test_the_inner_size_is_read_from_any_configuration(config: dict[str, object], inner: int) -> None:
    inventory = model([GB] * 2, hidden=8, config=config)
    assert needs(inventory, 0, 0, 512).overhead_bytes == PROCESS_BYTES + 2 * 512 * (6 * 8 + 3 * inner)


@given(models(), st.integers(1, 5000))
def test_more_layers_and_more_context_never_need_less(inventory: Inventory, context: int) -> None:
    last = inventory.layer_count - 1
    for first in range(last):
        wider, narrower = needs(inventory, first, last, context), needs(inventory, first + 1, last, context)
        assert wider.total >= narrower.total
    assert needs(inventory, 0, last, context + 256).total >= needs(inventory, 0, last, context).total


def test_what_does_not_fit_says_by_how_much() -> None:
    inventory = model([GB] * 8)
    placement = placed(8, a=(0, 3), b=(4, 7))
    (problem,) = memory_problems(placement, inventory, {"a": 8 * GB, "b": 3 * GB}, 512)
    assert (problem.kind, problem.node) == ("memory", "b")
    assert problem.sentence == (
        "b lacks 1.2 GB: its layers need 4.2 GB and 3 GB are free. "
        "Move layers to another machine or choose a smaller context."
    )
    assert memory_problems(placement, inventory, {"a": None}, 512) == ()
    assert memory_problems(placed(8, a=(0, 99)), inventory, {"a": 1}, 512) == ()


HALVES = placed(4, a=(0, 1), b=(2, 3))
SPEEDS = {"a": 1e-11, "b": 3e-11, "c": 2e-12}


@pytest.mark.parametrize(
    ("placement", "speeds", "hops", "expected"),
    [
        # 2 GB at 1e-11 and 2 GB at 3e-11: 20 + 60 ms
        (HALVES, {"a": 1e-11, "b": 3e-11}, {"a": 10.0, "b": 10.0}, (10.0, "b", "a")),
        (HALVES, {"a": 1e-11, "b": 1e-11}, {"a": 5.0, "b": 5.0}, (20.0, "a", "a")),
        (HALVES, {"a": 1e-11, "b": 1e-11}, None, (None, "a", None)),
        (HALVES, {"a": 1e-11, "b": 3e-11}, {"b": 10.0}, (None, "b", "a")),
        (HALVES, SPEEDS, {"a": 10.0, "b": 10.0}, (10.0, "b", "c")),
        (HALVES, {"a": 1e-11}, {"a": 1.0, "b": 1.0}, (None, None, None)),
        (placed(4, a=(0, 3)), {"a": 1e-11}, None, (25.0, None, None)),
        (placed(4), SPEEDS, None, (None, None, None)),
        (placed(4, a=(0, 9)), SPEEDS, None, (None, None, None)),
    ],
)
def test_prediction(
    placement: Placement,
    speeds: dict[str, float],
    hops: dict[str, float] | None,
    expected: tuple[float | None, str | None, str | None],
) -> None:
    found = predict(placement, model([GB] * 4), speeds, hops)
    rate, slowest, alone = expected
    assert found.decode_tokens_per_s == (pytest.approx(rate) if rate else None)
    assert (found.slowest_node, found.single_node_faster, found.ttft_ms) == (slowest, alone, None)


def test_a_machine_that_cannot_hold_the_model_is_not_faster_alone() -> None:
    hops = {"a": 10.0, "b": 10.0}
    assert predict(HALVES, model([GB] * 4), SPEEDS, hops, holders=("a",)).single_node_faster == "a"
    assert predict(HALVES, model([GB] * 4), SPEEDS, hops, holders=()).single_node_faster is None


def test_a_plan_as_json_has_the_documented_shape() -> None:
    inventory = model([GB] * 4, kv=[100] * 4)
    report = plan("tiny", inventory, [NodeCapacity("a", 4 * GB), NodeCapacity("b", 4 * GB)], 512)
    document = json.loads(json.dumps(report.to_json()))
    assert list(document) == ["model", "layers", "fits", "why_not", "stages", "predicted"]
    assert (document["model"], document["layers"], document["fits"], document["why_not"]) == ("tiny", 4, True, None)
    assert document["predicted"] == {"decode_tokens_per_s": None, "ttft_ms": None}
    assert [stage["layers"] for stage in document["stages"]] == [[0, 1], [2, 3]]
    for stage in document["stages"]:
        assert list(stage) == ["node", "layers", "weights_bytes", "kv_bytes", "overhead_bytes", "free_after_bytes"]
        used = stage["weights_bytes"] + stage["kv_bytes"] + stage["overhead_bytes"]
        assert stage["weights_bytes"] == 2 * GB and stage["kv_bytes"] == 2 * 100 * 512
        assert stage["free_after_bytes"] == 4 * GB - used


def test_a_plan_in_words() -> None:
    nodes = [NodeCapacity("mini-1", 4 * GB), NodeCapacity("mini-2", 4 * GB)]
    text = plan("tiny", model([GB] * 4), nodes, 512).to_text()
    assert text.startswith("tiny: 4 layers. It fits.\n") and "2 GB weights" in text and "1.8 GB left" in text
    assert "The speed is not known until these machines have run once." in text
    measured = [NodeCapacity("mini-1", 9 * GB, 1e-11)]
    assert plan("tiny", model([GB] * 4), measured, 512).to_text().endswith("About 25.0 tokens/s.")


@pytest.mark.parametrize(
    ("nodes", "placement", "words", "stages"),
    [
        ([], None, "There is no machine", 0),
        ([NodeCapacity("a", GB)], None, "are missing", 0),
        ([NodeCapacity("a", GB)], placed(4, a=(0, 3)), "a lacks 3.2 GB", 1),
        ([NodeCapacity("a", 9 * GB)], placed(4, a=(0, 2)), "Layer 3 is on no machine", 0),
        ([NodeCapacity("a", 9 * GB)], placed(4, z=(0, 3)), "There is no machine named z", 0),
    ],
)
def test_a_plan_that_does_not_fit_says_why(
    nodes: list[NodeCapacity], placement: Placement | None, words: str, stages: int
) -> None:
    report = plan("tiny", model([GB] * 4), nodes, 512, placement)
    assert not report.fits and words in report.why_not and len(report.stages) == stages
    assert report.to_json()["why_not"] == report.why_not
    assert words in report.to_text() and ("GB missing" in report.to_text()) == bool(stages)
    assert report.predicted == Prediction()


@pytest.mark.parametrize(
    ("forbidden", "placement", "ranges", "words"),
    [
        ((2,), None, [(0, 2), (3, 3)], ""),
        ((1, 2), None, [(0, 2), (3, 3)], ""),
        ((1, 2, 3), None, [(0, 3)], ""),
        ((2,), placed(4, a=(0, 1), b=(2, 3)), [], "cannot be cut before layer 2 (they share a cache)"),
        ((2,), placed(4, a=(0, 0), b=(1, 3)), [(0, 0), (1, 3)], ""),
    ],
)
def test_a_plan_keeps_to_allowed_cuts(
    forbidden: tuple[int, ...], placement: Placement | None, ranges: list[tuple[int, int]], words: str
) -> None:
    nodes = [NodeCapacity("a", 9 * GB), NodeCapacity("b", 5 * GB)]
    report = plan("tiny", model([GB] * 4, forbidden=forbidden), nodes, 512, placement)
    assert [(stage.first, stage.last) for stage in report.stages] == ranges
    assert report.fits == (not words) and words in report.why_not

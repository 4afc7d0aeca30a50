"""Placements as text, and what is wrong with one in words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from placement_models import NODES, placed, placements

from app.core.errors import UsageError
from app.core.placement.placement import Placement, StageRange, parse_placement, placement_text, problems

MINIS = ("mini-1", "mini-2", "mini-3")


@pytest.mark.parametrize(
    ("text", "stages"),
    [
        ("0-3,4-7,8-11", [("mini-1", 0, 3), ("mini-2", 4, 7), ("mini-3", 8, 11)]),
        ("0-11", [("mini-1", 0, 11)]),
        (" 0 - 3 , 4-11 ", [("mini-1", 0, 3), ("mini-2", 4, 11)]),
        ("mini-3=0-3,mini-1=4-11", [("mini-3", 0, 3), ("mini-1", 4, 11)]),
        ("mini-3 = 0-3, mini-1=4", [("mini-3", 0, 3), ("mini-1", 4, 4)]),
        ("Anna's Mac mini=0-11", [("Anna's Mac mini", 0, 11)]),
    ],
)
def test_text_becomes_stages(text: str, stages: list[tuple[str, int, int]]) -> None:
    assert parse_placement(text, MINIS, 12) == Placement(12, tuple(StageRange(*stage) for stage in stages))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is not a layer range"),
        ("0-3,", "is not a layer range"),
        ("0..3", '"0..3" is not a layer range'),
        ("a-b", "is not a layer range"),
        ("-1-3", "is not a layer range"),
        ("=0-3", "is not a layer range"),
        ("0-٣", "is not a layer range"),
        ("0-99999999999999999", "is not a layer range"),
        ("0-3,mini-2=4-11", "Name all of them or none"),
        ("0,1,2,3-11", "4 ranges were given for 3 machines"),
    ],
)
def test_malformed_text_is_refused_in_words(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=r"\.$") as caught:
        parse_placement(text, MINIS, 12)
    assert words in str(caught.value)


@given(placements())
def test_text_reads_back(placement: Placement) -> None:
    assert parse_placement(placement_text(placement), NODES, placement.layer_count) == placement


@given(st.text(alphabet="0123456789-,= amini", max_size=24))
def test_any_text_is_a_placement_or_a_sentence(text: str) -> None:
    try:
        placement = parse_placement(text, MINIS, 12)
    except UsageError as error:
        assert str(error).endswith(".")
    else:
        problems(placement, MINIS)


@pytest.mark.parametrize(
    ("stages", "kinds", "words"),
    [
        ([], ["empty"], "drag layers onto a machine"),
        (
            [("mini-1", 0, 3), ("mini-2", 6, 11)],
            ["gap"],
            "Layers 4 to 5 are on no machine: extend mini-1 to layer 5 or start mini-2 at layer 4.",
        ),
        ([("mini-1", 0, 3), ("mini-2", 5, 11)], ["gap"], "Layer 4 is on no machine"),
        ([("mini-1", 2, 11)], ["gap"], "Layers 0 to 1 are on no machine: start mini-1 at layer 0."),
        ([("mini-1", 0, 8)], ["gap"], "Layers 9 to 11 are on no machine: extend mini-1 to layer 11."),
        ([("mini-1", 0, 10)], ["gap"], "Layer 11 is on no machine"),
        (
            [("mini-1", 0, 6), ("mini-2", 5, 11)],
            ["overlap"],
            "mini-1 and mini-2 overlap at layers 5 to 6: start mini-2 at layer 7.",
        ),
        (
            [("mini-1", 0, 11), ("mini-2", 5, 5)],
            ["overlap"],
            "mini-1 and mini-2 overlap at layer 5: take them from mini-2.",
        ),
        ([("mini-1", 0, 5), ("mini-1", 6, 11)], ["node_twice"], "mini-1 is named twice: give it one range."),
        ([("mini-1", 0, 5), ("air", 6, 11)], ["unknown_node"], "no machine named air. Known machines: mini-1, mini-2"),
        ([("mini-1", 5, 0), ("mini-2", 0, 11)], ["reversed"], "write 0-5"),
        ([("mini-1", 0, 15)], ["out_of_range"], "mini-1 is given layers 0 to 15, but the model's last layer is 11."),
        ([("mini-1", 0, 11), ("mini-2", 12, 15)], ["out_of_range"], "mini-2 is given layers 12 to 15"),
        ([("mini-1", -2, 11)], ["out_of_range"], "mini-1 is given layers -2 to 11"),
        ([("mini-2", 6, 11), ("mini-1", 0, 5)], ["wrong_order"], "write mini-1=0-5,mini-2=6-11."),
        (
            [("mini-1", 0, 6), ("mini-2", 7, 11)],
            ["forbidden_cut"],
            "cannot be cut before layer 7 (7 shares with 6): move",
        ),
        ([("air", 0, 3), ("mini-2", 5, 12)], ["unknown_node", "out_of_range", "gap"], ""),
    ],
)
def test_problems_say_what_to_do(stages: list[tuple[str, int, int]], kinds: list[str], words: str) -> None:
    placement = Placement(12, tuple(StageRange(*stage) for stage in stages))
    found = problems(placement, MINIS, {7: "7 shares with 6"})
    assert [problem.kind for problem in found] == kinds
    assert words in " ".join(problem.sentence for problem in found)
    assert all(problem.sentence.endswith(".") for problem in found)


@given(st.lists(st.tuples(st.sampled_from(NODES), st.integers(-1, 7), st.integers(-1, 7)), max_size=4))
def test_no_problem_exactly_where_every_layer_is_computed_once_in_order(stages: list[tuple[str, int, int]]) -> None:
    placement = Placement(6, tuple(StageRange(*stage) for stage in stages))
    computed = [layer for stage in placement.stages for layer in range(stage.first, stage.last + 1)]
    names = [stage.node for stage in placement.stages]
    whole = all(stage.layers > 0 for stage in placement.stages)
    sound = computed == list(range(6)) and len(set(names)) == len(names) and whole
    assert (problems(placement, NODES) == ()) == sound


def test_a_placement_answers_for_its_nodes() -> None:
    placement = placed(4, a=(0, 1), b=(2, 3))
    assert placement.nodes == ("a", "b") and placement.stage_of("b") == StageRange("b", 2, 3)
    assert placement.stage_of("z") is None

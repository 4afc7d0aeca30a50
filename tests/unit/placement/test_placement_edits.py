"""Every edit of a valid placement is valid, and is what a person who drags expects."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from placement_models import NODES, placed, placements

from app.core.placement.history import EditHistory
from app.core.placement.placement import Placement, even_split, problems

SIX = placed(12, a=(0, 5), b=(6, 11))
THREE = placed(12, a=(0, 3), b=(4, 7), c=(8, 11))
ALONE = placed(12, a=(0, 11))


@pytest.mark.parametrize(
    ("before", "node", "run", "after"),
    [
        (SIX, "c", (4, 7), placed(12, a=(0, 3), c=(4, 7), b=(8, 11))),
        (SIX, "b", (4, 5), placed(12, a=(0, 3), b=(4, 11))),
        (SIX, "a", (6, 7), placed(12, a=(0, 7), b=(8, 11))),
        (THREE, "b", (8, 9), placed(12, a=(0, 3), b=(4, 9), c=(10, 11))),
        (SIX, "b", (4, 8), placed(12, a=(0, 3), b=(4, 11))),
        (SIX, "c", (0, 5), placed(12, c=(0, 5), b=(6, 11))),
        (SIX, "c", (0, 11), placed(12, c=(0, 11))),
        (SIX, "c", (-4, 40), placed(12, c=(0, 11))),
        (SIX, "c", (12, 14), SIX),
        (THREE, "a", (8, 9), placed(12, b=(0, 7), a=(8, 9), c=(10, 11))),
        (THREE, "b", (4, 7), THREE),
        (THREE, "b", (5, 6), THREE),
        (THREE, "c", (0, 1), placed(12, c=(0, 1), a=(2, 3), b=(4, 11))),
        (THREE, "a", (5, 5), placed(12, b=(0, 4), a=(5, 7), c=(8, 11))),
        (ALONE, "b", (2, 5), placed(12, b=(0, 5), a=(6, 11))),
        (ALONE, "b", (4, 7), placed(12, b=(0, 7), a=(8, 11))),
        (placed(4), "a", (1, 2), placed(4, a=(0, 3))),
        (placed(8, a=(0, 2), b=(5, 7)), "c", (6, 6), placed(8, a=(0, 4), c=(5, 6), b=(7, 7))),
    ],
)
def test_a_run_dropped_on_a_node(before: Placement, node: str, run: tuple[int, int], after: Placement) -> None:
    assert before.assign(node, *run) == after


@pytest.mark.parametrize(
    ("index", "layer", "swallow", "after"),
    [
        (0, 6, False, placed(12, a=(0, 5), b=(6, 7), c=(8, 11))),
        (0, -3, False, placed(12, a=(0, 0), b=(1, 7), c=(8, 11))),
        (0, 99, False, placed(12, a=(0, 6), b=(7, 7), c=(8, 11))),
        (1, 10, True, placed(12, a=(0, 3), b=(4, 9), c=(10, 11))),
        (0, 8, True, placed(12, a=(0, 7), c=(8, 11))),
        (0, 0, True, placed(12, b=(0, 7), c=(8, 11))),
        (1, 12, True, placed(12, a=(0, 3), b=(4, 11))),
    ],
)
def test_a_boundary_dragged(index: int, layer: int, swallow: bool, after: Placement) -> None:
    assert THREE.move_boundary(index, layer, swallow) == after


@pytest.mark.parametrize(
    ("node", "after"),
    [
        ("a", placed(12, b=(0, 7), c=(8, 11))),
        ("b", placed(12, a=(0, 7), c=(8, 11))),
        ("c", placed(12, a=(0, 3), b=(4, 11))),
        ("z", THREE),
    ],
)
def test_a_node_taken_out(node: str, after: Placement) -> None:
    assert THREE.remove(node) == after


def test_the_only_node_stays() -> None:
    assert ALONE.remove("a") == ALONE


def test_a_whole_range_given_away_or_swapped() -> None:
    assert THREE.give("a", "z").nodes == ("z", "b", "c")
    assert THREE.give("a", "c").nodes == ("c", "b", "a")
    assert THREE.give("a", "a") == THREE


@given(placements(), st.data())
def test_every_edit_of_a_valid_placement_is_valid(before: Placement, data: st.DataObject) -> None:
    node, other = data.draw(st.sampled_from(NODES)), data.draw(st.sampled_from(NODES))
    first = data.draw(st.integers(0, before.layer_count - 1))
    last = data.draw(st.integers(first, before.layer_count - 1))
    after = [before.assign(node, first, last), before.remove(node)]
    if before.stage_of(node):
        after.append(before.give(node, other))
    if len(before.stages) > 1:
        index = data.draw(st.integers(0, len(before.stages) - 2))
        layer = data.draw(st.integers(-2, before.layer_count + 2))
        after += [before.move_boundary(index, layer), before.move_boundary(index, layer, swallow=True)]
        assert after[-2].nodes == before.nodes
    for placement in after:
        assert problems(placement, NODES) == ()
        assert placement.layer_count == before.layer_count
    given_to = after[0].stage_of(node)
    assert given_to is not None and given_to.first <= first and last <= given_to.last


@given(placements(), st.lists(placements(), max_size=8), st.integers(0, 8))
def test_undo_and_redo(start: Placement, pushed: list[Placement], steps: int) -> None:
    history = EditHistory(start)
    for placement in pushed:
        before, history = history, history.push(placement)
        assert history.present == placement
        assert history.undo().present == before.present if history is not before else history.future == before.future
    tip = history
    for _ in range(steps):
        history = history.undo()
    if steps >= len(tip.past):
        assert history.present == start and history.undo() == history
    for _ in range(steps):
        history = history.redo()
    assert history == tip
    assert tip.undo().redo() == tip
    if tip.past:
        assert tip.undo().push(start if tip.undo().present != start else pushed[0]).redo().future == ()


@pytest.mark.parametrize(
    ("nodes", "layers", "forbidden", "sizes"),
    [
        (3, 8, (), [3, 3, 2]),
        (3, 12, (), [4, 4, 4]),
        (5, 3, (), [1, 1, 1]),
        (1, 9, (), [9]),
        (0, 9, (), []),
        (2, 8, (4,), [3, 5]),
        (3, 4, (2, 3), [1, 3]),
        (2, 4, (1, 2, 3), [4]),
        (3, 6, (1, 2, 3), [4, 1, 1]),
    ],
)
def test_an_even_split(nodes: int, layers: int, forbidden: tuple[int, ...], sizes: list[int]) -> None:
    assert [stage.layers for stage in even_split(NODES[:nodes], layers, forbidden).stages] == sizes


@given(st.integers(1, 5), st.integers(1, 40), st.sets(st.integers(1, 39)))
def test_an_even_split_is_valid_and_uses_who_it_can(nodes: int, layers: int, forbidden: set[int]) -> None:
    placement = even_split(NODES[:nodes], layers, forbidden)
    assert problems(placement, NODES, dict.fromkeys(forbidden, "no")) == ()
    allowed = len(set(range(1, layers)) - forbidden)
    assert len(placement.stages) == min(nodes, allowed + 1)

"""Links, shards, history and forecasts: pure functions as tables, and their panels."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.core.controller import Controller, NodeMove
from app.core.placement.history import EditHistory
from app.core.placement.placement import Placement, even_split
from app.core.snapshot import MachineFigures, NodeState, ShardView, Snapshot, TransferView
from app.ui.bridge import CoreBridge
from app.ui.cluster import history
from app.ui.cluster.balancing import FRESH_S, Proposals
from app.ui.cluster.lower import LowerPane
from app.ui.cluster.picture import link_picture, sentences, shard_matrix
from app.ui.cluster.planning import Draft, Staged, forecast, move_words, starting_placement
from app.ui.theme import Theme
from tests.ui.cluster.made_up import CONTEXT, GB, cluster, node

THREE = ("studio-a", "mini-1", "mini-2")


def test_the_ring_and_the_others() -> None:
    picture = link_picture(cluster(("a", "b", "c", "d"), 12))
    assert [place.node for place in picture.places] == ["a", "b", "c", "d"]
    assert [(hop.source, hop.target, hop.back, hop.ms) for hop in picture.hops] == [
        ("a", "b", False, 0.5),
        ("b", "c", False, pytest.approx(0.6)),
        ("c", "a", True, 0.4),
    ]
    told = sentences(picture)
    assert told[0] == "a sends activations to b: 0.50 ms a hop."
    assert told[2] == "c sends the token to a: 0.40 ms a hop."
    assert told[3] == "This controller to a: round trip 1.4 ms, last push 110 MB/s."


def test_one_stage_has_no_hop_and_a_lost_machine_says_so() -> None:
    assert link_picture(cluster(("a",), 12)).hops == ()
    lost = replace(cluster(("a",), 12), nodes=(node("a", state=NodeState.LOST),))
    assert sentences(link_picture(lost))[0].startswith("This controller to a: lost")
    assert link_picture(Snapshot()).places == ()


def test_the_matrix() -> None:
    shown = cluster(THREE, 12, model="toy")
    old = ShardView("x", "older", 0, 3, 2 * GB, False)
    spare = ShardView("y", "toy", 0, 5, 3 * GB, False, True)
    last = replace(shown.nodes[2], shards=(old, spare))
    matrix = shard_matrix(replace(shown, nodes=(*shown.nodes[:2], last)))
    assert matrix.models == ("older", "toy") and matrix.nodes == THREE
    assert [cell.text for cell in matrix.rows[0]] == ["", "", "0–3 · 2.0 GB"]
    assert [cell.text for cell in matrix.rows[1]] == [
        "0–5 · 2.7 GB · loaded",
        "6–11 · 2.7 GB · loaded",
        "0–5 · 3.0 GB · spare",
    ]
    parts = tuple(ShardView(str(a), "toy", a, b, GB, False) for a, b in ((2, 4), (0, 2), (7, 8), (5, 5)))
    cell = shard_matrix(replace(shown, nodes=(*shown.nodes[:2], replace(last, shards=parts)))).rows[0][2]
    assert cell.text == "0–5, 7–8 · up to 4.0 GB"  # layer 2 lies there once
    sending = replace(last, shards=(), transfer=TransferView("sending", GB, 4 * GB, 112e6))
    cell = shard_matrix(replace(shown, nodes=(*shown.nodes[:2], sending))).rows[0][2]
    assert (cell.text, cell.moving) == ("sending 25%, 112 MB/s", 0.25)


@pytest.mark.parametrize(
    ("values", "runs"),
    [
        ([], []),
        ([None, None], []),
        ([1.0, 2.0], [[(58 / 59, 0.5), (1.0, 1.0)]]),
        ([2.0, None, 1.0], [[(57 / 59, 1.0)], [(1.0, 0.5)]]),
        ([1.0] + [None] * 299, [[(0.0, 0.5)]]),
    ],
)
def test_lines_have_holes_where_nothing_was_measured(
    values: list[float | None], runs: list[list[tuple[float, float]]]
) -> None:
    assert history.lines(values, 2.0) == [[pytest.approx(point) for point in run] for run in runs]


@pytest.mark.parametrize(
    ("run", "columns", "points"),
    [
        ([], 4, []),
        ([(0.5, 0.2)], 4, [(0.5, 0.2)]),
        ([(0.0, 0.0), (0.2, 1.0), (0.3, 0.5), (1.0, 0.5)], 4, [(0.1, 0.5), (0.3, 0.5), (1.0, 0.5)]),
    ],
)
def test_a_line_has_no_more_points_than_columns(
    run: list[tuple[float, float]], columns: int, points: list[tuple[float, float]]
) -> None:
    assert history.thinned(run, columns) == [pytest.approx(point) for point in points]


def test_history_takes_one_sample_a_second() -> None:
    kept, view = history.History(), cluster(("a", "b"), 12).nodes[0]
    assert [kept.add(view, now) for now in (0.0, 0.25, 0.9, 1.1, 4.0)] == [True, False, False, True, True]
    assert kept.compute_ms == [9.0, 9.0, None, None, 9.0]
    idle = replace(view, stage=replace(view.stage, sequences=0))  # type: ignore[type-var]
    assert kept.add(idle, 5.0) and kept.compute_ms[-1] is None  # the last median of an idle stage is no news
    for second in range(6, 2000):
        kept.add(view, float(second))
    assert len(kept.memory) == history.KEPT
    assert history.spoken("Hop", [None, 2.0, 4.0], " ms") == "Hop, last 4 ms, between 2 ms and 4 ms"


@pytest.mark.parametrize(
    ("rates", "sends", "text"),
    [
        ({"a": 100e6}, {"a": 4.1e9}, "Deploy moves 4.1 GB to a, about 40 s at the rate of the last push."),
        ({"a": 100e6}, {"a": 4.1e9, "b": 0}, "Deploy moves 4.1 GB to a, about 40 s at the rate of the last push."),
        ({}, {"a": 4.1e9}, "Deploy moves 4.1 GB to a."),  # without a rate no time
        ({"a": 100e6}, {"a": 4.1e9, "b": 1e9}, "Deploy moves 4.1 GB to a and 1.0 GB to b."),
        (
            {"a": 1e9, "b": 10e6},
            {"a": 4e9, "b": 4e9},
            "Deploy moves 4.0 GB to a and 4.0 GB to b, about 7 min at the rate of the last push.",
        ),
        ({}, {"a": 0}, "Deploy sends nothing: every machine holds its layers."),
    ],
)
def test_what_deploy_moves(rates: dict[str, float], sends: dict[str, float], text: str) -> None:
    moves = tuple(NodeMove(name, int(count), int(count), 0, 1) for name, count in sends.items())
    assert move_words(moves, {name: MachineFigures(push_bytes_per_s=rate) for name, rate in rates.items()}) == text


@pytest.mark.parametrize(
    ("runs", "quick", "hops", "text"),
    [
        ({}, {}, {}, ""),
        ({"a": 1e-11, "b": 1e-11}, {}, {"a": 1.0, "b": 1.0}, "est. 17.9 tok/s · slowest: a"),
        ({"a": 1e-11, "b": 1e-11}, {}, {}, "at most 18.5 tok/s, hops not measured · slowest: a"),
        ({"a": 1e-11}, {"b": 1e11}, {"a": 1.0, "b": 1.0}, "est. 17.9 tok/s by a quick reading · slowest: a"),
        ({"a": 1e-11}, {}, {"a": 1.0}, ""),  # nothing of b: nothing is said
    ],
)
def test_forecasts_say_what_they_rest_on(
    runs: dict[str, float], quick: dict[str, float], hops: dict[str, float], text: str
) -> None:
    figures = {name: MachineFigures(runs.get(name), hops.get(name), None, quick.get(name)) for name in ("a", "b")}
    bare = cluster(("a", "b"), 12, deployed=False)
    found = forecast(replace(bare, seconds_per_byte=runs, figures=figures), even_split(("a", "b"), 12), CONTEXT)
    assert found.partition(" · ")[0] + " · slowest: a" == text if text else not found


def test_the_solver_is_not_asked_with_every_beat() -> None:
    now = [0.0]
    proposals = Proposals(lambda: now[0])
    shown = cluster(THREE, 12, deployed=False)
    first = proposals.look(shown, CONTEXT)
    assert isinstance(first, Placement) and first == starting_placement(shown, CONTEXT)
    less = replace(
        shown, nodes=tuple(replace(each, memory=replace(each.memory, shard_available=4 * GB)) for each in shown.nodes)
    )  # type: ignore[type-var]
    assert proposals.look(less, CONTEXT) is first  # another beat
    now[0] += FRESH_S
    assert proposals.look(less, CONTEXT) is not first
    other = proposals.look(replace(less, nodes=less.nodes[:2]), CONTEXT)  # another cluster: at once
    assert isinstance(other, Placement) and "mini-2" not in other.nodes


def test_pins_change_the_proposal_at_once() -> None:
    proposals, shown = Proposals(lambda: 0.0), cluster(THREE, 12, deployed=False)
    draft = Draft("m", EditHistory(Staged(even_split(THREE, 12).move_boundary(0, 1), CONTEXT)))
    free = proposals.look(shown, CONTEXT, draft)
    kept = proposals.look(shown, CONTEXT, draft.edited(False, pins=frozenset({"studio-a"})))
    assert isinstance(free, Placement) and isinstance(kept, Placement)
    assert free.stage_of("studio-a") != kept.stage_of("studio-a") == draft.now.placement.stage_of("studio-a")


def test_the_lower_pane(qtbot: QtBot, qapp: QApplication) -> None:
    Theme(qapp, "dark")
    pane = LowerPane(CoreBridge(Controller))
    qtbot.addWidget(pane)
    pane.resize(900, 260)
    pane.show()
    qtbot.waitExposed(pane)
    pane.show_snapshot(cluster(THREE, 12, model="toy"))
    qtbot.mouseClick(pane.buttons["Links"], Qt.MouseButton.LeftButton)
    assert pane.view == "Links" and "round trip" in pane.links.canvas.accessibleDescription()
    boxes = pane.links.canvas.boxes()
    assert len(boxes) == 3 and all(one.right() < two.left() for one, two in pairwise(boxes))
    pane.buttons["Shards"].setFocus()
    qtbot.keyClick(pane.buttons["Shards"], Qt.Key.Key_Space)
    table = pane.shards.table
    assert pane.view == "Shards" and (table.rowCount(), table.columnCount()) == (1, 3)
    assert table.item(0, 0).text() == "0–5 · 2.7 GB · loaded" and table.item(0, 2).text() == "–"
    pane.show_snapshot(Snapshot())
    assert pane.shards.empty.isVisible() and not table.isVisible()

"""The board lets no boundary rest where the model cannot be cut, by mouse, by key, by dropping and by Balance."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.core.errors import ShardboardError
from app.core.placement.history import EditHistory
from app.core.placement.placement import Placement, StageRange, problems
from app.core.snapshot import MemoryView, ModelView, Snapshot
from app.ui.board import geometry
from app.ui.board.geometry import snap
from app.ui.board.gesture import Run
from app.ui.board.segments import Segment
from app.ui.board.state import BoardState
from app.ui.board.strip import LayerStrip
from app.ui.cluster.planning import Draft, Staged, balanced, board_state, starting_placement
from app.ui.theme import Theme
from tests.made_up_models import GB, model
from tests.made_up_nodes import node

LAYERS = 10
FORBIDDEN = dict.fromkeys((4, 5, 6), "layers 3 to 6 share one cache")
CONTEXT = 512


@pytest.mark.parametrize(
    ("value", "previous", "rests_at"),
    [
        (2, None, 2),
        (4, None, 3),
        (5, None, 3),
        (6, None, 7),
        (4, 3, 7),  # a step goes on in its direction …
        (6, 7, 3),
        (5, 1, 7),
        (9, 8, 9),
        (1, 3, 1),
    ],
)
def test_where_a_boundary_rests(value: int, previous: int | None, rests_at: int) -> None:
    assert snap(value, 1, 9, FORBIDDEN, previous) == rests_at


@pytest.mark.parametrize(
    ("low", "high", "value", "previous", "rests_at"),
    [
        (1, 6, 6, None, 3),
        (1, 6, 5, 3, 3),  # … unless nothing is allowed there
        (4, 9, 4, 7, 7),
        (4, 6, 5, None, None),
    ],
)
def test_where_it_rests_near_an_end(
    low: int, high: int, value: int, previous: int | None, rests_at: int | None
) -> None:
    assert snap(value, low, high, FORBIDDEN, previous) == rests_at


def snapshot(*names: str) -> Snapshot:
    memory = MemoryView(64 * GB, 0, 0, 0, 64 * GB, 64 * GB)
    nodes = tuple(node(name, memory=memory) for name in names)
    return Snapshot(nodes=nodes, model=ModelView("toy", "", model([GB] * LAYERS, forbidden=FORBIDDEN)))


def state(cut: int = 3) -> BoardState:
    placement = Placement(LAYERS, (StageRange("mini-1", 0, cut - 1), StageRange("mini-2", cut, LAYERS - 1)))
    return board_state(snapshot("mini-1", "mini-2", "air"), Draft("toy", EditHistory(Staged(placement, CONTEXT))), ())


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_the_board_begins_and_balances_on_allowed_cuts(count: int) -> None:
    shown = snapshot(*(f"mini-{number}" for number in range(count)))
    names = [each.name for each in shown.nodes]
    for found in (starting_placement(shown, CONTEXT), balanced(shown, CONTEXT)):
        assert isinstance(found, Placement) and len(found.stages) == count
        assert problems(found, names, FORBIDDEN) == ()


@pytest.mark.parametrize(("first", "last"), [(4, 9), (0, 4), (7, 9), (2, 5)])
def test_a_run_is_dropped_only_where_it_may_end(first: int, last: int) -> None:
    shown = state()
    assert shown.rules is not None
    after = shown.placement.assign("air", first, last)
    if {stage.first for stage in after.stages} & FORBIDDEN.keys():
        with pytest.raises(ShardboardError, match=r"cannot be cut before layer \d .layers 3 to 6 share one cache"):
            shown.rules.give(shown.placement, "air", Run(first, last))
    else:
        assert shown.rules.give(shown.placement, "air", Run(first, last)) == after


def test_a_forbidden_cut_cannot_be_deployed() -> None:
    shown = state(cut=5)
    assert "cannot be cut before layer 5 (layers 3 to 6 share one cache)" in shown.deploy_why_not


Shown = Callable[[int], tuple[LayerStrip, list[Placement], list[str]]]


@pytest.fixture
def strip(qtbot: QtBot, qapp: QApplication) -> Iterator[Shown]:
    """`strip(cut)`: a strip with the boundary there, the placements that it asks for, and what it says."""
    Theme(qapp, "dark")
    made: list[LayerStrip] = []

    def show(cut: int) -> tuple[LayerStrip, list[Placement], list[str]]:
        shown = LayerStrip(lambda _: "")
        made.append(shown)
        wanted: list[Placement] = []
        said: list[str] = []
        shown.wanted.connect(wanted.append)
        shown.noted.connect(said.append)
        shown.resize(900, shown.sizeHint().height())
        shown.show_state(state(cut))
        shown.show()
        return shown, wanted, said

    yield show
    for each in made:
        each.close()
        each.deleteLater()
    qapp.processEvents()


@pytest.mark.parametrize(
    ("key", "cut", "rests_at"),
    [
        (Qt.Key.Key_Right, 3, 7),
        (Qt.Key.Key_Left, 7, 3),
        (Qt.Key.Key_PageUp, 1, 7),
        (Qt.Key.Key_PageDown, 9, 3),
        (Qt.Key.Key_Right, 7, 8),
    ],
)
def test_keys_step_over_forbidden_cuts(key: Qt.Key, cut: int, rests_at: int, strip: Shown, qtbot: QtBot) -> None:
    shown, wanted, said = strip(cut)
    qtbot.keyClick(shown.handles[0], key)
    assert [placement.stages[1].first for placement in wanted] == [rests_at]
    assert any("share one cache" in text for text in said) == (abs(rests_at - cut) > 1)


def test_a_dragged_boundary_jumps_over_forbidden_cuts(strip: Shown, qtbot: QtBot) -> None:
    shown, wanted, said = strip(3)
    handle = shown.handles[0]
    seen: set[int] = set()
    qtbot.mousePress(handle, Qt.MouseButton.LeftButton)
    for x in range(handle.x(), shown.width() - 100, 5):
        qtbot.mouseMove(shown.handles[0], shown.handles[0].mapFromGlobal(shown.mapToGlobal(QPoint(x, 10))))
        seen.add(shown.handles[0].value())
    qtbot.mouseRelease(shown.handles[0], Qt.MouseButton.LeftButton)
    assert seen >= {3, 7, 8} and not seen & FORBIDDEN.keys()
    assert any("cannot be cut before layer 5" in text for text in said)
    assert wanted and wanted[-1].stages[1].first in (8, 9)


def test_a_boundary_between_narrow_blocks_follows_the_pointer() -> None:
    """With so many machines that every block is as narrow as can be, all values have one place of the handle."""
    parts = tuple(Segment(f"mini-{number}", 8 * number, 8 * number + 7) for number in range(16))
    room = 16 * geometry.BLOCK_MINIMUM
    left = 3 * (geometry.BLOCK_MINIMUM + geometry.BOUNDARY)
    width = 2 * geometry.BLOCK_MINIMUM + geometry.BOUNDARY
    found = [geometry.boundary_at(left + width * share, parts, 3, room) for share in (0.01, 0.25, 0.5, 0.75, 0.99)]
    assert found == [25, 28, 32, 36, 39]

"""The Cluster place, with real mouse and key events: the board's gestures, pins, saved placements, cards."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
import shiboken6
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QApplication, QMessageBox, QWidget
from pytestqt.qtbot import QtBot

from app.core.controller import Controller
from app.core.placement.placement import Placement, problems
from app.core.placement.saved import SavedPlacement
from app.core.snapshot import DeploymentState, NodeState, Snapshot, SparesView, SpareView, TransferView
from app.ui.bridge import CoreBridge, Handle
from app.ui.cluster.page import ClusterPage
from app.ui.theme import Theme
from tests.ui.cluster.made_up import GB, cluster, node

THREE = ("studio-a", "mini-1", "mini-2")
LEFT = Qt.MouseButton.LeftButton


def show(page: ClusterPage, snapshot: Snapshot) -> None:
    page._bridge.snapshot = snapshot
    page._bridge.snapshot_changed.emit(snapshot)


@pytest.fixture(scope="module")
def styled(qapp: QApplication) -> Theme:
    """Once: a new style sheet polishes every widget that still lives."""
    return Theme(qapp, "dark")


@pytest.fixture
def page(qtbot: QtBot, qapp: QApplication, styled: Theme) -> Iterator[ClusterPage]:
    """12 layers on studio-a (0-5) and mini-1 (6-11); mini-2 holds nothing. No controller behind it."""
    made = ClusterPage(CoreBridge(Controller))
    made.resize(1000, 900)
    made.show()
    qtbot.waitExposed(made)
    with qtbot.waitSignal(made.splitter.fitted):
        show(made, cluster(THREE, 12))
    qapp.processEvents()
    yield made
    made.close()
    shiboken6.delete(made)


def ranges(page: ClusterPage) -> dict[str, tuple[int, int]]:
    assert page.draft is not None
    return {stage.node: (stage.first, stage.last) for stage in page.draft.now.placement.stages}


def drag(qtbot: QtBot, grabbed: QWidget, begin: QPoint, to: QWidget, end: QPoint, drop: bool = True) -> None:
    """In steps, as a hand moves; the grabbed widget gets the events, as with a real pointer."""
    qtbot.mousePress(grabbed, LEFT, pos=begin)
    for step in range(1, 9):
        goal = grabbed.mapFromGlobal(to.mapToGlobal(end))
        qtbot.mouseMove(grabbed, begin + (goal - begin) * step / 8)
    if drop:
        qtbot.mouseRelease(grabbed, LEFT, pos=grabbed.mapFromGlobal(to.mapToGlobal(end)))


# -- drags ------------------------------------------------------------------------------------------------------------


def test_a_range_is_dragged_onto_a_free_machine(qtbot: QtBot, page: ClusterPage) -> None:
    assert ranges(page) == {"studio-a": (0, 5), "mini-1": (6, 11)}
    block, target = page.board.strip.blocks[0], page.board.tray.target("mini-2")
    drag(qtbot, block, QPoint(30, 20), target, target.rect().center())
    assert ranges(page) == {"mini-2": (0, 5), "mini-1": (6, 11)}
    assert page.board.header.deploy.text() == "Deploy 2 changes" and page.board.header.deploy.isEnabled()


def test_chosen_layers_are_dragged_onto_a_card(qtbot: QtBot, page: ClusterPage) -> None:
    block = page.board.strip.blocks[1]
    row = block.height() - 16
    pitch = (block.width() - 18) / 6
    drag(qtbot, block, QPoint(round(9 + pitch * 4.5), row), block, QPoint(round(9 + pitch * 5.5), row))
    assert (run := page.board.strip.selection) is not None and (run.first, run.last) == (10, 11)
    card = page.card("mini-2")
    drag(qtbot, block, QPoint(round(9 + pitch * 4.6), row), card, QPoint(40, 60))
    assert ranges(page) == {"studio-a": (0, 5), "mini-1": (6, 9), "mini-2": (10, 11)}


def test_what_it_means_is_shown_while_it_is_carried_and_escape_gives_it_up(qtbot: QtBot, page: ClusterPage) -> None:
    block, target = page.board.strip.blocks[0], page.board.tray.target("mini-2")
    speed, free = page.board.speed.text(), page.card("mini-2").legend.text()
    assert "est. " in speed and "slowest: " in speed
    drag(qtbot, block, QPoint(30, 20), target, target.rect().center(), drop=False)
    assert target.outlook.weights == 6 * 450_000_000 and target.outlook.kv > 0 and target.outlook.left
    assert "by a quick reading" in page.board.speed.text()  # mini-2 never ran a model
    assert page.card("mini-2").legend.text().startswith("2.7 GB weights")
    assert page.card("mini-2").property("drop") == "target"
    qtbot.keyClick(block, Qt.Key.Key_Escape)
    qtbot.mouseRelease(block, LEFT)
    assert ranges(page) == {"studio-a": (0, 5), "mini-1": (6, 11)}
    assert (page.board.speed.text(), page.card("mini-2").legend.text()) == (speed, free)
    assert page.card("mini-2").property("drop") == ""


def test_a_boundary_is_dragged_and_undone(qtbot: QtBot, page: ClusterPage) -> None:
    handle, block = page.board.strip.handles[0], page.board.strip.blocks[0]
    drag(qtbot, handle, handle.rect().center(), block, QPoint(round(block.width() * 0.5), 40), drop=False)
    here = ranges(page)
    assert here == {"studio-a": (0, 5), "mini-1": (6, 11)}  # staged when it is let go
    assert page.board.strip.parts[0].last == 2
    qtbot.mouseRelease(page.board.strip.handles[0], LEFT)
    assert ranges(page) == {"studio-a": (0, 2), "mini-1": (3, 11)}
    header = page.board.header
    qtbot.mouseClick(header.undo, LEFT)
    assert ranges(page) == here and not header.undo.isEnabled()
    assert header.undo.toolTip() == "There is nothing to undo."
    qtbot.mouseClick(header.redo, LEFT)
    assert ranges(page) == {"studio-a": (0, 2), "mini-1": (3, 11)}


def test_pins_spares_and_context_are_undone_one_after_another(qtbot: QtBot, page: ClusterPage) -> None:
    header = page.board.header
    page.toggle_pin("mini-1")
    qtbot.mouseClick(header.spares, LEFT, pos=QPoint(8, header.spares.height() // 2))
    header.context.setValue(8192)

    def staged() -> tuple[bool, bool, int]:
        assert page.state is not None
        return "mini-1" in page.state.pins, page.state.spares, page.state.context

    steps = [(False, False, 4096), (True, False, 4096), (True, True, 4096), (True, True, 8192)]
    assert staged() == steps[3]
    for step in (2, 1, 0):
        qtbot.mouseClick(header.undo, LEFT)
        assert staged() == steps[step] and header.spares.isChecked() is steps[step][1]
    assert not header.undo.isEnabled() and not header.deploy.isEnabled()
    for step in (1, 2, 3):
        qtbot.mouseClick(header.redo, LEFT)
        assert staged() == steps[step]


def test_deploy_stays_disabled_until_the_deployment_that_was_asked_for_has_ended(
    qtbot: QtBot, page: ClusterPage
) -> None:
    """Between what was prepared and the switch to it the snapshot says nothing of either."""
    page.toggle_pin("mini-1")
    page.stage(page.draft.now.placement.move_boundary(0, 3))  # type: ignore[union-attr]
    header = page.board.header
    assert header.deploy.isEnabled() and header.cancel.isHidden()
    page._deploying = Handle(page._bridge)
    show(page, cluster(THREE, 12))
    assert not header.deploy.isEnabled() and header.deploy.toolTip() == "A deployment is under way."
    assert header.cancel.isVisible() and header.deploy.text() == "Deploying…"
    page._deploying.done = True
    page._deployed(None)
    assert page.draft is not None and page.draft.now.pins == {"mini-1"}
    show(page, cluster(THREE, 12))
    assert header.deploy.text() == "Deploy" and header.cancel.isHidden()


def test_a_snapshot_in_mid_drag_waits(qtbot: QtBot, page: ClusterPage) -> None:
    handle, block = page.board.strip.handles[0], page.board.strip.blocks[0]
    drag(qtbot, handle, handle.rect().center(), block, QPoint(block.width() // 2, 40), drop=False)
    show(page, replace(cluster(THREE, 12), default_context=2048))
    assert page.board.strip.busy and page.board.strip.parts[0].last == 2
    qtbot.mouseRelease(page.board.strip.handles[0], LEFT)
    assert ranges(page)["studio-a"] == (0, 2)


# -- keys -------------------------------------------------------------------------------------------------------------


def test_by_keyboard_alone(qtbot: QtBot, page: ClusterPage) -> None:
    strip = page.board.strip
    strip.blocks[0].setFocus()
    qtbot.keyClick(strip.blocks[0], Qt.Key.Key_Tab)
    assert strip.handles[0].hasFocus()
    qtbot.keyClick(strip.handles[0], Qt.Key.Key_Left)
    assert ranges(page)["studio-a"] == (0, 4)
    qtbot.keyClick(strip.handles[0], Qt.Key.Key_Home)
    assert ranges(page)["studio-a"] == (0, 0)
    block = strip.blocks[1]
    block.setFocus()
    qtbot.keyClick(block, Qt.Key.Key_Left)  # the last layer is chosen
    qtbot.keyClick(block, Qt.Key.Key_Left, Qt.KeyboardModifier.ShiftModifier)
    assert strip.selection is not None and (strip.selection.first, strip.selection.last) == (10, 11)
    qtbot.keyClick(page.board.tray.target("mini-2"), Qt.Key.Key_Return)
    assert ranges(page) == {"studio-a": (0, 0), "mini-1": (1, 9), "mini-2": (10, 11)}
    qtbot.keyClick(strip.blocks[0], Qt.Key.Key_Return)
    assert strip.menu is not None
    titles = [action.text() for action in strip.menu.actions() if action.text()]
    assert titles[0] == "Give layer 0 to" and titles[-1] == "Pin layer 0 on studio-a\tP"
    next(action for action in strip.menu.actions() if action.data() == "mini-2").trigger()
    strip.menu.close()
    assert "studio-a" not in ranges(page)


# -- pins, Balance, saved ---------------------------------------------------------------------------------------------


def test_balance_leaves_a_pinned_range(qtbot: QtBot, page: ClusterPage) -> None:
    strip = page.board.strip
    page.stage(Placement(12, cluster(THREE, 12).deployment.placement.move_boundary(0, 1).stages))  # type: ignore[union-attr]
    qtbot.keyClick(strip.blocks[0], Qt.Key.Key_P)
    assert strip.blocks[0].pinned and "pinned" in strip.blocks[0].accessibleName()
    qtbot.mouseClick(page.board.header.balance, LEFT)
    assert ranges(page)["studio-a"] == (0, 0)
    assert problems(page.draft.now.placement, THREE, {}) == ()  # type: ignore[union-attr]
    qtbot.keyClick(strip.blocks[0], Qt.Key.Key_P)
    qtbot.mouseClick(page.board.header.balance, LEFT)
    assert ranges(page).get("studio-a") != (0, 0)


def test_saved_placements_are_restored_and_missing_machines_told(qtbot: QtBot, page: ClusterPage) -> None:
    saved_button = page.board.header.saved
    shown = cluster(THREE, 12)
    assert saved_button.menu_of_saved().actions()[0].text() == "Nothing is saved for this model yet"
    placed = Placement(12, cluster(("studio-a", "mini-9"), 12).deployment.placement.stages)  # type: ignore[union-attr]
    kept = SavedPlacement("With mini-9", shown.model.name, placed, 2048, ("studio-a",))  # type: ignore[union-attr]
    show(page, replace(shown, saved=(kept,)))
    menu = saved_button.menu_of_saved()
    menu.actions()[0].trigger()
    assert ranges(page) == {"studio-a": (0, 11)} and page.draft.now.context == 2048  # type: ignore[union-attr]
    assert "mini-9 is not among your machines now: layers 6 to 11 went to studio-a." in page.board.banner.text
    page.undo()
    assert ranges(page) == {"studio-a": (0, 5), "mini-1": (6, 11)}
    none = replace(kept, placement=Placement(12, cluster(("x", "y"), 12).deployment.placement.stages))  # type: ignore[union-attr]
    show(page, replace(shown, saved=(none,)))
    page.restore_placement("With mini-9")
    assert "None of the machines" in page.board.banner.text


def test_a_name_is_asked_for(qtbot: QtBot, page: ClusterPage) -> None:
    button = page.board.header.saved
    button.ask()
    dialog = button.dialog
    assert dialog is not None and not dialog.save.isEnabled() and dialog.save.toolTip() == "Type a name first."
    with qtbot.waitSignal(button.save_wanted) as named:
        qtbot.keyClicks(dialog.name, "  Both   minis ")
        qtbot.keyClick(dialog.name, Qt.Key.Key_Return)
    assert named.args == ["Both minis"]


# -- what is under way ------------------------------------------------------------------------------------------------


def test_a_lost_machine_and_its_recovery(page: ClusterPage) -> None:
    shown = cluster(THREE, 12)
    lost = tuple(node("mini-1", state=NodeState.LOST) if each.name == "mini-1" else each for each in shown.nodes)
    sentence = f"Recovering. {lost[1].state_text}"
    view = replace(shown.deployment, state=DeploymentState.DEPLOYING, text=sentence)
    show(page, replace(shown, nodes=lost, deployment=view))
    header = page.board.header
    assert page.board.news.text() == sentence and page.board.news.isVisible()
    assert header.deploy.text() == "Recovering…" and header.deploy.toolTip() == "A deployment is under way."
    assert not header.cancel.isVisible()  # nobody here began it
    assert page.board.strip.blocks[1].shown_lines()[2].endswith("lost")
    card = page.card("mini-1")
    assert card.state.text() == "lost" and card.trouble.text() == lost[1].state_text and card.trouble.isVisible()
    after = replace(
        shown.deployment, placement=Placement(12, cluster(("studio-a", "mini-2"), 12).deployment.placement.stages)
    )  # type: ignore[union-attr]
    show(page, replace(shown, nodes=lost, deployment=after))
    assert ranges(page) == {"studio-a": (0, 5), "mini-2": (6, 11)}  # the board follows what runs now
    assert not page.board.news.isVisible() and header.deploy.text() == "Deploy"


def test_moving_beside_what_runs_is_told(page: ClusterPage) -> None:
    shown = cluster(THREE, 12)
    coming = replace(shown.deployment, text="Preparing beside what runs.", coming=shown.deployment.placement)
    show(page, replace(shown, deployment=coming))
    assert page.board.news.text() == "Preparing beside what runs."
    assert page.board.header.deploy.toolTip() == "A deployment is under way."


def test_spares_are_a_staged_change_and_marked(qtbot: QtBot, page: ClusterPage) -> None:
    header = page.board.header
    assert not header.deploy.isEnabled()
    qtbot.mouseClick(header.spares, LEFT, pos=QPoint(10, header.spares.height() // 2))
    assert header.spares.isChecked() and header.deploy.text() == "Deploy 1 change"
    spares = SparesView(True, "On its way.", (SpareView("mini-2", 0, 5, "studio-a", GB, False),))
    show(page, replace(cluster(THREE, 12), spares=spares))
    assert not header.deploy.isEnabled()  # as deployed
    assert page.board.strip.blocks[0].spare == "spare on mini-2, on its way"
    assert "spare on mini-2" in page.board.strip.blocks[0].accessibleName()
    show(page, cluster(("only",), 12))
    assert not header.spares.isEnabled() and "second machine" in header.spares.toolTip()


def test_a_card_is_higher_while_something_is_sent_to_it(page: ClusterPage, qapp: QApplication) -> None:
    shown = cluster(THREE, 12)
    before = page.card("mini-2").height()
    sending = TransferView("sending", GB, 4 * GB, 112e6)
    show(page, replace(shown, nodes=tuple(replace(each, transfer=sending) for each in shown.nodes)))
    qapp.processEvents()
    card = page.card("mini-2")
    assert card.progress.value() == 250 and card.progress_text.text() == "sending 1.0 GB of 4.0 GB · 112 MB/s"
    assert card.height() > before  # nothing in it is squeezed
    show(page, shown)
    qapp.processEvents()
    assert card.height() == before


# -- a machine's menu -------------------------------------------------------------------------------------------------


MENU = [
    ("mini-1", "Restart stage", ""),
    ("mini-2", "Restart stage", "No stage is loaded on this machine."),
    ("mini-2", "Free memory", "No stage is loaded on this machine."),
    ("mini-1", "Measure speed", "An answer is being computed there."),
    ("mini-2", "Measure speed", ""),
    ("gone", "Restart stage", "gone does not answer now."),
    ("gone", "Free memory", "gone does not answer now."),
    ("gone", "Show its activity", ""),
    ("gone", "Forget this machine", ""),
    ("own", "Forget this machine", "This agent belongs to this window and ends with it."),
]


def test_the_menu_says_why_not(page: ClusterPage) -> None:
    shown = cluster(THREE, 12)
    more = (node("gone", state=NodeState.LOST), replace(node("own"), local=True))
    show(page, replace(shown, nodes=(*shown.nodes, *more)))
    for name, entry, why_not in MENU:
        action = next(each for each in page.card(name).menu().actions() if each.text() == entry)
        assert action.isEnabled() == (not why_not), (name, entry)
        assert not why_not or action.toolTip() == why_not


def test_freeing_what_the_model_needs_is_asked_first(qtbot: QtBot, page: ClusterPage) -> None:
    action = next(each for each in page.card("mini-1").menu().actions() if each.text() == "Free memory")
    action.trigger()
    boxes = [each for each in page.findChildren(QMessageBox) if each.isVisible()]
    assert len(boxes) == 1 and "unloaded from all of its machines" in boxes[0].informativeText()
    boxes[0].reject()


def test_the_activity_of_one_machine(page: ClusterPage) -> None:
    page.views.show_view("Shards")
    next(each for each in page.card("mini-1").menu().actions() if each.text() == "Show its activity").trigger()
    assert page.views.view == "Activity" and page.activity.node == "mini-1"


def test_colours_follow_the_board_when_a_machine_is_forgotten(page: ClusterPage) -> None:
    shown = cluster(THREE, 12)
    show(page, replace(shown, nodes=shown.nodes[1:]))
    assert page.state is not None
    for name in THREE[1:]:
        assert page.card(name).dot._colour == page.state.outlooks[name].colour

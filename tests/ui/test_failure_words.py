"""Each failure of DESIGN.md, section 6, in the window: words of its own, the machine's name, and what can be done."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import replace

import pytest
from PySide6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot

from app.core.cluster.node import explain_loss
from app.core.cluster.versions import protocol_problem
from app.core.deployment.looking import parted_text, stopped_text
from app.core.deployment.review import taken_problem
from app.core.placement.budget import memory_problems
from app.core.placement.placement import even_split
from app.core.placement.solver import NodeCapacity, WhyNot, balance
from app.core.snapshot import NodeState
from app.ui.cluster.node_card import NodeCard
from app.ui.widgets import Banner
from shardd.agent.diagnosis import diagnose
from shardd.identity.probe import ProbeOutcome
from shardd.rpc import agent_pb2
from tests.made_up_models import GB
from tests.ui.cluster.made_up import cluster, inventory

NODE = "mini-1"
ADDRESS = "10.0.0.7:8101"
# What a person can do about it is told by one of these, or by a button on the machine's card.
DEEDS = (
    "Pair it",
    "Forget",
    "Start it",
    "wake it",
    "Restart",
    "Check",
    "Look",
    "install",
    "update",
    "Move",
    "Undeploy",
)


def away(outcome: ProbeOutcome, same: bool = True) -> Callable[[], tuple[NodeState, str]]:
    return lambda: explain_loss(outcome, same, NODE, ADDRESS)


def stopped(code: int, told: str | None = None) -> str:
    """As the agent tells why a stage's process ended, and the controller which one it was."""
    return stopped_text(NODE, agent_pb2.Stage(first=0, last=5, cause=diagnose(code, told, ())))


MACHINES: dict[str, Callable[[], tuple[NodeState, str]]] = {
    "asleep, off or out of the network": away(ProbeOutcome.TIMEOUT),
    "its agent ended": away(ProbeOutcome.REFUSED),
    "frozen": away(ProbeOutcome.SILENT),
    "no way there": away(ProbeOutcome.UNREACHABLE),
    "another program has its port": away(ProbeOutcome.NOT_TLS),
    "unpaired on the other side": away(ProbeOutcome.CERTIFICATE),
    "another machine has its address": away(ProbeOutcome.CERTIFICATE, same=False),
    "an older version": lambda: (NodeState.INCOMPATIBLE, protocol_problem(NODE, "0.0.1", "0")),
    "another build of this version": lambda: (NodeState.INCOMPATIBLE, protocol_problem(NODE, _own_version(), "0")),
}
STAGES: dict[str, Callable[[], str]] = {
    "killed, as by want of memory": lambda: stopped(-9),
    "the library gave up": lambda: stopped(-6),
    "a fault in the program": lambda: stopped(-11),
    "it says itself why": lambda: stopped(1, "The GPU ran out of memory."),
}
DEPLOYMENTS: dict[str, Callable[[], str]] = {
    "a lane cannot be opened": lambda: parted_text(NODE),
    "layers do not fit a machine": lambda: _memory(),
    "another controller has it": lambda: taken_problem(NODE, "desk").sentence,
}


def _own_version() -> str:
    import shardd

    return shardd.__version__


def _memory() -> str:
    held = inventory(12)
    return memory_problems(even_split((NODE,), 12), held, {NODE: GB}, 4096)[0].sentence


def shown_on_its_card(qtbot: QtBot, state: NodeState, text: str = "", stage_cause: str = "") -> NodeCard:
    view = cluster((NODE, "mini-2"), 12).nodes[0]
    stage = replace(view.stage, state="failed", cause=stage_cause) if view.stage and stage_cause else view.stage
    card = NodeCard(NODE, 0)
    qtbot.addWidget(card)
    card.show_node(replace(view, state=state, state_text=text or "Ready.", stage=stage))
    card.show()
    return card


@pytest.mark.parametrize("failure", MACHINES)
def test_a_machine_that_cannot_be_used(failure: str, qtbot: QtBot) -> None:
    state, text = MACHINES[failure]()
    card = shown_on_its_card(qtbot, state, text)
    assert card.trouble.isVisible() and card.trouble.text() == text
    assert card.state.text() == state.value
    assert NODE in text and any(deed in text for deed in DEEDS), text


@pytest.mark.parametrize("failure", STAGES)
def test_a_stage_that_ended(failure: str, qtbot: QtBot) -> None:
    text = STAGES[failure]()
    card = shown_on_its_card(qtbot, NodeState.READY, stage_cause=text)
    assert card.trouble.isVisible() and card.trouble.text() == text
    assert NODE in text and "Layers 0 to 5" in text
    restart = next(each for each in card.findChildren(QPushButton) if each is card.restart)
    assert restart.isVisible() and restart.isEnabled() and NODE in restart.accessibleDescription()


@pytest.mark.parametrize("failure", DEPLOYMENTS)
def test_a_deployment_that_cannot_be(failure: str, qtbot: QtBot) -> None:
    text = DEPLOYMENTS[failure]()
    banner = Banner()
    qtbot.addWidget(banner)
    banner.show_message(text)
    assert banner.isVisible() and banner.text == text
    assert NODE in text and any(deed in text for deed in DEEDS), text


def test_where_no_placement_fits_it_says_what_is_missing() -> None:
    found = balance(inventory(12), [NodeCapacity(NODE, GB, None), NodeCapacity("mini-2", GB, None)], 4096)
    assert isinstance(found, WhyNot)
    assert "are missing" in found.sentence and "GB" in found.sentence and "Add a machine" in found.sentence


def test_no_way_of_being_away_is_left_out() -> None:
    """What a probe can find, and what a machine's state can be."""
    found = {explain_loss(outcome, same, NODE, ADDRESS) for outcome in ProbeOutcome for same in (True, False)}
    said = {make() for make in MACHINES.values()}
    assert found <= said
    assert {state for state, _ in said} == set(NodeState) - {NodeState.READY, NodeState.CONNECTING, NodeState.SUSPECT}


@pytest.mark.parametrize("state", NodeState)
def test_every_state_of_a_machine_is_named_and_explained(state: NodeState, qtbot: QtBot) -> None:
    card = shown_on_its_card(qtbot, state, f"What is the matter with {NODE}.")
    assert card.state.text() == state.value
    assert card.trouble.isVisible() == (state not in (NodeState.READY, NodeState.CONNECTING))
    restart = {each.text(): each for each in card.menu().actions()}["Restart stage"]
    assert restart.isEnabled() == (state is NodeState.READY)
    assert restart.isEnabled() or restart.toolTip() == f"{NODE} does not answer now."


@pytest.mark.parametrize("number", [*signal.Signals, 77])
def test_however_a_process_is_killed_it_says_by_what(number: int) -> None:
    text = stopped(-number)
    assert NODE in text and (getattr(number, "name", "") or f"signal {number}") in text and text.endswith(".")


def test_each_failure_has_words_of_its_own() -> None:
    said = [text for _, text in (make() for make in MACHINES.values())]
    said += [make() for make in (*STAGES.values(), *DEPLOYMENTS.values())]
    assert len(set(said)) == len(said) == 16
    assert all(text.endswith((".", "shardd run")) for text in said)

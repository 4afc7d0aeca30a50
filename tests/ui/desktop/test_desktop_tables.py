"""Decisions of the desktop's parts, as tables: commands, where a window may stand, motion, what is worth a notice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QRect, QSize
from PySide6.QtGui import QKeySequence

from app.core.library.conversions import Conversion
from app.core.library.library import Download, LibraryView
from app.core.snapshot import DeploymentState, DeploymentView, NodeState, Snapshot
from app.ui.desktop.commands import COMMANDS, HINTS, MENUS, rows
from app.ui.desktop.motion import reduced_motion
from app.ui.desktop.notices import Notice, Seen, cluster_line, cluster_tone, of_answer, of_library, of_nodes
from app.ui.desktop.state import fitted
from tests.made_up_nodes import node

LAPTOP, BESIDE, SIX_K = QRect(0, 0, 1440, 875), QRect(1440, 0, 2560, 1415), QRect(0, 0, 6016, 3359)
LEAST = QSize(960, 600)


def test_every_command_is_told_once() -> None:
    assert len({each.name for each in COMMANDS}) == len(COMMANDS)
    assert {each.menu for each in COMMANDS} == set(MENUS)
    keys = [key for each in COMMANDS for key in each.keys]
    assert len(set(keys)) == len(keys), "two commands on one shortcut"
    assert all(not QKeySequence(key).isEmpty() for key in (*keys, *(key for hint in HINTS for key in hint.keys)))
    assert [each.role for each in COMMANDS if each.role] == ["quit", "preferences", "about"]


def test_the_page_of_shortcuts_holds_every_key() -> None:
    shown = [keys for _, lines in rows() for keys, _ in lines]
    assert all(each.keys in shown for each in COMMANDS if each.keys)
    assert all(hint.keys in shown for hint in HINTS)


@pytest.mark.parametrize(
    ("wanted", "screens", "expected"),
    [
        (QRect(100, 80, 1200, 700), [LAPTOP], QRect(100, 80, 1200, 700)),
        (QRect(1600, 100, 2000, 1200), [LAPTOP, BESIDE], QRect(1600, 100, 2000, 1200)),
        # The screen beside it was taken away: in the middle of what is left, and no larger.
        (QRect(1600, 100, 2000, 1200), [LAPTOP], QRect(0, 0, 1440, 875)),
        (QRect(1600, 100, 1200, 700), [LAPTOP], QRect(120, 87, 1200, 700)),
        # Only a corner is left on the screen: it can still be taken hold of.
        (QRect(1300, 500, 1200, 700), [LAPTOP], QRect(1300, 500, 1200, 700)),
        (QRect(1400, 500, 1200, 700), [LAPTOP], QRect(120, 87, 1200, 700)),
        # The title's strip is above the screen.
        (QRect(100, -400, 1200, 700), [LAPTOP], QRect(120, 87, 1200, 700)),
        # Smaller than a window may be; larger than its screen.
        (QRect(10, 10, 300, 200), [LAPTOP], QRect(10, 10, 960, 600)),
        (QRect(0, 0, 6016, 3359), [LAPTOP], QRect(0, 0, 1440, 875)),
        (QRect(0, 0, 6016, 3359), [SIX_K], QRect(0, 0, 6016, 3359)),
        (QRect(10, 10, 1200, 700), [QRect(0, 0, 800, 500)], QRect(0, 0, 800, 500)),
        (QRect(10, 10, 1200, 700), [], QRect(10, 10, 1200, 700)),
    ],
)
def test_where_a_window_may_stand(wanted: QRect, screens: Sequence[QRect], expected: QRect) -> None:
    assert fitted(wanted, screens, LEAST) == expected


@pytest.mark.parametrize(
    ("chosen", "environment", "system", "expected"),
    [
        ("system", {}, None, False),
        ("system", {}, True, True),
        ("reduced", {}, False, True),
        ("full", {"SHARDBOARD_MOTION": "reduced"}, True, False),
        ("system", {"SHARDBOARD_MOTION": "reduced"}, False, True),
        ("system", {"SHARDBOARD_MOTION": "perhaps"}, None, False),
        ("system", {"GTK_ENABLE_ANIMATIONS": "0"}, None, True),
        ("system", {"GTK_ENABLE_ANIMATIONS": "0"}, False, False),
    ],
)
def test_motion(chosen: str, environment: dict[str, str], system: bool | None, expected: bool) -> None:
    assert reduced_motion(chosen, environment, system) is expected


def seen_states(*states: NodeState) -> list[str]:
    """The titles of the notices while one machine goes through these states."""
    seen, titles = Seen(), []
    before = Snapshot()
    for state in states:
        now = Snapshot(nodes=(node("mini-1", state=state, state_text="It did not answer."),))
        seen, notices = of_nodes(seen, before, now)
        titles += [notice.title for notice in notices]
        before = now
    return titles


READY, LOST, CONNECTING, SUSPECT = NodeState.READY, NodeState.LOST, NodeState.CONNECTING, NodeState.SUSPECT


@pytest.mark.parametrize(
    ("states", "titles"),
    [
        ((CONNECTING, READY), []),
        ((CONNECTING, LOST), []),  # it was never there
        ((READY, SUSPECT, READY), []),
        ((READY, SUSPECT, LOST), ["mini-1 is lost"]),
        ((READY, LOST, CONNECTING, LOST, READY), ["mini-1 is lost", "mini-1 is back"]),
        ((READY, LOST, READY, LOST), ["mini-1 is lost", "mini-1 is back", "mini-1 is lost"]),
    ],
)
def test_machines_that_are_lost_and_back(states: tuple[NodeState, ...], titles: list[str]) -> None:
    assert seen_states(*states) == titles


def test_a_deployment_that_fails_is_told_once() -> None:
    failed = Snapshot(deployment=DeploymentView(DeploymentState.FAILED, "mini-1 is full.", 1, "m", None, 1))
    seen, notices = of_nodes(Seen(), Snapshot(), failed)
    assert [(each.title, each.text, each.kind) for each in notices] == [
        ("The deployment failed", "mini-1 is full.", "error")
    ]
    assert of_nodes(seen, failed, failed)[1] == ()


def library(*downloads: Download, conversions: tuple[Conversion, ...] = ()) -> LibraryView:
    return replace(LibraryView(), downloads=downloads, conversions=conversions)


def test_downloads_and_conversions_that_end() -> None:
    running = Download("o/one", state="running", total_bytes=3_000_000_000)
    done = replace(running, state="done")
    old = Download("o/old", state="done")
    copy = Conversion("one", Path("one"), 4, "running")
    seen, first = of_library(Seen(), library(running, old, conversions=(copy,)))
    assert first == ()  # what ended before this window was opened is no news
    seen, second = of_library(seen, library(done, old, conversions=(replace(copy, state="done"),)))
    assert [each.text for each in second] == ["o/one is here: 3.0 GB.", "one is here with 4 bits."]
    seen, third = of_library(seen, library(done, old))
    assert third == ()
    _, again = of_library(seen, library(replace(done, state="failed", text="The disk is full."), old))
    assert [(each.kind, each.text) for each in again] == [("error", "o/one: The disk is full.")]


@pytest.mark.parametrize(
    ("arguments", "title", "text"),
    [
        (("Why?", 34, 72.9, ""), "An answer is finished", "“Why?”, 34 tokens, 72.9 tok/s"),
        (("", 1, None, ""), "An answer is finished", "1 token"),
        (("", None, None, ""), "An answer is finished", "It is in the chat."),
        (("Why?", 3, 9.0, "mini-1 was lost."), "An answer ended early", "Why?: mini-1 was lost."),
        (("x" * 100, None, None, ""), "An answer is finished", "“" + "x" * 79 + "…”"),
    ],
)
def test_answers_that_end(arguments: tuple[str, int | None, float | None, str], title: str, text: str) -> None:
    notice = of_answer(*arguments)
    assert (notice.title, notice.text) == (title, text)
    assert isinstance(notice, Notice) and notice.place == "Chat"


@pytest.mark.parametrize(
    ("states", "deployed", "tone", "line"),
    [
        ((), DeploymentState.NONE, "", "No machine yet"),
        ((READY,), DeploymentState.READY, "success", "1 of 1 machine ready"),
        ((READY, LOST), DeploymentState.READY, "danger", "1 of 2 machines ready"),
        ((READY, SUSPECT), DeploymentState.READY, "warning", "1 of 2 machines ready"),
        ((READY,), DeploymentState.DEPLOYING, "warning", "1 of 1 machine ready"),
        ((READY,), DeploymentState.FAILED, "danger", "1 of 1 machine ready"),
    ],
)
def test_the_cluster_in_a_line(states: tuple[NodeState, ...], deployed: DeploymentState, tone: str, line: str) -> None:
    nodes = tuple(node(f"mini-{number}", state=state) for number, state in enumerate(states))
    snapshot = Snapshot(nodes=nodes, deployment=DeploymentView(deployed, "", 1, "m", None, 1))
    assert (cluster_tone(snapshot), cluster_line(snapshot)) == (tone, line)

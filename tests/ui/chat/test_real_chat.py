"""The chat in the real window on a real cluster: two answers at once, one gone on with, and where their time went."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QEventLoop, QTimer
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.cli.window import demo_controller, deploy_built_in
from app.core.paths import ControllerPaths
from app.core.snapshot import DeploymentState
from app.ui.main import opened
from shardd.host import private_directory


def until(condition: object, seconds: float = 60) -> None:
    """Lets the window live until it is so. (qtbot.waitUntil keeps Python's lock and would starve the core's thread.)"""
    loop = QEventLoop()
    look, give_up = QTimer(), QTimer()
    look.timeout.connect(lambda: loop.quit() if condition() else None)  # type: ignore[operator]
    give_up.timeout.connect(loop.quit)
    look.start(20)
    give_up.start(round(seconds * 1000))
    loop.exec()
    assert condition()  # type: ignore[operator]


@pytest.mark.qt_log_ignore("does not support", extend=True)
def test_two_chats_on_a_real_cluster(qtbot: QtBot, qapp: QApplication, tmp_path: Path) -> None:
    paths = ControllerPaths(private_directory(tmp_path / "controller"))
    with opened(qapp, lambda: demo_controller(paths, 2), paths, "Test", deploy_built_in, "dark") as window:
        window.show()
        chat = window.chat
        until(lambda: window.bridge.snapshot.deployment.state is DeploymentState.READY, 90)
        chat.header.lane_button.click()
        chat.set_settings(replace(chat.conversation.settings, max_tokens=12))
        chat.send("What is a shard?")
        first = chat.conversation.key
        chat.new_chat()
        chat.send("What is a hop?")
        assert chat.desk.busy == {first, chat.conversation.key}
        until(lambda: not chat.desk.busy)
        chat.open(first)
        answer = chat.conversation.shown[1]
        assert answer.outcome == "length" and answer.figures.completion_tokens == 12, answer
        assert [node for node, _ in answer.figures.shares] == ["mini-1", "mini-2"]
        assert 0 < sum(share for _, share in answer.figures.shares) < 1.5
        chat.set_settings(replace(chat.conversation.settings, max_tokens=200))
        chat.go_on()
        until(lambda: not chat.desk.busy)
        longer = chat.conversation.shown[1]
        assert longer.text.startswith(answer.text) and len(longer.text) > len(answer.text)
        assert longer.problem is None and len(chat.lane.events) > 2 and chat.lane.sentence.text()
        prompt, before = longer.figures.prompt_tokens, answer.figures.prompt_tokens
        assert prompt is not None and before is not None and prompt > before  # it was the same answer that went on
        print("answer:", answer.text, "| and:", longer.text[len(answer.text) :], "|", chat.lane.sentence.text())

"""Work that is left over is done in turn, and not for who is gone or for what was left behind."""

from __future__ import annotations

import time

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.core.chat.conversation import Conversation, Turn, linear
from app.ui.chat.answer_view import AnswerView
from app.ui.chat.pace import NO_MORE_AFTER_S, Pace
from tests.ui.chat.conftest import Open
from tests.ui.chat.fakes import whole

LONG = "A paragraph with **words** in it, and then some more of them.\n\n" * 12


class Worker(QObject):
    """Works `slices` times for longer than a frame may take."""

    def __init__(self, name: str, slices: int, pace: Pace, done: list[str]) -> None:
        super().__init__()
        self._name, self._left, self._pace, self._done = name, slices, pace, done

    def work(self) -> None:
        until = time.thread_time() + 2 * NO_MORE_AFTER_S
        while time.thread_time() < until:
            pass
        self._done.append(self._name)
        self._left -= 1
        if self._left:
            self._pace.ask(self.work)


def test_the_oldest_first_and_each_in_turn(qtbot: QtBot) -> None:
    pace, done = Pace(), []
    one, other = Worker("one", 3, pace, done), Worker("other", 2, pace, done)
    for worker in (one, other, one):  # asked for twice is called once
        pace.ask(worker.work)
    assert pace.waits(one.work) and not done
    qtbot.waitUntil(lambda: len(done) == 5)
    assert done == ["one", "other", "one", "other", "one"]
    assert not pace.waits(one.work)


def test_who_is_gone_is_left_out(qtbot: QtBot) -> None:
    pace, done = Pace(), []
    gone, stays = Worker("gone", 1, pace, done), Worker("stays", 1, pace, done)
    pace.ask(gone.work)
    pace.ask(stays.work)
    gone.deleteLater()
    qtbot.waitUntil(lambda: bool(done))
    assert done == ["stays"]


def test_jumps_without_a_pause_end_where_everything_is_shown(qtbot: QtBot, open_chat: Open) -> None:
    turns = [
        Turn("user", f"Question {number}?") if number % 2 == 0 else Turn("assistant", LONG, outcome="stop")
        for number in range(200)
    ]
    pane, _ = open_chat(whole("Fine."))
    pane.show_conversation(Conversation("long", "Long", turns=linear(turns), leaf=199))
    qtbot.waitUntil(lambda: pane.transcript.settled)
    transcript, bar = pane.transcript, pane.transcript.verticalScrollBar()
    for share in (0.2, 0.4, 0.6):
        bar.setValue(round(bar.maximum() * share))
    qtbot.waitUntil(lambda: transcript.settled)
    QApplication.processEvents()
    seen = [message for _, message in transcript.live if not message.visibleRegion().isEmpty()]
    answers = [message for message in seen if isinstance(message, AnswerView)]
    assert answers and all(message.markdown.blocks and not message.markdown.behind for message in answers)
    assert min(number for number, _ in transcript.live) > 60  # what was jumped over is given up

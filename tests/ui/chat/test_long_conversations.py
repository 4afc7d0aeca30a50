"""A conversation of hundreds of messages: only what is near the view has widgets, and what is read does not jump."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest
from PySide6.QtCore import QEvent, Qt
from PySide6.QtWidgets import QApplication, QVBoxLayout
from pytestqt.qtbot import QtBot

from app.core.chat.conversation import Conversation, Turn, linear
from app.ui.chat import ChatPane
from app.ui.chat.answer_view import AnswerView
from app.ui.chat.heights import column, estimated
from app.ui.chat.rows import MessageView
from app.ui.chat.transcript import EmptyState, Transcript
from app.ui.widgets import WrappedLabel
from tests.ui.chat.conftest import Open
from tests.ui.chat.fakes import Gate, deployed, whole

ANSWER = (
    "Words of the answer **number {0}**.\n\n"
    + "A paragraph that goes on for a while, and then on. " * 6
    + "\n\n- a\n- b\n"
)


def long_one(messages: int) -> Conversation:
    turns = [
        Turn("user", f"Question {number}?")
        if number % 2 == 0
        else Turn("assistant", ANSWER.format(number), outcome="stop")
        for number in range(messages)
    ]
    return Conversation("long", "Long", turns=linear(turns), leaf=messages - 1)


def settled(qtbot: QtBot, pane: ChatPane) -> None:
    qtbot.waitUntil(lambda: pane.transcript.settled)


@pytest.mark.parametrize(
    ("y", "expected"),
    [(-5, 0), (0, 0), (9, 0), (10, 0), (29, 0), (30, 1), (34, 1), (35, 1), (64, 1), (65, 2), (99, 2), (500, 2)],
)
def test_what_stands_where(y: int, expected: int) -> None:
    """Messages of 20, 30 and 40 pixels from 10 on, 5 apart: 10-30, 35-65, 70-110."""
    assert column([20, 30, 40], 5, 10, 7).at(y) == expected


def test_what_is_within_and_the_whole_height() -> None:
    made = column([20, 30, 40], 5, 10, 7)
    assert made.height == 117
    assert [made.within(low, high) for low, high in ((0, 31), (31, 66), (36, 75), (-50, 500))] == [
        range(0, 1), range(1, 2), range(1, 3), range(0, 3)
    ]  # fmt: skip
    assert column([], 5, 10, 7).height == 17 and column([], 5, 10, 7).within(0, 9) == range(0)


def test_an_estimate_grows_with_the_text() -> None:
    assert estimated(10, 1, 400) < estimated(4000, 1, 400) < estimated(4000, 80, 400)
    assert estimated(4000, 1, 800) < estimated(4000, 1, 400)


def test_only_what_is_near_the_view_has_widgets(qtbot: QtBot, open_chat: Open) -> None:
    pane, _ = open_chat(whole("Fine."))
    pane.show_conversation(long_one(600))
    settled(qtbot, pane)
    transcript, bar = pane.transcript, pane.transcript.verticalScrollBar()
    assert len(transcript.messages) == 600
    assert bar.value() == bar.maximum() and transcript.following
    live = [position for position, _ in transcript.live]
    assert live[-1] == 599 and len(live) < 40
    assert len(transcript.widget().findChildren(AnswerView)) < 40
    bar.setValue(bar.maximum() // 2)
    settled(qtbot, pane)
    live = [position for position, _ in transcript.live]
    assert live[0] > 200 and live[-1] < 400 and len(live) < 60
    seen = [message for _, message in transcript.live if not message.visibleRegion().isEmpty()]
    ends = [(message.y(), message.y() + message.height()) for message in seen]
    assert ends[0][0] <= bar.value() and ends[-1][1] >= bar.value() + transcript.viewport().height()
    assert all(0 <= begin - end < 40 for (_, end), (begin, _) in pairwise(ends))


def test_what_is_read_does_not_move_when_what_is_above_is_measured(qtbot: QtBot, open_chat: Open) -> None:
    pane, _ = open_chat(whole("Fine."))
    pane.show_conversation(long_one(300))
    settled(qtbot, pane)
    bar = pane.transcript.verticalScrollBar()
    for _ in range(12):
        bar.setValue(max(0, bar.value() - 400))
        value = bar.value()
        position, message = next(
            (position, message) for position, message in pane.transcript.live if message.y() + message.height() > value
        )
        before = message.y() - value
        settled(qtbot, pane)
        QApplication.processEvents()
        found = dict(pane.transcript.live)[position]
        assert abs((found.y() - bar.value()) - before) <= 1


def test_messages_stand_under_each_other(qtbot: QtBot, open_chat: Open) -> None:
    pane, _ = open_chat(whole("Fine."))
    pane.show_conversation(long_one(80))
    settled(qtbot, pane)
    for share in (0.0, 0.3, 0.9):
        bar = pane.transcript.verticalScrollBar()
        bar.setValue(round(bar.maximum() * share))
        settled(qtbot, pane)
        live = [message for _, message in pane.transcript.live]
        for one, next_one in pairwise(live):
            assert one.y() + one.height() <= next_one.y()
        for message in live:
            if isinstance(message, AnswerView):
                assert message.height() == message.sizeHint().height()


def test_an_answer_goes_on_while_the_reader_is_far_away(qtbot: QtBot, open_chat: Open) -> None:
    gate = Gate()
    script = [*whole("First. " * 30)[:-1], gate, *whole("Second. " * 30)]
    pane, _ = open_chat(script, snapshot=deployed(context=300_000))
    pane.show_conversation(long_one(300))
    pane.send("Go")
    qtbot.waitUntil(lambda: pane.writing)
    pane.transcript.verticalScrollBar().setValue(0)
    settled(qtbot, pane)
    assert not pane.transcript.following
    gate.open = True
    qtbot.waitUntil(lambda: not pane.writing)
    assert pane.transcript.verticalScrollBar().value() == 0
    assert pane.conversation.turns[-1].text.endswith("Second. ")
    pane.transcript.follow()
    settled(qtbot, pane)
    last = pane.transcript.messages[-1]
    assert isinstance(last, AnswerView) and "Second." in last.markdown.blocks[-1].html


def test_tab_goes_through_the_messages_in_their_order(qtbot: QtBot, open_chat: Open) -> None:
    pane, _ = open_chat(whole("Fine."))
    pane.show_conversation(long_one(40))
    settled(qtbot, pane)
    pane.transcript.verticalScrollBar().setValue(0)
    settled(qtbot, pane)
    pane.transcript.setFocus()
    seen: list[int] = []
    for _ in range(25):
        qtbot.keyClick(QApplication.focusWidget(), Qt.Key.Key_Tab)
        focus = QApplication.focusWidget()
        seen += [position for position, message in pane.transcript.live if message.isAncestorOf(focus)]
    assert seen == sorted(seen) and len(set(seen)) > 4


def test_a_message_is_edited_while_the_reader_scrolls(qtbot: QtBot, open_chat: Open) -> None:
    pane, _ = open_chat(whole("Fine."))
    pane.show_conversation(long_one(200))
    settled(qtbot, pane)
    asked = pane.transcript.messages[198]
    asked.begin_edit()
    asked.editor.edit.setPlainText("Half a thought")
    pane.composer.edit.setFocus()
    pane.transcript.verticalScrollBar().setValue(0)
    settled(qtbot, pane)
    assert pane.transcript.messages[198].editor.edit.toPlainText() == "Half a thought"


def test_an_editor_is_seen_whole_where_it_opens(qtbot: QtBot, open_chat: Open) -> None:
    """Also where the view follows the newest text, which the editor pushes down."""
    pane, _ = open_chat(whole("Fine."))
    pane.resize(420, 360)
    pane.show_conversation(long_one(20))
    settled(qtbot, pane)
    transcript = pane.transcript
    assert transcript.following
    transcript.messages[16].begin_edit()
    editor, view = transcript.messages[16].editor, transcript.viewport()
    settled(qtbot, pane)
    qtbot.waitUntil(lambda: editor.mapTo(view, editor.rect().topLeft()).y() >= 0)
    assert editor.mapTo(view, editor.rect().bottomLeft()).y() <= view.height() and not transcript.following


class Narrowing(MessageView):
    """As large text does: what is laid out anew gives the conversation itself another width."""

    def __init__(self, narrow: Callable[[], object]) -> None:
        super().__init__()
        QVBoxLayout(self).addWidget(WrappedLabel("words " * 200))
        self._narrow = narrow

    def event(self, event: QEvent) -> bool:
        if event.type() is QEvent.Type.LayoutRequest:
            self._narrow()
        return super().event(event)


def test_another_width_while_it_is_arranged_is_taken(qtbot: QtBot, qapp: QApplication) -> None:
    transcript = Transcript(EmptyState(()))
    qtbot.addWidget(transcript)
    transcript.resize(700, 400)
    transcript.show()
    transcript.add("words", lambda _hurried: Narrowing(lambda: transcript.resize(460, 400)))
    transcript.show_rows()
    qtbot.waitUntil(lambda: transcript.width() == 460 and transcript.settled)
    message = transcript.messages[0]
    qtbot.waitUntil(lambda: 400 < message.width() < 460)

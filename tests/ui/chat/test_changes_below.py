"""What happens to machines while an answer is written: a line in the chat, not an end. And text from right to left."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QTextDocument
from pytestqt.qtbot import QtBot

from app.core.generation.request import GenerationEventNote
from app.core.placement.placement import Placement, StageRange
from app.ui.chat.answer_view import AnswerView
from app.ui.chat.message import UserMessage
from app.ui.chat.rich import ContentView
from tests.ui.chat.conftest import Open
from tests.ui.chat.fakes import PLACED, Gate, deployed, result, token, whole
from tests.ui.chat.test_pane import ask, finished

LOST = "mini-2 does not answer; its layers go to studio-a."
WENT_ON = "Layers 8 to 11 moved to studio-a, the answer waited 1.2 s."
TWO = Placement(12, (StageRange("studio-a", 0, 7), StageRange("mini-1", 8, 11)))


def test_a_lost_machine_is_a_line_in_the_chat_and_not_an_end(qtbot: QtBot, open_chat: Open) -> None:
    lost = GenerationEventNote(900.0, "stage_lost", "mini-2", LOST)
    went_on = GenerationEventNote(2100.0, "continued", "", WENT_ON)
    gate = Gate()
    end = result("Before. After.", 2, events=(lost, went_on))
    script = [token("Before. ", 500), lost, gate, went_on, token("After.", 2200), end]
    pane, controller = open_chat(script, snapshot=deployed(placement=PLACED))
    ask(qtbot, pane, "Go")
    qtbot.waitUntil(lambda: pane.writing and LOST in _note(pane.transcript.messages[-1]))
    assert pane.writing and pane.composer.stop.isEnabled()
    controller.publish(deployed(placement=TWO))
    gate.open = True
    answer = finished(qtbot, pane)
    assert answer.note.isVisible() and answer.note.text() == f"{LOST}\n{WENT_ON}"
    assert answer.text == "Before. After." and answer.problem.isHidden()
    turn = pane.conversation.turns[-1]
    assert turn.note == f"{LOST}\n{WENT_ON}" and turn.outcome == "stop"


def test_the_figures_are_those_of_the_stages_that_ended_it(qtbot: QtBot, open_chat: Open) -> None:
    gate = Gate()
    script = [token("a ", 500), token("b ", 600), gate, token("c", 900), result("a b c", 3)]
    pane, controller = open_chat(script, snapshot=deployed(placement=PLACED))
    ask(qtbot, pane, "Go")
    writing = pane.desk.writing(pane.conversation.key)
    assert writing is not None
    qtbot.waitUntil(lambda: len(writing.events) == 2)
    assert writing.machines == ("studio-a", "mini-1", "mini-2")
    controller.publish(deployed(placement=TWO))
    qtbot.waitUntil(lambda: len(writing.stages) == 2)
    gate.open = True
    qtbot.waitUntil(lambda: not pane.writing)
    assert len(writing.events) == 1 and writing.machines == ("studio-a", "mini-1")


def _note(message: object) -> str:
    return message.note.text() if isinstance(message, AnswerView) else ""


def test_paragraphs_in_arabic_and_hebrew_begin_at_the_right(qtbot: QtBot, open_chat: Open) -> None:
    pane, _ = open_chat(whole("مرحبا بالعالم.\n\nEnglish words.\n\n- שלום\n", 200))
    qtbot.waitUntil(lambda: pane.composer.reason.isHidden())
    pane.send("مرحبا")
    answer = finished(qtbot, pane)
    view = answer.markdown.findChildren(ContentView)[0]
    qtbot.waitUntil(view.isVisible)
    document = view.document()
    sides = [(block.text()[:3], _begins_at(document, number)) for number, block in enumerate(_blocks(document))]
    assert [side for _, side in sides] == ["right", "left", "right"], sides
    mine = pane.transcript.messages[0]
    assert isinstance(mine, UserMessage)
    asked = mine.findChildren(ContentView)[0]
    assert asked.document().firstBlock().textDirection() is Qt.LayoutDirection.RightToLeft


def _blocks(document: QTextDocument) -> list:
    return [document.findBlockByNumber(number) for number in range(document.blockCount())]


def _begins_at(document: QTextDocument, number: int) -> str:
    block = document.findBlockByNumber(number)
    line = block.layout().lineAt(0)
    middle = line.naturalTextRect().center().x()
    return "right" if middle > document.textWidth() / 2 else "left"

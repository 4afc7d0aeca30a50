"""The chat as a person uses it: real keys and clicks, a scripted controller behind the real bridge."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QAbstractButton, QAbstractScrollArea, QAbstractSpinBox, QLineEdit, QWidget
from pytestqt.qtbot import QtBot

from app.core.chat.shelf import StoreShelf
from app.core.chat.store import ConversationStore
from app.core.errors import ShardboardError
from app.core.generation.request import GenerationEventNote, Message, PrefillProgress
from app.core.snapshot import DeploymentState
from app.ui.chat import ChatPane
from app.ui.chat.answer_view import AnswerView
from app.ui.chat.code_block import CodeBlock
from app.ui.chat.rich import TableView
from tests.ui.chat.conftest import Open
from tests.ui.chat.fakes import Gate, Step, deployed, result, token, whole
from tests.ui.chat.shots import ANSWER, WIDE

popup = pytest.mark.qt_log_ignore("does not support (raise|grabbing)", extend=True)  # the offscreen plugin's popups


def ask(qtbot: QtBot, pane: ChatPane, text: str) -> None:
    pane.composer.edit.setFocus()
    qtbot.keyClicks(pane.composer.edit, text)
    qtbot.keyClick(pane.composer.edit, Qt.Key.Key_Return)


def finished(qtbot: QtBot, pane: ChatPane) -> AnswerView:
    qtbot.waitUntil(lambda: not pane.writing)
    last = pane.transcript.messages[-1]
    assert isinstance(last, AnswerView)
    qtbot.waitUntil(lambda: last.settled)
    return last


def running(pane: ChatPane) -> AnswerView:
    last = pane.transcript.messages[-1]
    assert isinstance(last, AnswerView)
    return last


def shown(text: str) -> str:
    return text.replace("\u00a0", " ")


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[StoreShelf]:
    store = ConversationStore(tmp_path / "chat.sqlite")
    yield StoreShelf(store)
    store.close()


def test_enter_sends_and_the_answer_has_its_footer(qtbot: QtBot, open_chat: Open) -> None:
    pane, controller = open_chat(whole(ANSWER), width=500)
    qtbot.keyClicks(pane.composer.edit, "Why")
    qtbot.keyClick(pane.composer.edit, Qt.Key.Key_Return, Qt.KeyboardModifier.ShiftModifier)
    qtbot.keyClicks(pane.composer.edit, "so?")
    assert pane.composer.draft == "Why\nso?"
    qtbot.keyClick(pane.composer.edit, Qt.Key.Key_Return)
    answer = finished(qtbot, pane)
    assert pane.composer.draft == ""
    assert controller.requests[0].messages == (Message("user", "Why\nso?"),)
    assert shown(answer.figures.text()) == "21.3 tok/s · first token 412 ms · 201 tokens · 3 stages"
    assert pane.header.meter.text() == "1,299 / 8,192 tokens"
    assert pane.header.title.text() == "Why so?"
    qtbot.mouseClick(answer.copy, Qt.MouseButton.LeftButton)
    assert QGuiApplication.clipboard().text() == ANSWER
    code = answer.findChild(CodeBlock)
    assert code is not None
    qtbot.mouseClick(code.copy_button, Qt.MouseButton.LeftButton)
    assert QGuiApplication.clipboard().text().startswith("def token_latency")


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (DeploymentState.NONE, "Deploy a model first."),
        (DeploymentState.DEPLOYING, "The model is being deployed."),
        (DeploymentState.FAILED, "The deployment failed. mini-1 is lost."),
    ],
)
def test_disabled_send_says_why(qtbot: QtBot, open_chat: Open, state: DeploymentState, reason: str) -> None:
    pane, controller = open_chat(whole("Yes."), snapshot=deployed(state, "mini-1 is lost."))
    qtbot.waitUntil(lambda: pane.composer.reason.text() == reason)
    ask(qtbot, pane, "Hello")
    assert not pane.composer.send.isEnabled() and not controller.requests
    assert pane.composer.send.toolTip() == reason and pane.composer.reason.isVisible()
    assert pane.composer.draft == "Hello"
    controller.publish(deployed())
    qtbot.waitUntil(pane.composer.send.isEnabled)
    qtbot.mouseClick(pane.composer.send, Qt.MouseButton.LeftButton)
    assert finished(qtbot, pane).text == "Yes."


def test_stop_keeps_what_came_and_says_so(qtbot: QtBot, open_chat: Open) -> None:
    pane, controller = open_chat([*[token("word ") for _ in range(20)], 30.0])
    ask(qtbot, pane, "Go")
    qtbot.waitUntil(lambda: len(running(pane).text) == 100)
    assert pane.composer.stop.isEnabled()
    assert pane.composer.send.toolTip() == "An answer is being written."
    qtbot.mouseClick(pane.composer.stop, Qt.MouseButton.LeftButton)
    answer = finished(qtbot, pane)
    assert controller.closed_early == 1
    assert answer.text == "word " * 20
    assert shown(answer.figures.text()).startswith("stopped · first token 412 ms · 20 tokens")
    assert pane.conversation.turns[-1].outcome == "cancelled"
    assert pane.composer.stop.toolTip() == "No answer is being written."


def test_escape_stops(qtbot: QtBot, open_chat: Open) -> None:
    pane, controller = open_chat([token("a"), 30.0])
    ask(qtbot, pane, "Go")
    qtbot.waitUntil(lambda: running(pane).text == "a")
    qtbot.keyClick(pane.composer.edit, Qt.Key.Key_Escape)
    finished(qtbot, pane)
    assert controller.closed_early == 1


def test_prefill_progress_until_text_comes(qtbot: QtBot, open_chat: Open) -> None:
    gate = Gate()
    pane, _ = open_chat([PrefillProgress(512, 1840), gate, token("a"), result("a", 1)])
    ask(qtbot, pane, "Go")
    qtbot.waitUntil(lambda: running(pane).progress.text() == "Reading the prompt: 512 of 1,840 tokens")
    assert running(pane).progress.isVisible()
    gate.open = True
    assert finished(qtbot, pane).progress.isHidden()


ERRORS: list[tuple[list[Step], str, str]] = [
    ([ShardboardError("mini-1 is asleep.", "Wake it.")], "", "mini-1 is asleep. Wake it."),
    (
        [token("part"), RuntimeError("boom")],
        "part",
        "The answer could not be made: boom. The activity log may say more.",
    ),
    (
        [
            token("part"),
            result("part", 1, "error", events=(GenerationEventNote(1, "error", "b", "b ran out of memory."),)),
        ],
        "part",
        "b ran out of memory.",
    ),
    (
        [token("part")],
        "part",
        "The answer ended early: the stages sent no result. Try again, or look at the activity log.",
    ),
]


@pytest.mark.parametrize(("script", "kept", "words"), ERRORS)
def test_errors_stand_in_words_in_the_answers_place(
    qtbot: QtBot, open_chat: Open, script: list[Step], kept: str, words: str
) -> None:
    pane, controller = open_chat(script, whole("Fine."))
    ask(qtbot, pane, "Go")
    answer = finished(qtbot, pane)
    assert (answer.text, answer.problem.text) == (kept, words)
    assert answer.problem.isVisible() and not answer.progress.isVisible()
    qtbot.mouseClick(answer.regenerate, Qt.MouseButton.LeftButton)
    assert finished(qtbot, pane).text == "Fine."
    assert len(pane.transcript.messages) == 2
    assert controller.requests[1].messages == (Message("user", "Go"),)


def test_any_answer_can_be_written_again(qtbot: QtBot, open_chat: Open) -> None:
    pane, controller = open_chat(whole("One."), whole("Two."), whole("Other one."))
    ask(qtbot, pane, "First")
    first = finished(qtbot, pane)
    ask(qtbot, pane, "Second")
    finished(qtbot, pane)
    assert [message.role for message in controller.requests[1].messages] == ["user", "assistant", "user"]
    qtbot.mouseClick(first.regenerate, Qt.MouseButton.LeftButton)
    again = finished(qtbot, pane)
    assert again.text == "Other one." and controller.requests[2].messages == (Message("user", "First"),)
    assert again.nav.place.text() == "2 / 2"
    qtbot.mouseClick(again.nav.previous, Qt.MouseButton.LeftButton)
    assert [turn.text for turn in pane.conversation.shown] == ["First", "One.", "Second", "Two."]


@popup
def test_settings_are_kept_with_the_conversation(qtbot: QtBot, open_chat: Open, shelf: StoreShelf) -> None:
    pane, controller = open_chat(whole("Hi."), shelf=shelf)
    qtbot.mouseClick(pane.composer.system_prompt, Qt.MouseButton.LeftButton)
    qtbot.keyClicks(pane.options.prompt.edit, "Be brief.")
    qtbot.mouseClick(pane.options.prompt.done, Qt.MouseButton.LeftButton)
    qtbot.mouseClick(pane.composer.sampling, Qt.MouseButton.LeftButton)
    sampling = pane.options.sampling
    sampling.temperature.selectAll()
    qtbot.keyClicks(sampling.temperature, "0.7")
    qtbot.keyClicks(sampling.seed, "42x")
    sampling.max_tokens.selectAll()
    qtbot.keyClicks(sampling.max_tokens, "99")
    qtbot.keyClick(sampling.max_tokens, Qt.Key.Key_Return)
    qtbot.keyClick(sampling, Qt.Key.Key_Escape)
    assert not sampling.isVisible()
    ask(qtbot, pane, "Hello")
    finished(qtbot, pane)
    request = controller.requests[0]
    assert request.messages[0] == Message("system", "Be brief.")
    assert (request.sampling.temperature, request.sampling.seed, request.max_tokens) == (0.7, 42, 99)
    loaded = shelf.load(shelf.list()[0].key)
    assert (loaded.settings, loaded.turns) == (pane.conversation.settings, pane.conversation.turns)


@popup
def test_conversations_are_opened_searched_and_deleted(qtbot: QtBot, open_chat: Open, shelf: StoreShelf) -> None:
    pane, _ = open_chat(whole("One **bold** answer."), shelf=shelf, width=500)
    ask(qtbot, pane, "About stages")
    finished(qtbot, pane)
    qtbot.mouseClick(pane.header.new_button, Qt.MouseButton.LeftButton)
    assert pane.empty.isVisible() and pane.header.meter.text() == "0 / 8,192 tokens"
    ask(qtbot, pane, "About hops")
    finished(qtbot, pane)
    qtbot.mouseClick(pane.header.list_button, Qt.MouseButton.LeftButton)
    rows = pane.options.list.rows
    assert rows.count() == 2
    qtbot.keyClicks(pane.options.list.search, "stages")
    assert rows.count() == 1
    qtbot.keyClick(pane.options.list.search, Qt.Key.Key_Return)
    assert pane.conversation.title == "About stages"
    assert shown(running(pane).figures.text()).endswith("4 tokens · 3 stages")
    assert pane.header.meter.text() == "1,102 / 8,192 tokens"
    qtbot.mouseClick(pane.header.list_button, Qt.MouseButton.LeftButton)
    qtbot.keyClick(rows, Qt.Key.Key_Delete)
    assert [listed.title for listed in shelf.list()] == ["About hops"]
    assert pane.empty.isVisible()
    pane.options.list.close()


def test_what_came_is_kept_while_the_answer_is_written(qtbot: QtBot, open_chat: Open, shelf: StoreShelf) -> None:
    pane, _ = open_chat([token("so far"), 30.0], shelf=shelf)
    ask(qtbot, pane, "Go")
    qtbot.waitUntil(lambda: shelf.load(shelf.list()[0].key).turns[-1].text == "so far")
    kept = shelf.load(shelf.list()[0].key).turns[-1]
    assert (kept.text, kept.outcome) == ("so far", "interrupted")
    pane.stop()
    finished(qtbot, pane)


def test_the_tail_is_followed_unless_the_reader_scrolled_up(qtbot: QtBot, open_chat: Open) -> None:
    lines = [token(f"Paragraph {number}.\n\n") for number in range(60)]
    pane, _ = open_chat([*lines, 0.6, *lines, 0.2, result("", 120)], width=340)
    bar = pane.transcript.verticalScrollBar()
    ask(qtbot, pane, "Go")
    qtbot.waitUntil(lambda: bar.maximum() > 800 and bar.value() == bar.maximum())
    pane.transcript.setFocus()
    qtbot.keyClick(pane.transcript, Qt.Key.Key_PageUp)
    at = bar.value()
    assert not pane.transcript.following and pane.transcript.latest.isVisible()
    finished(qtbot, pane)
    assert bar.value() == at
    qtbot.mouseClick(pane.transcript.latest, Qt.MouseButton.LeftButton)
    assert bar.value() == bar.maximum() and pane.transcript.latest.isHidden()


def test_nothing_is_wider_than_a_narrow_chat(qtbot: QtBot, open_chat: Open) -> None:
    pane, _ = open_chat(whole(f"{ANSWER}\n\n{WIDE}\n\n{'x' * 500}\n"), width=340)
    ask(qtbot, pane, "y" * 300)
    answer = finished(qtbot, pane)
    qtbot.wait(50)
    page = pane.transcript.widget()
    assert page is not None and page.width() <= pane.transcript.viewport().width()
    for widget in page.findChildren(QWidget):
        if widget.isVisible() and not isinstance(widget.parent(), QAbstractScrollArea):
            assert widget.mapTo(page, widget.rect().topRight()).x() <= page.width(), widget
    for table in answer.findChildren(TableView):
        assert table.height() >= table.content_height()
    for button in pane.composer.findChildren(QAbstractButton):
        assert button.width() >= button.sizeHint().width(), button.text()
    assert max(table.horizontalScrollBar().maximum() for table in answer.findChildren(TableView)) > 0


def test_a_capped_answer_can_be_shown_whole(qtbot: QtBot, open_chat: Open) -> None:
    text = "Some words of it.\n\n" * 4000
    pane, _ = open_chat(whole(text, 4000))
    ask(qtbot, pane, "Go")
    answer = finished(qtbot, pane)
    assert answer.show_all.isVisible() and "76 KB" in answer.show_all.text()
    assert sum(len(block.html) for block in answer.markdown.blocks) < 100_000
    qtbot.mouseClick(answer.show_all, Qt.MouseButton.LeftButton)
    assert answer.show_all.isHidden() and answer.text == text


def test_examples_are_sent_by_a_click(qtbot: QtBot, open_chat: Open) -> None:
    pane, controller = open_chat(whole("Yes."))
    qtbot.waitUntil(lambda: not pane.empty.hint.text().startswith("Deploy"))
    qtbot.mouseClick(pane.empty.buttons[0], Qt.MouseButton.LeftButton)
    finished(qtbot, pane)
    assert controller.requests[0].messages[0].content == pane.empty.buttons[0].text()


def test_every_control_has_a_name(qtbot: QtBot, open_chat: Open) -> None:
    pane, _ = open_chat(whole(ANSWER))
    ask(qtbot, pane, "Go")
    finished(qtbot, pane)
    for kind in (QAbstractButton, QLineEdit, QAbstractSpinBox, QAbstractScrollArea):
        for control in pane.findChildren(kind):
            if control.parent() is pane.banner:  # its action has a text whenever it is shown
                continue
            inner = control.objectName().startswith("qt_")
            named = control.accessibleName() or (isinstance(control, QAbstractButton) and control.text())
            assert inner or named or control.parent().objectName().startswith("qt_"), control


def test_all_controls_are_reached_by_tab(qtbot: QtBot, open_chat: Open) -> None:
    pane, _ = open_chat(whole(ANSWER))
    ask(qtbot, pane, "Go")
    answer = finished(qtbot, pane)
    code = answer.findChild(CodeBlock)
    assert code is not None
    qtbot.waitUntil(code.copy_button.isVisible)  # a layout shows what it was given at the next turn of the loop
    qtbot.keyClicks(pane.composer.edit, "more")
    pane.activateWindow()
    pane.composer.edit.setFocus()
    order: list[QWidget] = []
    for _ in range(20):
        here = QGuiApplication.focusObject()
        assert isinstance(here, QWidget)
        order.append(here)
        qtbot.keyClick(here, Qt.Key.Key_Tab)
    wanted = {pane.composer.send, pane.composer.sampling, pane.header.new_button, answer.copy, answer.regenerate}
    assert wanted <= set(order)
    assert order.index(code.copy_button) < order.index(answer.copy) < order.index(answer.regenerate)


def test_theme_changes_while_it_is_open(qtbot: QtBot, open_chat: Open, theme: object) -> None:
    pane, _ = open_chat(whole(ANSWER))
    ask(qtbot, pane, "Go")
    answer = finished(qtbot, pane)
    before = answer.grab().toImage().pixelColor(2, 2)
    theme.set_mode("light")  # type: ignore[attr-defined]
    qtbot.wait(20)
    after = pane.grab().toImage().pixelColor(2, 2)
    assert after.lightness() > 200 > before.lightness()

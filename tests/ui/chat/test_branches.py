"""Edit, regenerate, continue, branches, two answers at once, files: as a person does it; the controller is scripted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent
from pytestqt.qtbot import QtBot

from app.core.chat.conversation import Attachment
from app.core.chat.shelf import StoreShelf
from app.core.chat.store import ConversationStore
from app.core.generation.request import Message, Queued
from app.ui.chat import ChatPane
from app.ui.chat.answer_view import AnswerView
from app.ui.chat.message import UserMessage
from tests.ui.chat.conftest import Open
from tests.ui.chat.fakes import PLACED, Gate, deployed, measured, result, token, whole
from tests.ui.chat.test_pane import ask, finished, popup, running, shown

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[StoreShelf]:
    store = ConversationStore(tmp_path / "chat.sqlite")
    yield StoreShelf(store)
    store.close()


def texts(pane: ChatPane) -> list[str]:
    return [turn.text for turn in pane.conversation.shown]


def question(pane: ChatPane, position: int = 0) -> UserMessage:
    found = pane.transcript.messages[position]
    assert isinstance(found, UserMessage)
    return found


def test_an_edited_message_is_asked_again_and_the_old_one_kept(
    qtbot: QtBot, open_chat: Open, shelf: StoreShelf
) -> None:
    pane, controller = open_chat(whole("One."), whole("Two."), whole("Three."), shelf=shelf)
    ask(qtbot, pane, "First")
    finished(qtbot, pane)
    qtbot.mouseClick(question(pane).edit, LEFT)
    editor = question(pane).editor
    assert editor is not None and editor.edit.toPlainText() == "First"
    qtbot.keyClicks(editor.edit, " again")
    qtbot.keyClick(editor.edit, Qt.Key.Key_Return)
    finished(qtbot, pane)
    assert texts(pane) == ["First again", "Two."]
    assert controller.requests[1].messages == (Message("user", "First again"),)
    assert question(pane).nav.place.text() == "2 / 2"
    qtbot.mouseClick(question(pane).nav.previous, LEFT)
    assert texts(pane) == ["First", "One."] and question(pane).nav.place.text() == "1 / 2"
    assert not question(pane).nav.previous.isEnabled()
    assert question(pane).nav.previous.toolTip() == "This is the first version."
    ask(qtbot, pane, "More")
    finished(qtbot, pane)
    kept = shelf.load(pane.conversation.key)
    assert kept == pane.conversation and len(kept.turns) == 6
    assert [turn.text for turn in kept.shown] == ["First", "One.", "More", "Three."]


def test_an_edit_is_given_up_by_escape(qtbot: QtBot, open_chat: Open) -> None:
    pane, controller = open_chat(whole("One."))
    ask(qtbot, pane, "First")
    finished(qtbot, pane)
    question(pane).edit.click()
    editor = question(pane).editor
    assert editor is not None
    editor.edit.clear()
    assert not editor.save.isEnabled() and editor.save.toolTip() == "Write something first."
    qtbot.keyClick(editor.edit, Qt.Key.Key_Escape)
    assert question(pane).editor is None and question(pane).bubble.isVisible()
    assert len(controller.requests) == 1


def test_an_answer_can_be_edited(qtbot: QtBot, open_chat: Open) -> None:
    pane, controller = open_chat(whole("One."), whole("Two."))
    ask(qtbot, pane, "First")
    answer = finished(qtbot, pane)
    answer.edit.click()
    assert answer.editor is not None
    answer.editor.edit.setPlainText("Mine.")
    qtbot.mouseClick(answer.editor.save, LEFT)
    mine = running(pane)
    assert mine.text == "Mine." and shown(mine.figures.text()) == "edited by you" and mine.nav.place.text() == "2 / 2"
    ask(qtbot, pane, "And?")
    finished(qtbot, pane)
    assert controller.requests[1].messages[1] == Message("assistant", "Mine.")


def test_a_stopped_answer_goes_on_where_it_ended(qtbot: QtBot, open_chat: Open) -> None:
    pane, controller = open_chat([token("So far"), 30.0], whole(" and on."))
    ask(qtbot, pane, "Go")
    qtbot.waitUntil(lambda: running(pane).text == "So far")
    pane.stop()
    stopped = finished(qtbot, pane)
    assert stopped.go_on.isVisible()
    qtbot.mouseClick(stopped.go_on, LEFT)
    answer = finished(qtbot, pane)
    request = controller.requests[1]
    assert request.continue_last and request.messages[-1] == Message("assistant", "So far")
    assert texts(pane) == ["Go", "So far and on."] and answer.text == "So far and on."
    assert len(pane.conversation.turns) == 2 and answer.go_on.isHidden()


def test_a_branch_becomes_a_chat_of_its_own_and_versions_are_deleted(
    qtbot: QtBot, open_chat: Open, shelf: StoreShelf
) -> None:
    pane, _ = open_chat(whole("One."), whole("Two."), shelf=shelf)
    ask(qtbot, pane, "First")
    finished(qtbot, pane)
    pane.regenerate()
    answer = finished(qtbot, pane)
    first = pane.conversation.key
    menu = answer.more_menu()
    menu.actions()[0].trigger()
    menu.deleteLater()
    assert pane.conversation.key != first and texts(pane) == ["First", "Two."] and len(shelf.list()) == 2
    pane.open(first)
    menu = running(pane).more_menu()
    menu.actions()[1].trigger()
    menu.deleteLater()
    assert texts(pane) == ["First", "One."] and running(pane).nav.isHidden()
    assert len(shelf.load(first).turns) == 2


@popup
def test_two_conversations_are_answered_at_once(qtbot: QtBot, open_chat: Open, shelf: StoreShelf) -> None:
    gate = Gate()
    pane, controller = open_chat(
        [token("one "), gate, token("done"), result("one done", 2)], [token("two "), 30.0], shelf=shelf
    )
    ask(qtbot, pane, "First")
    qtbot.waitUntil(lambda: running(pane).text == "one ")
    first = pane.conversation.key
    qtbot.mouseClick(pane.header.new_button, LEFT)
    assert not pane.writing
    ask(qtbot, pane, "Second")
    qtbot.waitUntil(lambda: running(pane).text == "two ")
    assert pane.desk.busy == {first, pane.conversation.key} and len(controller.requests) == 2
    pane.options.open_list()
    assert sorted(pane.options.list.titles) == ["writing…   First", "writing…   Second"]
    pane.options.list.close()
    pane.open(first)  # while it runs: what came before is there, and what comes is shown
    assert running(pane).text == "one "
    gate.open = True
    finished(qtbot, pane)
    assert running(pane).text == "one done" and len(pane.desk.busy) == 1
    second = next(iter(pane.desk.busy))
    pane.open(second)
    assert pane.writing and running(pane).text == "two "
    pane.stop()
    finished(qtbot, pane)
    assert [turn.text for turn in shelf.load(second).shown] == ["Second", "two "]
    assert [turn.text for turn in shelf.load(first).shown] == ["First", "one done"]


def test_settings_may_change_while_an_answer_grows(qtbot: QtBot, open_chat: Open, shelf: StoreShelf) -> None:
    pane, _ = open_chat([token("so far"), 30.0], shelf=shelf)
    ask(qtbot, pane, "Go")
    qtbot.waitUntil(lambda: running(pane).text == "so far")
    pane.options._on_prompt("Be brief.")
    pane.options._keep()
    kept = shelf.load(pane.conversation.key)
    assert (kept.settings.system_prompt, kept.shown[-1].text) == ("Be brief.", "so far")
    pane.stop()
    finished(qtbot, pane)
    assert shelf.load(pane.conversation.key).settings.system_prompt == "Be brief."


def test_a_deleted_conversation_stays_deleted_while_its_answer_ends(
    qtbot: QtBot, open_chat: Open, shelf: StoreShelf
) -> None:
    pane, controller = open_chat([token("so far"), 30.0], shelf=shelf)
    ask(qtbot, pane, "Go")
    qtbot.waitUntil(lambda: running(pane).text == "so far")
    pane.delete(pane.conversation.key)
    qtbot.waitUntil(lambda: controller.closed_early == 1)
    assert not pane.writing and pane.empty.isVisible() and shelf.list() == ()


def test_a_deleted_conversation_can_be_brought_back(qtbot: QtBot, open_chat: Open, shelf: StoreShelf) -> None:
    pane, _ = open_chat(whole("One."), shelf=shelf)
    ask(qtbot, pane, "Go")
    finished(qtbot, pane)
    before = pane.conversation
    pane.delete(before.key)
    assert pane.empty.isVisible() and shelf.list() == () and pane.banner.text == "“Go” was deleted."
    qtbot.mouseClick(pane.banner.action_button, LEFT)
    assert pane.conversation == before and [each.key for each in shelf.list()] == [before.key]
    assert len(pane.transcript.messages) == 2 and pane.banner.isHidden()


def test_thinking_is_folded_and_not_sent_again(qtbot: QtBot, open_chat: Open) -> None:
    pane, controller = open_chat(whole("<think>First this.</think>\n\nYes.", 3), whole("Fine."))
    ask(qtbot, pane, "Go")
    answer = finished(qtbot, pane)
    assert answer.thinking.isVisible() and not answer.thinking.frame.isVisible()
    assert answer.thinking.toggle.text() == "▸ Thoughts · 2 words"
    assert [block.html for block in answer.markdown.blocks] == ["<p>Yes.</p>"]
    qtbot.mouseClick(answer.thinking.toggle, LEFT)
    assert answer.thinking.frame.isVisible() and answer.thinking.view.blocks[0].text == "First this."
    ask(qtbot, pane, "More")
    finished(qtbot, pane)
    assert controller.requests[1].messages[1] == Message("assistant", "Yes.")


def test_waiting_for_memory_is_said(qtbot: QtBot, open_chat: Open) -> None:
    gate = Gate()
    pane, _ = open_chat([Queued(2), gate, *whole("Yes.")])
    ask(qtbot, pane, "Go")
    qtbot.waitUntil(lambda: running(pane).progress.text().endswith("place 2 in the queue"))
    gate.open = True
    finished(qtbot, pane)


def test_text_files_are_dropped_and_sent(qtbot: QtBot, open_chat: Open, shelf: StoreShelf, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("words")
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\0")
    pane, controller = open_chat(whole("Read."), shelf=shelf)
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(tmp_path / name)) for name in ("notes.txt", "picture.png")])
    copy, none = Qt.DropAction.CopyAction, Qt.KeyboardModifier.NoModifier
    pane.composer.dropEvent(QDropEvent(QPointF(5, 5), copy, data, LEFT, none))
    assert pane.composer.attachments == (Attachment("notes.txt", "words"),)
    assert pane.banner.text == "picture.png is not a text file. Only text can be given to the model."
    assert pane.composer.send.isEnabled()
    qtbot.mouseClick(pane.composer.send, LEFT)
    finished(qtbot, pane)
    assert controller.requests[0].messages == (Message("user", "File notes.txt:\n```\nwords\n```"),)
    assert pane.composer.attachments == () and pane.conversation.title == "notes.txt"
    pane.open(pane.conversation.key)
    assert question(pane).files.text() == "With notes.txt (5 B)"


def test_a_full_context_is_told_or_the_oldest_forgotten(qtbot: QtBot, open_chat: Open) -> None:
    pane, controller = open_chat(whole("words " * 200), whole("Fine."), snapshot=deployed(context=210))
    ask(qtbot, pane, "Go")
    finished(qtbot, pane)
    ask(qtbot, pane, "More of it please, ten words more than there were.")
    told = finished(qtbot, pane)
    assert told.problem.text.startswith("This conversation takes 211 tokens, and the deployment has room for 210.")
    assert len(controller.requests) == 1
    pane.options.sampling.show_values(pane.conversation.settings, ())
    pane.options.sampling.when_full.setCurrentIndex(1)
    pane.options._keep()
    qtbot.mouseClick(told.regenerate, LEFT)
    answer = finished(qtbot, pane)
    assert answer.note.text() == "The 2 oldest messages were not sent: the context is full."
    assert [message.role for message in controller.requests[1].messages] == ["user"]


@popup
def test_presets_are_kept_and_chosen(qtbot: QtBot, open_chat: Open, shelf: StoreShelf) -> None:
    pane, _ = open_chat(whole("Yes."), shelf=shelf)
    pane.options.open_sampling()
    sampling = pane.options.sampling
    assert sampling.preset.currentText() == "Exact" and not sampling.drop.isEnabled()
    sampling.preset.setCurrentIndex(1)
    sampling.preset.activated.emit(1)
    assert sampling.temperature.value() == 0.7
    sampling.top_k.setValue(40)
    assert sampling.preset.currentText() == "" and not sampling.keep.isEnabled()
    sampling.preset.lineEdit().selectAll()
    qtbot.keyClicks(sampling.preset.lineEdit(), "Mine")
    qtbot.mouseClick(sampling.keep, LEFT)
    assert sampling.preset.currentText() == "Mine" and sampling.drop.isEnabled()
    sampling.close()
    assert pane.conversation.settings.sampling.top_k == 40
    again, _ = open_chat(whole("Yes."), shelf=shelf)
    again.options.open_sampling()
    assert [again.options.sampling.preset.itemText(n) for n in range(4)][-1] == "Mine"
    again.options.sampling.close()


@popup
def test_conversations_are_put_into_folders(qtbot: QtBot, open_chat: Open, shelf: StoreShelf) -> None:
    pane, _ = open_chat(whole("Yes."), shelf=shelf)
    for text in ("About stages", "About hops"):
        pane.new_chat()
        ask(qtbot, pane, text)
        finished(qtbot, pane)
    pane.options.open_list()
    found = pane.options.list
    found.folder.lineEdit().selectAll()
    qtbot.keyClicks(found.folder.lineEdit(), "Work")
    qtbot.keyClick(found.folder.lineEdit(), Qt.Key.Key_Return)
    assert [title.split("   ")[-1] for title in found.titles] == ["No folder", "About stages", "Work", "About hops"]
    assert pane.conversation.folder == "Work" and found.isVisible()
    found.close()


def test_export_and_import(qtbot: QtBot, open_chat: Open, shelf: StoreShelf, tmp_path: Path) -> None:
    pane, _ = open_chat(whole("One."), whole("Two."), shelf=shelf)
    ask(qtbot, pane, "First")
    finished(qtbot, pane)
    pane.regenerate()
    finished(qtbot, pane)
    before = pane.conversation
    for ending, turns in (("json", 3), ("md", 2)):
        path = tmp_path / f"chat.{ending}"
        pane.files.export_to(path, ending)
        assert pane.banner.text.startswith(f"Written to chat.{ending}.")
        pane.files.import_from(path)
        assert pane.conversation.key != before.key and texts(pane) == ["First", "Two."]
        assert len(pane.conversation.turns) == turns and shelf.load(pane.conversation.key) == pane.conversation
        pane.open(before.key)
    assert len(shelf.list()) == 3
    (tmp_path / "bad.json").write_text("{")
    pane.files.import_from(tmp_path / "bad.json")
    assert "JSON is damaged" in pane.banner.text and pane.conversation.key == before.key
    pane.files.import_from(tmp_path / "none.json")
    assert pane.banner.text == "none.json: No such file or directory. Choose another place."
    pane.files.export_to(tmp_path / "none" / "chat.md", "md")
    assert pane.banner.text == "chat.md: No such file or directory. Choose another place."


def test_the_latency_lane(qtbot: QtBot, open_chat: Open, tmp_path: Path) -> None:
    pane, controller = open_chat([*measured("word " * 20)[:-1], 30.0], snapshot=deployed(placement=PLACED))
    assert pane.lane.isHidden()
    qtbot.mouseClick(pane.header.lane_button, LEFT)
    assert pane.lane.isVisible() and not pane.lane.export.isEnabled() and pane.lane.bars.isHidden()
    qtbot.waitUntil(lambda: pane.composer.reason.isHidden())
    ask(qtbot, pane, "Go")
    qtbot.waitUntil(lambda: len(pane.lane.events) == 20)
    lane = pane.lane
    assert lane.machines == ("studio-a", "mini-1", "mini-2")
    assert lane.sentence.text() == (
        "37 % of each token is computing in stage 3 on mini-2; "
        "each of its layers takes 3.5 times as long as on studio-a."
    )
    qtbot.waitUntil(lambda: bool(lane.bars.numbers_of(0)))
    numbers = lane.bars.numbers_of(18)
    assert numbers.startswith("Token 19: ") and "mini-1: hop " in numbers and "elsewhere: " in numbers
    lane.bars.setFocus()
    qtbot.keyClick(lane.bars, Qt.Key.Key_Left)
    assert lane.bars.chosen == 18 and lane.bars.accessibleDescription() == numbers
    qtbot.mouseClick(lane.pause, LEFT)
    assert lane.paused and lane.pause.text() == "Resume"
    pane.files.export_trace_to(tmp_path / "trace.json")
    found = json.loads((tmp_path / "trace.json").read_text())
    spans = [row for row in found["traceEvents"] if row["ph"] == "X"]
    assert sum(row["cat"] == "token" for row in spans) == 19 and {row["tid"] for row in spans} == {0, 1, 2, 3}
    pane.stop()
    answer = finished(qtbot, pane)
    assert shown(answer.shares.text()).startswith("Of each token: studio-a 18 % · mini-1 31 % · mini-2 45 %")
    assert isinstance(answer, AnswerView) and controller.closed_early == 1

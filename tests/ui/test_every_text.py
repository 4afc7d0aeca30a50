"""Every page, dialog and menu, in each state: all of it can be translated, and whatever is grey says why."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QApplication, QMenu, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from app.core.paths import controller_paths
from app.ui.board.gesture import Run
from app.ui.board.give_menu import GiveMenu
from app.ui.cluster.node_card import NodeCard
from app.ui.text import FOLDER, Catalogue
from app.ui.window import MainWindow
from tests.ui import audit
from tests.ui.scenes import scenes
from tests.ui.states import NAMES, STATES, library, made_up_window, show, tell
from tests.ui.texts import in_english, in_other_letters, menu_texts, painted, silent_actions, texts

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def collecting() -> ModuleType:
    spec = importlib.util.spec_from_file_location("collect_text", ROOT / "packaging" / "collect_text.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def window(qapp: QApplication, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MainWindow]:
    """Every text that can be translated is, into letters that English has not."""
    folder = tmp_path_factory.mktemp("1")
    english = json.loads((FOLDER / "en.json").read_text("utf-8"))["texts"]
    catalogue = Catalogue({text: in_other_letters(text) for text in english}, qapp)
    qapp.installTranslator(catalogue)
    try:
        with made_up_window(qapp, controller_paths(folder / "1")) as shown:
            shown.models.show_view(library(folder))
            shown.chat.open("c1")
            tell(shown)
            yield shown
    finally:
        qapp.removeTranslator(catalogue)


def menus(window: MainWindow) -> list[QMenu]:
    """The menu bar's, as they are when they open, and those of parts of the pages."""
    found = [action.menu() for action in window.menuBar().actions()]
    cluster, chat = window.cluster, window.chat
    found += [card.menu() for card in cluster.findChildren(NodeCard)]
    found += [cluster.board.header.saved.menu_of_saved(), chat.header.menu()]
    found += [card.convert_menu() for card in window.models.disk.cards.values()]
    board = cluster.board.strip._state
    if board is not None and board.rules is not None:
        found.append(GiveMenu(cluster.board, board, Run(0, 3), NAMES[0], lambda _node: None))
    opened = [menu for menu in found if isinstance(menu, QMenu)]
    for menu in opened:
        menu.aboutToShow.emit()
    return opened


EACH_DAY = ("busy",)


@pytest.mark.parametrize(
    "state", [each if each in EACH_DAY else pytest.param(each, marks=pytest.mark.in_turn) for each in STATES]
)
def test_all_is_translated_and_what_is_grey_says_why(
    state: str, window: MainWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    show(window, STATES[state]())
    if state == "busy":
        window.chat.send("3 + 3?")
    english: list[str] = []
    silent: list[str] = []
    names: list[str] = []
    for name, top, _close in scenes(window):
        names.append(name)
        with painted(monkeypatch) as written:
            top.grab()
        found = [*texts(top), *(("painted", text) for text in sorted(written))]
        english += [
            f"{name}: {where}: {text[:120]!r}" for where, text in found if in_english(text) and name not in OURS
        ]
        silent += [f"{name}: {each}" for each in audit.grey_without_reason(top)]
    for menu in menus(window):
        english += [f"{where}: {text!r}" for where, text in menu_texts(menu) if in_english(text)]
        silent += silent_actions(menu)
        menu.aboutToHide.emit()
    assert len(names) >= 19
    assert not english, "English:\n" + "\n".join(dict.fromkeys(english))
    assert not silent, "Grey without a reason:\n" + "\n".join(dict.fromkeys(silent))


# Scenes whose words the test makes up itself, and a page that is a file of its own: resources/help.
OURS = frozenset({"an error above the page", "Add machine, an error", "a question", "Security"})


def test_the_walk_finds_english_and_silence(qtbot: QtBot) -> None:
    top = QWidget()
    button = QPushButton("Deploy", top)
    button.setEnabled(False)
    menu = QMenu("1", top)
    menu.setToolTipsVisible(True)
    for tip in ("", "2"):
        action = QAction("1", menu)
        action.setEnabled(False)
        action.setToolTip(tip or "1")
        menu.addAction(action)
    qtbot.addWidget(top)
    top.show()
    assert [text for _, text in texts(top) if in_english(text)] == ["Deploy"]
    assert len(audit.grey_without_reason(top)) == 1
    assert silent_actions(menu) == ["1: 1"]
    assert not in_english(in_other_letters("Deploy {count} changes").format(count=3)) and not in_english("3.1 GB")


def test_nothing_that_a_reader_sees_is_left_out(collecting: ModuleType) -> None:
    """A new sentence is a phrase(…) in the core, and tr(…) or shown(…) in a widget; --bare says which is not."""
    assert collecting.bare() == []


def test_a_bare_sentence_is_found(collecting: ModuleType, tmp_path: Path) -> None:
    room = tmp_path / "app" / "ui"
    (tmp_path / "app" / "core").mkdir(parents=True)
    room.mkdir()
    (room / "new.py").write_text(
        '"""No text."""\n'
        'key = "state"\n'
        'tip = "Choose a model first."\n'
        'said = f"{key} is lost"\n'
        'good = phrase("{node} is lost", node=key)\n'
        'label("Looked up by itself")\n'
        'button.setText("Deploy")\n'
        'words.count(3, "layer")\n',
        "utf-8",
    )
    assert [line.split(":")[1] for line in collecting.bare(tmp_path)] == ["3", "4", "7"]
    assert set(collecting.collect(tmp_path)) == {
        "{node} is lost",
        "Looked up by itself",
        "{number} layer",
        "{number} layers",
    }

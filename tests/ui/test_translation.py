"""English in one place: the catalogue is current, and a translation reaches the window."""

from __future__ import annotations

import copy
import json
import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QLocale
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.core.errors import ShardboardError
from app.core.text import Phrase, anded, counted, first_sentence, joined, listed, phrase
from app.ui.desktop.shortcuts_page import ShortcutsDialog
from app.ui.text import (
    FOLDER,
    Catalogue,
    as_shown,
    install_language,
    install_system_language,
    read_catalogue,
    shown,
    tr,
    wanted_language,
)
from app.ui.widgets import Banner, label, push_button

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def german(qapp: QApplication, tmp_path: Path) -> Iterator[Catalogue]:
    texts = {
        "Keyboard shortcuts": "Tastenkürzel",
        "{node} is lost": "{node} ist verloren",
        "{title}: {text}": "{title} – {text}",
        "Close": "Schließen",
        "Deploy": "",  # not translated yet
        "{ready} of {total} machines ready": "{bereit} von {total}",  # names what is not there
    }
    (tmp_path / "de.json").write_text(json.dumps({"language": "de", "texts": texts}), "utf-8")
    catalogue = install_language(qapp, "de", tmp_path)
    assert catalogue is not None
    yield catalogue
    qapp.removeTranslator(catalogue)


def test_the_catalogue_is_current() -> None:
    command = [sys.executable, str(ROOT / "packaging" / "collect_text.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_catalogue_holds_what_the_window_shows() -> None:
    texts = json.loads((FOLDER / "en.json").read_text("utf-8"))["texts"]
    assert {"Keyboard shortcuts", "Deploy", "{node} is lost", "Add machine"} <= texts.keys()
    assert texts["Keyboard shortcuts"] == ["ui/desktop"]


def test_a_phrase_is_its_english_and_knows_how_it_was_made() -> None:
    lost = phrase("{node} is lost", node="mini-1")
    assert lost == "mini-1 is lost" and isinstance(lost, str)
    assert (lost.template, dict(lost.values)) == ("{node} is lost", {"node": "mini-1"})
    assert phrase("no {braces} are filled") == "no {braces} are filled"


def test_without_a_language_all_is_english(qapp: QApplication, tmp_path: Path) -> None:
    assert install_language(qapp, "en") is None
    assert install_language(qapp, "xx", tmp_path) is None
    assert tr("{count} machines", count=3) == "3 machines"
    assert shown(phrase("{node} is lost", node="a")) == "a is lost" and shown("As it is.") == "As it is."


def test_a_language_reaches_what_is_shown(german: Catalogue, qtbot: QtBot) -> None:
    assert label("Keyboard shortcuts").text() == "Tastenkürzel"
    assert push_button("Close").text() == "Schließen"
    assert push_button("Deploy").text() == "Deploy"
    inner = phrase("{node} is lost", node="mini-1")
    assert shown(phrase("{title}: {text}", title=inner, text="x")) == "mini-1 ist verloren – x"
    assert tr("{ready} of {total} machines ready", ready=1, total=2) == "1 of 2 machines ready"
    banner = Banner()
    qtbot.addWidget(banner)
    banner.show_error(ShardboardError(inner, "Close"))
    assert banner.text == "mini-1 ist verloren Schließen"
    page = ShortcutsDialog()
    qtbot.addWidget(page)
    assert page.windowTitle() == "Tastenkürzel"


@pytest.mark.parametrize(
    ("preferred", "there", "expected"),
    [
        (["de-Latn-AT", "de-AT", "de", "en"], {"en", "de"}, "de"),
        (["pt-BR", "pt"], {"pt", "pt-BR"}, "pt-BR"),
        (["en-GB", "en", "de"], {"en", "de"}, "en"),
        (["fr-FR", "fr", "de-DE", "de"], {"en", "de"}, "de"),
        (["fr"], {"en"}, "en"),
        (["C"], set[str](), "en"),
        ([], {"de"}, "en"),
    ],
)
def test_the_first_of_the_readers_languages_that_is_there(preferred: list[str], there: set[str], expected: str) -> None:
    assert wanted_language(preferred, there) == expected


def test_a_damaged_language_is_told_and_stays_english(qapp: QApplication, tmp_path: Path) -> None:
    assert install_system_language(qapp, tmp_path) is None
    language = QLocale.system().uiLanguages()[0]
    (tmp_path / f"{language}.json").write_text("{", "utf-8")
    found = install_system_language(qapp, tmp_path)
    assert (found is None) is language.startswith("en")
    assert tr("Close") == "Close"


def test_parts_that_are_joined_keep_how_they_were_made(german: Catalogue) -> None:
    lost = phrase("{node} is lost", node="a")
    both = joined((lost, "", "b", phrase("Close")), "; ")
    assert both == "a is lost; b; Close" and shown(both) == "a ist verloren; b; Schließen"
    assert joined(("a", "b"), "{}") == "a{}b" and joined((lost, lost), "{}") == "a is lost{}a is lost"
    assert joined(()) == "" and joined(("", lost)) is lost
    assert shown(str(ShardboardError(lost, "Close"))) == "a ist verloren Close"
    assert tr("{title}: {text}", title=lost, text=phrase("Close")) == "a ist verloren – Schließen"
    assert first_sentence(joined((lost, "b"))) == "a is lost" and first_sentence("a. b.") == "a. b."


@pytest.mark.parametrize(
    ("names", "as_listed", "as_parts"),
    [
        ([], "", ""),
        (["a"], "a", "a"),
        (["a", "b"], "a and b", "a and b"),
        (["a", "b", "c"], "a, b and c", "a and b and c"),
    ],
)
def test_lists_in_sentences(names: list[str], as_listed: str, as_parts: str) -> None:
    assert (listed(names), anded(names)) == (as_listed, as_parts)


def test_what_is_counted_has_a_text_for_one_and_one_for_many() -> None:
    one, many = "{number} layer", "{number} layers"
    assert [counted(number, one, many) for number in (1, 0, 1200)] == ["1 layer", "0 layers", "1,200 layers"]
    assert counted(2, one, many).template == many


def test_a_plain_text_is_data_where_names_are_shown(german: Catalogue) -> None:
    assert (as_shown("Close"), as_shown(phrase("Close"))) == ("Close", "Schließen")
    name = label()
    name.setText("Close")
    assert name.text() == "Close"


@pytest.mark.parametrize("content", ["", "[]", '{"texts": {"a": 1}}', '{"texts": []}', "\x00"])
def test_a_damaged_catalogue_is_refused_in_words(tmp_path: Path, content: str) -> None:
    file = tmp_path / "de.json"
    file.write_text(content, "utf-8")
    with pytest.raises(ShardboardError, match="no catalogue"):
        read_catalogue(file)


def test_an_error_and_a_copy_keep_how_they_were_made() -> None:
    cause = phrase("{node} is lost", node="a")
    kept = [ShardboardError(cause).cause, copy.copy(cause), pickle.loads(pickle.dumps(cause))]
    assert [(each.template, dict(each.values)) for each in kept if isinstance(each, Phrase)] == [
        ("{node} is lost", {"node": "a"})
    ] * 3
    assert json.dumps({"cause": cause}) == '{"cause": "a is lost"}'

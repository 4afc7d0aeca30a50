"""The window's words in the reader's language. English is in the sources; resources/text holds the catalogues.

Bad: label(f"{n} machines").  Good: label(tr("{count} machines", count=n)).  What label(), push_button(), IconButton(),
WrappedLabel(), explain() and a Banner are given as a literal is looked up by them, and needs no tr().
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any, Final

from PySide6.QtCore import QCoreApplication, QLibraryInfo, QLocale, QObject, QTranslator

from app.core.errors import ShardboardError
from app.core.text import Phrase, phrase

CONTEXT: Final = "shardboard"
FOLDER: Final = Path(__file__).resolve().parents[2] / "resources" / "text"


def tr(template: str, /, **values: Any) -> str:
    """The template in the language that is installed, else in English, with the values in place. A Phrase, as the
    template or as a value, is shown in that language too."""
    if isinstance(template, Phrase):
        template, values = template.template, {**template.values, **values}
    found = QCoreApplication.translate(CONTEXT, template) if template else template
    if not values:
        return found
    here = {name: shown(each) if isinstance(each, Phrase) else each for name, each in values.items()}
    try:
        return found.format(**here)
    except (KeyError, IndexError, ValueError):  # a translation that names what is not there
        return template.format(**here)


def shown(text: str) -> str:
    """A sentence of the core in the reader's language: by how it was made where it knows, else as it stands."""
    return tr(text.template, **text.values) if isinstance(text, Phrase) else tr(text)


def as_shown(text: str) -> str:
    """For what takes names and sentences alike: a Phrase in the reader's language; a plain text is data, left as is."""
    return shown(text) if isinstance(text, Phrase) else text


def told(texts: Iterable[str]) -> tuple[str, ...]:
    """Several wordings in the reader's language."""
    return tuple(map(as_shown, texts))


class Catalogue(QTranslator):
    """One language's texts, by their English. Texts that it lacks stay English."""

    def __init__(self, texts: dict[str, str], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._texts = texts

    def isEmpty(self) -> bool:
        return not self._texts

    def translate(self, context: str, text: str, disambiguation: str | None = None, n: int = -1) -> str:
        # None is what Qt takes for "not known", also where the stub says str
        return self._texts.get(text) if context == CONTEXT else None  # type: ignore[return-value]


def read_catalogue(file: Path) -> dict[str, str]:
    """English to translation. Raises ShardboardError for a file that is none."""
    try:
        texts = json.loads(file.read_text(encoding="utf-8"))["texts"]
        if not all(isinstance(key, str) and isinstance(value, str) for key, value in texts.items()):
            raise TypeError
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        cause = phrase("{file} is no catalogue of texts.", file=file.name)
        raise ShardboardError(cause, "Make it from resources/text/en.json.") from None
    return {key: value for key, value in texts.items() if value}


def wanted_language(preferred: Iterable[str], there: Collection[str]) -> str:
    """The first of the reader's languages that is there; English is, and needs no file. preferred: "de-AT", "de", …"""
    for language in preferred:
        if language in there or language.partition("-")[0] == "en":
            return language if language in there else "en"
    return "en"


def install_system_language(app: QCoreApplication, folder: Path = FOLDER) -> ShardboardError | None:
    """The system's language, where there is a catalogue for it, and Qt's own words in it. Answers what is wrong with
    the catalogue: it stays English then."""
    language = wanted_language(QLocale.system().uiLanguages(), {file.stem for file in folder.glob("*.json")})
    try:
        catalogue = install_language(app, language, folder)
    except ShardboardError as error:
        return error
    words_of_qt = QTranslator(app)
    place = QLibraryInfo.path(QLibraryInfo.LibraryPath.TranslationsPath)
    if catalogue is not None and words_of_qt.load(QLocale(language), "qtbase", "_", place):
        app.installTranslator(words_of_qt)
    return None


def install_language(app: QCoreApplication, language: str, folder: Path = FOLDER) -> Catalogue | None:
    """Puts a language in force before the window is made: "de" for resources/text/de.json. None: it stays English."""
    file = folder / f"{language}.json"
    if language == "en" or not file.is_file():
        return None
    catalogue = Catalogue(read_catalogue(file), app)
    app.installTranslator(catalogue)
    return catalogue

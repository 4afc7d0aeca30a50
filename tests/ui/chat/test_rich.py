"""Views of foreign text are closed to the outside."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QUrl
from PySide6.QtGui import QDesktopServices, QTextDocument
from pytestqt.qtbot import QtBot

from app.ui.chat import rich
from app.ui.chat.highlight import Ink, spans
from app.ui.chat.rich import PlainView, RichView
from app.ui.theme import Theme


@pytest.mark.parametrize(
    ("address", "opened"),
    [
        ("https://example.org/a?b=1", True),
        ("http://example.org", True),
        ("file:///etc/passwd", False),
        ("javascript:alert(1)", False),
        ("ssh://host", False),
        ("https:///nohost", False),
        ("", False),
    ],
)
def test_only_web_addresses_are_opened(monkeypatch: pytest.MonkeyPatch, address: str, opened: bool) -> None:
    calls: list[QUrl] = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: bool(calls.append(url)) or True)
    assert rich.open_link(QUrl(address)) is opened
    assert len(calls) == opened


@pytest.mark.qt_log_ignore("No document for", extend=True)
def test_no_file_is_read_even_if_html_asks_for_it(qtbot: QtBot, theme: Theme, tmp_path: Path) -> None:
    secret = tmp_path / "secret.html"
    secret.write_text("secret")
    view = RichView("Text")
    qtbot.addWidget(view)
    view.show_html(f'<p>a<img src="file://{secret}"/></p>')
    kind = QTextDocument.ResourceType.HtmlResource
    assert view.loadResource(kind.value, QUrl.fromLocalFile(str(secret))) is None
    view.setSource(QUrl.fromLocalFile(str(secret)))
    assert "secret" not in view.toPlainText()


def test_plain_text_is_not_html(qtbot: QtBot, theme: Theme) -> None:
    view = PlainView("Text")
    qtbot.addWidget(view)
    view.show_text("<b>not bold</b>")
    assert view.toPlainText() == "<b>not bold</b>"


def test_height_follows_the_content(qtbot: QtBot, theme: Theme) -> None:
    view = RichView("Text")
    qtbot.addWidget(view)
    view.resize(300, 20)
    view.show()
    view.show_html("<p>" + "words and more words " * 30 + "</p>")
    high = view.height()
    view.resize(600, high)
    assert high > 150 and view.height() < high * 0.7


def test_spans_of_code() -> None:
    lines = spans('def f():\n    return "é𝄞" + 1  # x', "python")
    assert [(span.start, span.length, span.ink) for span in lines[0]] == [(0, 3, Ink.KEYWORD), (4, 1, Ink.NAME)]
    assert [(span.start, span.ink) for span in lines[1]][-2:] == [(19, Ink.NUMBER), (22, Ink.COMMENT)]
    assert spans("x", "no-such-language") == () and spans("x", "") == ()
    assert spans("x = 1\n" * 10_000, "python") == ()

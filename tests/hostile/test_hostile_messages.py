"""What a hostile model writes is shown without a fetch of any kind, and without a stall.

The figures by hand: python -m tests.hostile.bench
"""

from __future__ import annotations

import ast
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QUrl
from PySide6.QtGui import QDesktopServices, QTextDocument
from PySide6.QtNetwork import QNetworkAccessManager

from app.ui.chat import rich
from app.ui.chat.rich import ContentView
from app.ui.theme import Theme
from tests.hostile.messages import COUNT, corpus
from tests.hostile.watching import Stage
from tests.ui.chat.conftest import theme  # noqa: F401  (a fixture)

GENEROUS_S = 2.0  # of processor time; the bench prints what it really is
EVERY = 45  # of the long ones, so that the suite stays short
UI = Path(__file__).resolve().parents[2] / "app" / "ui"


@pytest.fixture
def listener() -> Iterator[tuple[str, list[str]]]:
    """A server on loopback, and the requests that it saw."""
    seen: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.path)
            self.send_response(404)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}", seen
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_corpus_is_what_it_should_be() -> None:
    made = list(corpus("http://127.0.0.1:9"))
    assert len(made) == COUNT
    assert len({name for name, _ in made}) == COUNT
    assert sum("http://127.0.0.1:9" in text for _, text in made) > 40
    assert max(len(text) for _, text in made) == 1 << 20


@pytest.mark.parametrize("answer", [True, False], ids=["answered", "asked"])
def test_nothing_is_fetched_or_opened(
    theme: Theme,  # noqa: F811
    listener: tuple[str, list[str]],
    monkeypatch: pytest.MonkeyPatch,
    answer: bool,
) -> None:
    address, seen = listener
    wanted: list[str] = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: wanted.append(url.toString()))
    monkeypatch.setattr(QTextDocument, "loadResource", lambda *arguments: wanted.append(str(arguments)))
    asked = ContentView.loadResource

    def load(view: ContentView, kind: int, name: QUrl) -> Any:
        wanted.append(name.toString())
        return asked(view, kind, name)

    monkeypatch.setattr(ContentView, "loadResource", load)
    stage = Stage()
    slowest = ("", 0.0)
    try:
        for number, (name, text) in enumerate(corpus(address)):
            if len(text) > 10_000 and (number + answer) % EVERY:
                continue
            pause = stage.longest_pause(text, answer=answer)
            slowest = max(slowest, (name, pause), key=lambda each: each[1])
    finally:
        stage.close()
    assert not seen
    assert not wanted
    assert slowest[1] < GENEROUS_S, slowest


def test_the_listener_would_see_a_fetch(listener: tuple[str, list[str]]) -> None:
    import urllib.request

    address, seen = listener
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with pytest.raises(urllib.error.HTTPError):
        opener.open(f"{address}/here", timeout=5)
    assert seen == ["/here"]
    assert QNetworkAccessManager  # that nothing in the window uses: see below


@pytest.mark.parametrize(
    "address",
    ["file:///etc/passwd", "javascript:alert(1)", "data:text/html,a", "smb://a/b", "http://", "ftp://a/b", "qrc:/a",
     "shardboard:a", "//a/b", "vscode://a", "http:/a"],
)  # fmt: skip
def test_only_web_addresses_are_opened(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: bool(opened.append(url.toString())) or True)
    assert not rich.open_link(QUrl(address))
    assert not opened
    rich.open_link(QUrl("https://example.org/a"))
    assert opened == ["https://example.org/a"]


# -- the whole window ------------------------------------------------------------------------------------------------


ICONS = ("widgets/banner.py",)  # its one plain label holds a picture


def calls(tree: ast.AST, name: str) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = node.func
            if (called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")) == name:
                yield node


def sources() -> list[tuple[str, ast.AST]]:
    return [(str(path.relative_to(UI)), ast.parse(path.read_text())) for path in sorted(UI.rglob("*.py"))]


def test_the_window_has_no_network_of_its_own() -> None:
    own_socket = "from PySide6.QtNetwork import QLocalServer, QLocalSocket\n"  # of this user on this machine
    for path in UI.rglob("*.py"):
        text = path.read_text()
        if path.name == "instance.py":
            text = text.replace(own_socket, "")
        for word in ("QtNetwork", "QtWebEngine", "urllib.request", "setMarkdown", "import requests", "httpx"):
            assert word not in text, f"{path}: {word}"


def test_rich_text_is_made_in_one_place() -> None:
    """setHtml only where app.ui.chat.inline made the text; every label is told that its text is plain."""
    for name, tree in sources():
        if name != "chat/rich.py":
            assert not list(calls(tree, "setHtml")), name
        labels = [*calls(tree, "QLabel"), *calls(tree, "QMessageBox")]
        assert not labels or any(calls(tree, "setTextFormat")) or name in ICONS, name


def test_tool_tips_from_elsewhere_are_plain() -> None:
    """A tool tip that is not written in the program goes through plain_tooltip, for Qt shows HTML in it."""
    loose = [
        f"{name}:{call.lineno}"
        for name, tree in sources()
        for call in calls(tree, "setToolTip")
        if call.args and not _safe(call.args[0]) and name not in KNOWN
    ]
    assert not loose


KNOWN = ("chat/popovers.py", "chat/transcript.py", "chat/header.py", "board/context_spin.py", "widgets/buttons.py")
"""Where a variable holds words of the program itself."""


def _safe(node: ast.expr) -> bool:
    if isinstance(node, ast.IfExp):
        return _safe(node.body) and _safe(node.orelse)
    if isinstance(node, (ast.Attribute, ast.Name)) and (getattr(node, "attr", "") or getattr(node, "id", "")).isupper():
        return True
    called = node.func if isinstance(node, ast.Call) else None
    if isinstance(node, ast.Call) and getattr(called, "id", "") in ("tr", "shown", "as_shown"):
        return not node.keywords and all(_safe(each) for each in node.args)
    return isinstance(node, ast.Constant) or getattr(called, "id", "") == "plain_tooltip"

"""What is copied for other programs: as a shell and a person would take it."""

from __future__ import annotations

import json
import shlex

import pytest

from app.core.serve.desk import why_not
from app.core.serve.recipes import api_address, client_settings, curl_call
from app.core.settings.settings import Settings, change


@pytest.mark.parametrize(
    ("host", "own", "expected"),
    [
        ("127.0.0.1", ("10.0.0.7",), "http://127.0.0.1:8100"),
        ("localhost", (), "http://localhost:8100"),
        ("::1", (), "http://[::1]:8100"),
        ("0.0.0.0", ("10.0.0.7", "fd00::7"), "http://10.0.0.7:8100"),
        ("::", ("fd00::7",), "http://[fd00::7]:8100"),
        ("0.0.0.0", (), "http://127.0.0.1:8100"),
    ],
)
def test_address(host: str, own: tuple[str, ...], expected: str) -> None:
    assert api_address(host, 8100, own) == expected


@pytest.mark.parametrize(("key", "model"), [("", ""), ("it's $HOME `x`\\", 'a "model" of owner\'s/name')])
def test_curl(key: str, model: str) -> None:
    words = shlex.split(curl_call("http://127.0.0.1:8100", key, model).replace("\\\n", " "))
    assert words[:4] == ["curl", "http://127.0.0.1:8100/v1/chat/completions", "-H", "Content-Type: application/json"]
    assert (f"Authorization: Bearer {key}" in words) is bool(key)
    body = json.loads(words[words.index("-d") + 1])
    assert body["messages"] and body.get("model", "") == model


def test_client_settings() -> None:
    def read(text: str) -> dict[str, str]:
        return dict(shlex.split(line)[0].split("=", 1) for line in text.splitlines())

    assert read(client_settings("http://[::1]:9", "a'b", "tiny")) == {
        "OPENAI_BASE_URL": "http://[::1]:9/v1",
        "OPENAI_API_KEY": "a'b",
        "OPENAI_MODEL": "tiny",
    }
    assert read(client_settings("http://127.0.0.1:9"))["OPENAI_API_KEY"]  # clients refuse an empty one


@pytest.mark.parametrize(
    ("changes", "refused"),
    [
        ({}, False),
        ({"api_host": "0.0.0.0"}, True),
        ({"api_host": "0.0.0.0", "api_key": "k"}, False),
        ({"api_host": "10.0.0.7"}, True),
        ({"api_host": "::1"}, False),
    ],
)
def test_a_key_is_needed_beyond_this_machine(changes: dict[str, object], refused: bool) -> None:
    assert bool(why_not(change(Settings(), changes))) is refused

"""What each setting may be, as tables; from the file and from the command line alike."""

from __future__ import annotations

from typing import Any

import pytest

from app.core.errors import UsageError
from app.core.settings.settings import Settings, change, choices, from_table, read_choice, shown, to_table

GOOD: list[tuple[str, object]] = [
    ("appearance", "dark"),
    ("text_scale", 0.8),
    ("text_scale", 2),
    ("motion", "reduced"),
    ("default_context", 256),
    ("default_context", 1 << 20),
    ("memory_reserves", {"mini-1": 2_000_000_000}),
    ("memory_reserves", {}),
    ("downloads_folder", ""),
    ("downloads_folder", "/Volumes/models"),
    ("api_host", "0.0.0.0"),
    ("api_host", "::1"),
    ("api_host", "mini-1.local"),
    ("api_port", 1),
    ("api_port", 65535),
    ("api_key", ""),
    ("api_key", "s3cret-Key_!~"),
    ("api_with_app", True),
    ("first_start_done", True),
]
BAD: list[tuple[str, object]] = [
    ("appearance", "pink"),
    ("appearance", None),
    ("text_scale", 0.79),
    ("text_scale", 2.1),
    ("text_scale", float("nan")),
    ("text_scale", True),
    ("motion", 1),
    ("default_context", 255),
    ("default_context", 4096.0),
    ("default_context", True),
    ("memory_reserves", [1]),
    ("memory_reserves", {"mini-1": -1}),
    ("memory_reserves", {"mini-1": "2GB"}),
    ("downloads_folder", "models"),
    ("downloads_folder", None),
    ("api_host", ""),
    ("api_host", "two words"),
    ("api_host", "-x"),
    ("api_host", 7),
    ("api_port", 0),
    ("api_port", 65536),
    ("api_port", "8100"),
    ("api_key", "two words"),
    ("api_key", "schlüssel"),
    ("api_key", "x" * 201),
    ("api_key", "line\nfeed"),
    ("api_with_app", 1),
    ("first_start_done", "yes"),
]


@pytest.mark.parametrize(("name", "value"), GOOD)
def test_good(name: str, value: object) -> None:
    settings = change(Settings(), {name: value})
    assert getattr(settings, name) == value
    assert from_table(to_table(settings, {})) == (settings, ())


@pytest.mark.parametrize(("name", "value"), BAD)
def test_bad(name: str, value: object) -> None:
    with pytest.raises(UsageError) as refused:
        change(Settings(), {name: value})
    assert refused.value.cause.startswith(name) and refused.value.remedy
    settings, problems = from_table({name: value, "api_port": 9000} if name != "api_port" else {name: value})
    assert getattr(settings, name) == getattr(Settings(), name)
    assert len(problems) == 1 and name in problems[0]
    assert settings.api_port == (8100 if name == "api_port" else 9000)  # what is good beside it stays


def test_every_field_has_its_row() -> None:
    assert tuple(each.name for each in choices()) == tuple(Settings.__dataclass_fields__)
    for each in choices():
        assert not each.wrong(getattr(Settings(), each.name)), each.name


def test_unknown_keys_stay_and_usual_values_are_left_out() -> None:
    before = {"of_a_newer_version": [1, 2], "appearance": "dark", "api_port": 9000}
    settings, _ = from_table(before)
    after = to_table(change(settings, {"appearance": "system", "default_context": 8192}), before)
    assert after == {"of_a_newer_version": [1, 2], "api_port": 9000, "default_context": 8192}


def test_no_such_setting() -> None:
    for act in (lambda: change(Settings(), {"colour": 1}), lambda: read_choice("colour", "1")):
        with pytest.raises(UsageError, match='no setting "colour"'):
            act()


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("default_context", "8,192", 8192),
        ("text_scale", "1.25", 1.25),
        ("memory_reserves", "mini-1=2GB,studio a=512MB", {"mini-1": 2_000_000_000, "studio a": 512_000_000}),
        ("memory_reserves", "", {}),
        ("api_with_app", "yes", True),
        ("api_with_app", "Off", False),
        ("api_key", "", ""),
    ],
)
def test_from_the_command_line(name: str, text: str, value: object) -> None:
    assert read_choice(name, text) == value
    assert getattr(change(Settings(), {name: value}), name) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [("default_context", "many"), ("api_with_app", "perhaps"), ("memory_reserves", "2GB"), ("memory_reserves", "a=b")],
)
def test_not_from_the_command_line(name: str, text: str) -> None:
    with pytest.raises(UsageError):
        read_choice(name, text)


def test_shown() -> None:
    changes: dict[str, Any] = {
        "api_key": "secret",
        "memory_reserves": {"b": 1_500_000_000, "a": 0},
        "api_with_app": True,
    }
    settings = change(Settings(), changes)
    assert shown(settings, "api_key") == "set"
    assert shown(settings, "memory_reserves") == "a=0 B,b=1.5 GB"
    assert shown(settings, "api_with_app") == "yes"
    assert shown(settings, "default_context") == "4096"

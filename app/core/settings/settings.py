"""What the owner has chosen, as one frozen value, and the one table that says what each choice may be. Pure.

The window and the command line read the same file; a name in the table is the key in the file and the word on the
command line.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from types import MappingProxyType
from typing import Any, Final, cast

from app.core.errors import SentenceError, UsageError
from app.core.text import phrase
from shardd.host import format_bytes, parse_size

APPEARANCES: Final = ("system", "dark", "light")
MOTIONS: Final = ("system", "reduced", "full")
LEAST_SCALE, MOST_SCALE = 0.8, 2.0
LEAST_CONTEXT, MOST_CONTEXT = 256, 1 << 20
MOST_KEY_LENGTH = 200
HOST_NAME: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True)
class Settings:
    """memory_reserves: bytes that stay free on a machine, by its name; none given is none kept free.

    downloads_folder: where models from the hub go; "" for the usual place.  text_scale: 1 is the usual size.
    api_key: "" for none, which only this machine may use.  first_start_done: seen to its end, or skipped.
    """

    appearance: str = "system"
    text_scale: float = 1.0
    motion: str = "system"
    default_context: int = 4096
    memory_reserves: Mapping[str, int] = field(default_factory=lambda: MappingProxyType(dict[str, int]()))
    downloads_folder: str = ""
    api_host: str = "127.0.0.1"
    api_port: int = 8100
    api_key: str = ""
    api_with_app: bool = False
    first_start_done: bool = False

    def reserve_of(self, machine: str) -> int:
        return self.memory_reserves.get(machine, 0)


@dataclass(frozen=True, slots=True)
class Choice:
    """wrong(value): why this cannot be, as a sentence without its name, or "". read(text): a value from the command
    line, raising ValueError or SentenceError."""

    name: str
    what: str
    wrong: Callable[[object], str]
    read: Callable[[str], object]


def choices() -> tuple[Choice, ...]:
    """Every setting, in the order in which they are shown."""
    return (
        Choice("appearance", "system, dark or light", _one_of(APPEARANCES), str),
        Choice("text_scale", "the size of text, 0.8 to 2", _wrong_scale, float),
        Choice("motion", "system, reduced or full", _one_of(MOTIONS), str),
        Choice("default_context", "tokens that a new placement begins with", _wrong_context, _read_number),
        Choice("memory_reserves", "kept free on machines: NAME=SIZE,… or nothing", _wrong_reserves, _read_reserves),
        Choice("downloads_folder", "where models from the hub go; empty for the usual place", _wrong_folder, str),
        Choice("api_host", "where the API listens", _wrong_host, str),
        Choice("api_port", "the API's port", _wrong_port, _read_number),
        Choice("api_key", "what callers of the API must send; empty for none", _wrong_key, str),
        Choice("api_with_app", "whether the API starts with the window: yes or no", _wrong_switch, _read_switch),
        Choice("first_start_done", "whether the first start was seen: yes or no", _wrong_switch, _read_switch),
    )


def change(settings: Settings, changes: Mapping[str, object]) -> Settings:
    """With these values in place. Raises UsageError for a name that does not exist or a value that cannot be."""
    known = {each.name: each for each in choices()}
    for name, value in changes.items():
        if name not in known:
            raise UsageError(
                phrase('There is no setting "{name}".', name=name),
                phrase("There are: {known}.", known=", ".join(known)),
            )
        problem = known[name].wrong(value)
        if problem:
            raise UsageError(
                phrase("{name} {problem}.", name=name, problem=problem), phrase("It is {what}.", what=known[name].what)
            )
    return replace(settings, **cast("dict[str, Any]", dict(changes)))


def read_choice(name: str, text: str) -> object:
    """The value that a person wrote for a setting. Raises UsageError."""
    found = next((each for each in choices() if each.name == name), None)
    if found is None:
        raise UsageError(
            phrase('There is no setting "{name}".', name=name),
            phrase("There are: {choices}.", choices=", ".join(each.name for each in choices())),
        )
    try:
        return found.read(text)
    except SentenceError as error:
        raise UsageError(error.cause, error.remedy) from None
    except ValueError:
        raise UsageError(
            phrase('"{text}" cannot be the value of {name}.', text=text, name=name),
            phrase("It is {what}.", what=found.what),
        ) from None


def from_table(table: Mapping[str, object]) -> tuple[Settings, tuple[str, ...]]:
    """The settings in a file, and a sentence for each value there that cannot be and was left out."""
    good: dict[str, Any] = {}
    problems: list[str] = []
    for each in choices():
        if each.name in table:
            value = table[each.name]
            wrong = each.wrong(value)
            if wrong:
                problems.append(phrase("{name} {wrong}; the usual value is used.", name=each.name, wrong=wrong))
            else:
                good[each.name] = float(cast("float", value)) if each.name == "text_scale" else value
    return replace(Settings(), **good), tuple(problems)


def to_table(settings: Settings, before: Mapping[str, object]) -> dict[str, object]:
    """What is written: keys of `before` that we do not know stay, those that have their usual value are left out."""
    usual = Settings()
    table = {key: value for key, value in before.items() if key not in {each.name for each in fields(Settings)}}
    for each in fields(Settings):
        value = getattr(settings, each.name)
        if value != getattr(usual, each.name):
            table[each.name] = dict(value) if isinstance(value, Mapping) else value
    return table


def shown(settings: Settings, name: str) -> str:
    """A value as the command line shows it; the API's key is not shown."""
    value = getattr(settings, name)
    if name == "api_key":
        return "set" if value else ""
    if name == "memory_reserves":
        return ",".join(f"{machine}={format_bytes(kept)}" for machine, kept in sorted(value.items()))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


# -- what each may be -------------------------------------------------------------------------------------------------


def _one_of(words: tuple[str, ...]) -> Callable[[object], str]:
    def wrong(value: object) -> str:
        return "" if value in words else phrase("is none of {words}", words=", ".join(words))

    return wrong


def _wrong_scale(value: object) -> str:
    good = type(value) in (int, float) and LEAST_SCALE <= cast("float", value) <= MOST_SCALE
    return (
        ""
        if good
        else phrase("is not between {least_scale} and {most_scale:g}", least_scale=LEAST_SCALE, most_scale=MOST_SCALE)
    )


def _wrong_context(value: object) -> str:
    good = type(value) is int and LEAST_CONTEXT <= value <= MOST_CONTEXT
    return (
        ""
        if good
        else phrase(
            "is not between {least_context:,} and {most_context:,} tokens",
            least_context=LEAST_CONTEXT,
            most_context=MOST_CONTEXT,
        )
    )


def _wrong_reserves(value: object) -> str:
    if not isinstance(value, Mapping):
        return phrase("is not a table of machines")
    entries = cast("Mapping[object, object]", value).items()
    good = all(isinstance(name, str) and type(kept) is int and 0 <= kept < 1 << 50 for name, kept in entries)
    return "" if good else phrase("has something that is not a size")


def _wrong_folder(value: object) -> str:
    return "" if isinstance(value, str) and (not value or value.startswith("/")) else phrase("is not a whole path")


def _wrong_host(value: object) -> str:
    if not isinstance(value, str):
        return phrase("is not an address")
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return "" if HOST_NAME.fullmatch(value) else phrase("is not an address")
    return ""


def _wrong_port(value: object) -> str:
    return "" if type(value) is int and 0 < value < 65536 else phrase("is not between 1 and 65,535")


def _wrong_key(value: object) -> str:
    """It travels in a header: visible letters of ASCII alone."""
    if not isinstance(value, str) or len(value) > MOST_KEY_LENGTH:
        return phrase("is longer than {most_key_length} letters", most_key_length=MOST_KEY_LENGTH)
    return "" if all("!" <= letter <= "~" for letter in value) else phrase("has a space or a letter beyond ASCII")


def _wrong_switch(value: object) -> str:
    return "" if type(value) is bool else phrase("is neither yes nor no")


def _read_number(text: str) -> int:
    return int(text.replace(",", ""))


def _read_switch(text: str) -> bool:
    words = {"yes": True, "on": True, "true": True, "no": False, "off": False, "false": False}
    if text.lower() not in words:
        raise ValueError(text)
    return words[text.lower()]


def _read_reserves(text: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for part in filter(None, text.split(",")):
        name, equals, size = part.rpartition("=")
        if not equals or not name.strip():
            raise ValueError(part)
        found[name.strip()] = parse_size(size)
    return found

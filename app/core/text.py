"""Sentences that can be translated: English as they stand, and they know how they were made. Imports no Qt.

The core and the command line use a Phrase as the string that it is; the window shows it in its own language
(app.ui.text.shown), because it finds the template in the catalogue and puts the values in again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any


class Phrase(str):
    """template: English with {names}; values: what stands in their places, which may be phrases themselves."""

    template: str
    values: Mapping[str, Any]

    def __new__(cls, template: str, values: Mapping[str, Any]) -> Phrase:
        plain = {name: _value(each) for name, each in values.items()}
        made = super().__new__(cls, template.format(**plain) if plain else template)
        made.template = template
        made.values = MappingProxyType(plain)
        return made

    def __str__(self) -> str:
        """Itself: str() of a phrase, as an error makes it of its cause, still knows how it was made."""
        return self

    def __reduce__(self) -> tuple[type[Phrase], tuple[str, dict[str, Any]]]:
        return Phrase, (self.template, dict(self.values))


def phrase(template: str, /, **values: Any) -> Phrase:
    """phrase("{node} is lost", node=name). The template is a literal: the catalogue is collected from the sources."""
    return Phrase(template, values)


def joined(parts: Iterable[str], between: str = " ") -> str:
    """The parts one after another, each of which keeps how it was made; empty ones are left out."""
    kept = [part for part in parts if part]
    if len(kept) == 1:
        return kept[0]
    if not any(isinstance(part, Phrase) for part in kept):
        return between.join(kept)
    marks = between.replace("{", "{{").replace("}", "}}").join(f"{{part_{number}}}" for number in range(len(kept)))
    return Phrase(marks, {f"part_{number}": part for number, part in enumerate(kept)})


def first_sentence(text: str) -> str:
    """Of sentences that were joined the first one; else the whole."""
    return str(text.values.get("part_0", text)) if isinstance(text, Phrase) else text


def listed(names: Iterable[str]) -> str:
    """a; a and b; a, b and c."""
    kept = list(names)
    if len(kept) < 2:
        return kept[0] if kept else ""
    return phrase("{names} and {last}", names=joined(kept[:-1], ", "), last=kept[-1])


def anded(parts: Iterable[str]) -> str:
    """a and b and c, for parts of sentences, which have commas of their own."""
    kept = list(parts)
    text = kept[0] if kept else ""
    for part in kept[1:]:
        text = phrase("{one} and {other}", one=text, other=part)
    return text


def counted(number: int, one: str, many: str) -> Phrase:
    """counted(count, "{number} layer", "{number} layers"): the template by the number."""
    return Phrase(one if number == 1 else many, {"number": f"{number:,}"})


def _value(each: Any) -> Any:
    """Numbers for the template's own formats; all else as text: a phrase is kept longer than what it tells of."""
    return each if isinstance(each, str | int | float) else str(each)

"""Sentences that can be translated: English as they stand, and they know how they were made. Imports no Qt.

The core and the command line use a Phrase as the string that it is; the window shows it in its own language
(app.ui.text.shown), because it finds the template in the catalogue and puts the values in again.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any


class Phrase(str):
    """template: English with {names}; values: what stands in their places, which may be phrases themselves."""

    template: str
    values: Mapping[str, Any]

    def __new__(cls, template: str, values: Mapping[str, Any]) -> Phrase:
        made = super().__new__(cls, template.format(**values) if values else template)
        made.template = template
        made.values = MappingProxyType(dict(values))
        return made

    def __str__(self) -> str:
        """Itself: str() of a phrase, as an error makes it of its cause, still knows how it was made."""
        return self

    def __reduce__(self) -> tuple[type[Phrase], tuple[str, dict[str, Any]]]:
        return Phrase, (self.template, dict(self.values))


def phrase(template: str, /, **values: Any) -> Phrase:
    """phrase("{node} is lost", node=name). The template is a literal: the catalogue is collected from the sources."""
    return Phrase(template, values)

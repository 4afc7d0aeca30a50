"""Durations as people write and read them: a number and a unit."""

import re
from decimal import Decimal

from shardd.host.errors import DurationError

_PATTERN = re.compile(
    r"\s*([0-9]{1,12}(?:\.[0-9]{1,12})?)\s*(s|sec|seconds?|min|minutes?|h|hours?|d|days?)\s*", re.ASCII | re.IGNORECASE
)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_LARGEST = 100 * 365 * 86400


def parse_duration(text: str) -> float:
    """Read a duration such as `90s`, `30 min`, `24h` or `2 days`, in seconds; `0` needs no unit.

    Raises:
        DurationError: the text is no duration, or one of more than a hundred years.
    """
    if text.strip() == "0":
        return 0.0
    found = _PATTERN.fullmatch(text)
    if found is None:
        raise DurationError(f"{text[:40]!r} is not a duration.", "Write a number and a unit, such as 24h or 30min.")
    number, unit = found.groups()
    seconds = Decimal(number) * _SECONDS[unit[0].lower()]
    if seconds > _LARGEST:
        raise DurationError(f"{text[:40]!r} is longer than a hundred years.", "Write 0 for never.")
    return float(seconds)


def format_duration(seconds: float) -> str:
    """Write a duration in its largest unit, with at most one decimal place: `24 hours`, `1 minute`, `1.5 seconds`."""
    for unit, name in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= unit * (2 if unit == 86400 else 1):
            return _counted(seconds / unit, name)
    return _counted(seconds, "second")


def _counted(count: float, name: str) -> str:
    number = f"{count:.1f}".removesuffix(".0")
    return f"{number} {name}" if number == "1" else f"{number} {name}s"

"""How figures become words, the same everywhere. Imports no Qt. None is "–": not measured yet, never zero."""

from __future__ import annotations

from typing import Final

NOT_MEASURED: Final = "–"
NOT_MEASURED_TIP: Final = "not measured yet"

_UNITS: Final = ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "KB"))


def size(count: float | None) -> str:
    """12.9 GB, 640 MB, 0 B: decimal units, as on a disk's label."""
    if count is None:
        return NOT_MEASURED
    sign, amount = ("-" if count < 0 else ""), abs(count)
    for scale, unit in _UNITS:
        if amount >= scale * 0.9995:
            value = amount / scale
            digits = 1 if (value < 99.95 and unit in ("TB", "GB")) or value < 9.95 else 0
            return f"{sign}{value:.{digits}f} {unit}"
    return f"{sign}{amount:.0f} B"


def milliseconds(value: float | None) -> str:
    if value is None:
        return NOT_MEASURED
    if value >= 9999.5:
        return f"{value / 1000:.1f} s"
    if value >= 99.95:
        return f"{value:.0f} ms"
    return f"{value:.2f} ms" if value < 0.995 else f"{value:.1f} ms"


def rate(bytes_per_s: float | None) -> str:
    return NOT_MEASURED if bytes_per_s is None else f"{size(bytes_per_s)}/s"


def tokens_per_s(value: float) -> str:
    return f"{value:.1f} tok/s" if value < 99.95 else f"{value:.0f} tok/s"


def count(number: int, thing: str, things: str = "") -> str:
    """1 layer, 4 layers."""
    return f"{number:,} {thing if number == 1 else things or thing + 's'}"


def layers(first: int, last: int) -> str:
    return f"layer {first}" if first == last else f"layers {first}–{last}"


def layer_range(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}–{last}"


def left(seconds: float) -> str:
    """How long something still takes, coarse enough not to flicker."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s left"
    if seconds < 5400:
        return f"{round(seconds / 60)} min left"
    return f"{seconds / 3600:.1f} h left"


def about(seconds: float) -> str:
    """A guess of how long something takes: about 40 s, about 3 min."""
    if seconds < 1.5:
        return "about a second"
    if seconds < 90:
        return f"about {round(seconds) if seconds < 10 else round(seconds / 5) * 5} s"
    return f"about {round(seconds / 60)} min" if seconds < 5400 else f"about {seconds / 3600:.1f} h"


def listed(names: list[str] | tuple[str, ...]) -> str:
    """a; a and b; a, b and c."""
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


def fingerprint(value: str) -> str:
    """Groups of four, so that two people can compare it aloud."""
    plain = "".join(letter for letter in value if letter.isalnum())
    return " ".join(plain[start : start + 4] for start in range(0, len(plain), 4))


def short_fingerprint(value: str) -> str:
    return fingerprint(value)[:19]

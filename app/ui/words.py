"""How figures become words, the same everywhere. Imports no Qt. None is "–": not measured yet, never zero."""

from __future__ import annotations

from typing import Final

from app.core.text import counted, listed, phrase

__all__ = ["listed"]

NOT_MEASURED: Final = "–"
NOT_MEASURED_TIP: Final = phrase("not measured yet")

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
    return counted(number, f"{{number}} {thing}", f"{{number}} {things or thing + 's'}")


PHASES: Final = {"preparing": phrase("preparing"), "sending": phrase("sending"), "loading": phrase("loading")}


def phase(name: str) -> str:
    """What a transfer does just now."""
    return PHASES.get(name, name)


def transfer(name: str, done: int, total: int) -> str:
    """sending 1.2 GB of 4 GB."""
    return phrase("{phase} {done} of {total}", phase=phase(name), done=size(done), total=size(total))


def layers(first: int, last: int) -> str:
    return (
        phrase("layer {first}", first=first)
        if first == last
        else phrase("layers {first}–{last}", first=first, last=last)
    )


def layer_range(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}–{last}"


def left(seconds: float) -> str:
    """How long something still takes, coarse enough not to flicker."""
    if seconds < 90:
        return phrase("{seconds} s left", seconds=max(1, round(seconds)))
    if seconds < 5400:
        return phrase("{seconds} min left", seconds=round(seconds / 60))
    return phrase("{seconds:.1f} h left", seconds=seconds / 3600)


def about(seconds: float) -> str:
    """A guess of how long something takes: about 40 s, about 3 min."""
    if seconds < 1.5:
        return phrase("about a second")
    if seconds < 90:
        return phrase("about {seconds} s", seconds=round(seconds) if seconds < 10 else round(seconds / 5) * 5)
    return (
        phrase("about {seconds} min", seconds=round(seconds / 60))
        if seconds < 5400
        else phrase("about {seconds:.1f} h", seconds=seconds / 3600)
    )


def fingerprint(value: str) -> str:
    """Groups of four, so that two people can compare it aloud."""
    plain = "".join(letter for letter in value if letter.isalnum())
    return " ".join(plain[start : start + 4] for start in range(0, len(plain), 4))


def short_fingerprint(value: str) -> str:
    return fingerprint(value)[:19]

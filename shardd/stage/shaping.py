"""A link that behaves as one in the next room would: for the bench, between real stages on one machine.

handed over ──▶ waits until the link is free ──▶ bytes / rate ──▶ latency ± jitter ──▶ sent
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

_TIME = re.compile(r"^(\d+(?:\.\d+)?)(us|ms|s)$")
_RATE = re.compile(r"^(\d+(?:\.\d+)?)(kbit|mbit|gbit)$")
_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0}
_BITS = {"kbit": 1e3, "mbit": 1e6, "gbit": 1e9}
MOST_S = 10.0


@dataclass(frozen=True, slots=True)
class LinkShape:
    """latency_s one way, jitter_s at most so much more or less; bytes_per_s: 0 for no limit."""

    latency_s: float = 0.0
    jitter_s: float = 0.0
    bytes_per_s: float = 0.0


def parse_link(words: str) -> LinkShape | None:
    """ "latency=3ms,jitter=1ms,rate=200mbit", each part optional; None for "". Raises ValueError with a sentence."""
    if not words.strip():
        return None
    found: dict[str, float] = {}
    for part in words.split(","):
        name, _, value = part.strip().partition("=")
        pattern, units = (_RATE, _BITS) if name == "rate" else (_TIME, _SECONDS)
        match = pattern.match(value)
        if name not in ("latency", "jitter", "rate") or match is None or name in found:
            raise ValueError(f'"{part}" does not shape a link. Write latency=3ms,jitter=1ms,rate=200mbit.')
        found[name] = float(match[1]) * units[match[2]]
    latency, jitter = found.get("latency", 0.0), found.get("jitter", 0.0)
    if jitter > latency:
        raise ValueError("The jitter of a link cannot be larger than its latency.")
    if latency > MOST_S or found.get("rate", 1e9) < 1e3:
        raise ValueError(f"A link of more than {MOST_S:.0f} s or less than 1 kbit is of no use.")
    return LinkShape(latency, jitter, found.get("rate", 0.0) / 8)


class ShapedLink:
    """When frames leave. Seconds of one clock; frames never overtake each other."""

    def __init__(self, shape: LinkShape, chance: random.Random | None = None) -> None:
        self._shape = shape
        self._chance = chance or random.Random()
        self._free_at = 0.0
        self._last = 0.0

    def leaves_at(self, now: float, size: int) -> float:
        """When a frame of so many bytes that is handed over now has crossed the link."""
        shape = self._shape
        self._free_at = max(now, self._free_at) + (size / shape.bytes_per_s if shape.bytes_per_s else 0.0)
        jitter = self._chance.uniform(-shape.jitter_s, shape.jitter_s) if shape.jitter_s else 0.0
        self._last = max(self._last, self._free_at + shape.latency_s + jitter)
        return self._last

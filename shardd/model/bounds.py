"""What JSON of others may cost, told from its bytes before it is parsed."""

from __future__ import annotations

CHARACTER_BYTES = 4  # of a text that is not ASCII, at worst
TABLE_BYTES = 240
LIST_BYTES = 72
VALUE_BYTES = 80


def parsing_bytes(text: bytes) -> int:
    """About how much memory json.loads takes for these bytes, rather more than less: `[],[],…` takes thirty times its
    size. Looks at each byte a few times and at nothing else."""
    decoded = len(text) * (1 if text.isascii() else CHARACTER_BYTES)
    tables, lists, commas = text.count(b"{"), text.count(b"["), text.count(b",")
    return decoded + len(text) + tables * TABLE_BYTES + lists * LIST_BYTES + commas * VALUE_BYTES

"""Sizes as people write and read them: decimal units, as Macs show files (1 GB is 1000 MB)."""

import re
from decimal import Decimal

from shardd.host.errors import SizeError

_PATTERN = re.compile(
    r"\s*([0-9]{1,20}(?:\.[0-9]{1,20})?)\s*(?:([kmgtp])(i?)b?|b|bytes?)?\s*", re.ASCII | re.IGNORECASE
)
_POWERS = {"k": 1, "m": 2, "g": 3, "t": 4, "p": 5}
_LARGEST = 2**63 - 1
_UNITS = ("B", "KB", "MB", "GB", "TB", "PB", "EB")


def parse_size(text: str) -> int:
    """Read a size such as `8GB`, `512 MiB`, `7.5g` or `4096`, in bytes.

    `k`, `m`, `g`, `t` and `p` are powers of 1000, with an `i` of 1024 (IEC 80000-13). A bare number counts
    bytes. Fractions of a byte are cut off.

    Raises:
        SizeError: the text is no size, or one beyond 2^63 - 1 bytes.
    """
    found = _PATTERN.fullmatch(text)
    if found is None:
        raise SizeError(f"{text[:40]!r} is not a size.", "Write a number and a unit, such as 8GB or 512 MiB.")
    number, prefix, binary = found.groups()
    factor = (1024 if binary else 1000) ** _POWERS[prefix.lower()] if prefix else 1
    size = int(Decimal(number) * factor)
    if size > _LARGEST:
        raise SizeError(f"{text[:40]!r} is larger than any disk.", "Write a smaller size, such as 8GB.")
    return size


def format_bytes(count: int) -> str:
    """Write a count of bytes with a decimal unit and at most one decimal place: `5.5 GB`, `850 KB`, `12 B`.

    A negative count keeps its sign. Kilobytes have no decimal place: nobody needs it.
    """
    sign, rest = ("-", -count) if count < 0 else ("", count)
    power = 0
    # 999 950 already rounds to "1000.0", so it belongs to the next unit.
    while power < len(_UNITS) - 1 and rest >= 1000**power * (999.95 if power > 1 else 999.5):
        power += 1
    value = f"{rest / 1000**power:.{1 if power > 1 else 0}f}".removesuffix(".0")
    return f"{sign}{value} {_UNITS[power]}"

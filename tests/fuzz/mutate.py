"""Valid bytes made hostile, the same for the same seed."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from typing import Any

LONGEST = 64 * 1024

NUMBERS = (0, 1, -1, 7, 8, 127, 128, 255, 256, 65535, 65536, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**53, 2**62, 2**63,
           2**64 - 1, 2**64, 10**30, 10**400, 0.5, -0.0, 1e308)  # fmt: skip
TEXTS = ("", " ", "a", "..", "../../../etc/passwd", "/dev/zero", "\x00", "\ud800", "\u202e", "é" * 40, "a" * 3000,
         "NaN", "Infinity", "-1", "1e999", "__class__", "<script>", "%s%n", "{{7*7}}", "layer.0", "F32", "llama",
         "[::1]:8101", "1-3,4-7", "9" * 5000, "http://[", "٣")  # fmt: skip
SNIPPETS = (b"", b"\x00", b"\xff", b"\xff\xff\xff\xff", b"\x80" * 10, b"{", b"}", b"[", b"]", b'"', b",", b":", b"null",
            b"true", b"NaN", b"Infinity", b"-", b"1e999", b"9" * 400, b"[" * 2000, b'{"a":' * 2000, b"../", b"\\u0000",
            b"\\ud800", b"\xc3", b"\xed\xa0\x80", b"\n", b"=", b"/", b"%", b"@", b"::", b"__metadata__")  # fmt: skip


def mutated(examples: Sequence[bytes], chance: random.Random, *, is_json: bool) -> bytes:
    """One of the examples with one to six changes; now and then bytes of no meaning at all."""
    pick = chance.random()
    if pick < 0.03:
        return chance.randbytes(chance.randrange(200))
    data = chance.choice(examples)
    if is_json and pick < 0.55:
        data = _changed_json(data, chance)
    if is_json and pick < 0.45:
        return data[:LONGEST]
    buffer = bytearray(data)
    for _ in range(chance.randint(1, 6)):
        chance.choice(_EDITS)(buffer, chance, examples)
    return bytes(buffer[:LONGEST])


def _changed_json(data: bytes, chance: random.Random) -> bytes:
    try:
        value: Any = json.loads(data)
    except (ValueError, RecursionError):
        return data
    for _ in range(chance.randint(1, 3)):
        value = _changed(value, chance)
    try:
        return json.dumps(value).encode()
    except (ValueError, RecursionError):
        return data


def _changed(value: Any, chance: random.Random) -> Any:
    """A copy along one path, with one value in it replaced, removed, doubled or wrapped."""
    if isinstance(value, dict) and value and chance.random() < 0.85:
        name = chance.choice(list(value))
        copy = dict(value)
        match chance.randrange(8):
            case 0:
                del copy[name]
            case 1:
                copy[chance.choice(TEXTS)] = copy.pop(name)
            case 2:
                copy[chance.choice(TEXTS)] = strange(chance)
            case _:
                copy[name] = _changed(value[name], chance)
        return copy
    if isinstance(value, list) and value and chance.random() < 0.85:
        at = chance.randrange(len(value))
        copy_list = list(value)
        match chance.randrange(8):
            case 0:
                del copy_list[at]
            case 1:
                copy_list = copy_list * chance.choice((2, 3, 50))
            case 2:
                copy_list.insert(at, strange(chance))
            case _:
                copy_list[at] = _changed(value[at], chance)
        return copy_list[:3000]
    return strange(chance, value)


def strange(chance: random.Random, value: Any = None) -> Any:
    match chance.randrange(9):
        case 0 | 1:
            return chance.choice(NUMBERS)
        case 2 | 3:
            return chance.choice(TEXTS)
        case 4:
            return chance.choice((None, True, False, float("nan"), float("inf"), -float("inf")))
        case 5:
            return [value] * chance.choice((0, 1, 9))
        case 6:
            return {"a": value, chance.choice(TEXTS): chance.choice(NUMBERS)}
        case 7 if isinstance(value, int | float) and value == value and abs(value) < 2**70:
            return value + chance.choice((-1, 1, 0.5))
        case _:
            return _deep(chance.choice((3, 40, 400)))


def _deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


# -- edits of plain bytes --------------------------------------------------------------------------------------------


def _flip(buffer: bytearray, chance: random.Random, _: Sequence[bytes]) -> None:
    if buffer:
        buffer[chance.randrange(len(buffer))] ^= 1 << chance.randrange(8)


def _set(buffer: bytearray, chance: random.Random, _: Sequence[bytes]) -> None:
    if buffer:
        buffer[chance.randrange(len(buffer))] = chance.randrange(256)


def _insert(buffer: bytearray, chance: random.Random, _: Sequence[bytes]) -> None:
    at = chance.randint(0, len(buffer))
    buffer[at:at] = chance.choice(SNIPPETS)


def _cut(buffer: bytearray, chance: random.Random, _: Sequence[bytes]) -> None:
    start = chance.randint(0, len(buffer))
    del buffer[start : start + chance.choice((1, 1, 2, 4, 8, 64, 100_000))]


def _double(buffer: bytearray, chance: random.Random, _: Sequence[bytes]) -> None:
    start = chance.randint(0, len(buffer))
    part = bytes(buffer[start : start + chance.choice((1, 4, 16, 200))])
    buffer[start:start] = part * chance.choice((1, 1, 3, 100))


def _splice(buffer: bytearray, chance: random.Random, examples: Sequence[bytes]) -> None:
    other = chance.choice(examples)
    buffer[chance.randint(0, len(buffer)) :] = other[chance.randint(0, len(other)) :]


def _number(buffer: bytearray, chance: random.Random, _: Sequence[bytes]) -> None:
    """A length field made absurd, in either byte order."""
    size = chance.choice((1, 2, 4, 8))
    if len(buffer) >= size:
        at = chance.randint(0, len(buffer) - size)
        value = int(chance.choice(NUMBERS[:20])) & (2 ** (8 * size) - 1)
        buffer[at : at + size] = value.to_bytes(size, chance.choice(("big", "little")))


def _digits(buffer: bytearray, chance: random.Random, _: Sequence[bytes]) -> None:
    """A number in text replaced by another."""
    places = [at for at, byte in enumerate(buffer[:2000]) if 48 <= byte < 58]
    if places:
        at = chance.choice(places)
        buffer[at : at + 1] = str(chance.choice(NUMBERS)).encode()


_EDITS: tuple[Callable[[bytearray, random.Random, Sequence[bytes]], None], ...] = (
    _flip, _flip, _set, _insert, _insert, _cut, _double, _splice, _number, _digits,
)  # fmt: skip

"""One run of one decoder: it returns, or raises what it is documented to raise, soon and in little memory."""

from __future__ import annotations

import hashlib
import random
import resource
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz.decoders import Decoder
from tests.fuzz.mutate import mutated

SEEDS = Path(__file__).parent / "seeds"
SLOW_S = 2.0  # for at most 64 KiB of input
MEMORY_BYTES = 128 << 20  # that a whole run of many inputs may add to the process


@dataclass(frozen=True)
class Finding:
    """An input that broke the rules, and how."""

    decoder: str
    data: bytes
    what: str


def check(decoder: Decoder, data: bytes) -> Finding | None:
    """Runs the decoder once. MemoryError and RecursionError are findings like any other."""
    began = time.thread_time()
    try:
        decoder.decode(data)
    except decoder.errors:
        pass
    except Exception as error:
        return Finding(decoder.name, data, f"{type(error).__name__}: {str(error)[:200]}")
    took = time.thread_time() - began
    return Finding(decoder.name, data, f"it took {took:.1f} s") if took > SLOW_S else None


def file_name(decoder: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in decoder)


def examples_of(decoder: Decoder) -> tuple[bytes, ...]:
    """The decoder's own, and every input that once broke it."""
    kept = sorted(SEEDS.glob(f"{file_name(decoder.name)}.*.bin"))
    return (*decoder.examples, *(path.read_bytes() for path in kept))


def save(finding: Finding, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256(finding.data).hexdigest()[:12]
    path = folder / f"{file_name(finding.decoder)}.{digest}.bin"
    path.write_bytes(finding.data)
    return path


def fuzz(decoder: Decoder, seed: int, runs: int) -> Iterable[Finding]:
    """So many runs from a seed: the same inputs every time."""
    chance = random.Random(f"{decoder.name}:{seed}")
    examples = examples_of(decoder)
    for _ in range(runs):
        finding = check(decoder, mutated(examples, chance, is_json=decoder.is_json))
        if finding is not None:
            yield finding


def peak_bytes() -> int:
    """What this process took at most so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024

"""`python -m tests.fuzz --runs N` or `--minutes M`, `[--seed S] [--only WORDS] [--keep FOLDER]`.

Every decoder in turn, in rounds that each have their own seed, printed at the end with runs, rates and findings.
A finding's input is written to FOLDER; moved to tests/fuzz/seeds it is tried in every later run and in CI.
With --calls: every call of a real agent instead.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.fuzz.calls import storm
from tests.fuzz.decoders import Scratch, all_decoders
from tests.fuzz.run import MEMORY_BYTES, Finding, fuzz, peak_bytes, save

ROUND = 2000  # runs of a decoder with a share of 1


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("--runs", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--calls", action="store_true", help="to a real agent; --runs counts rounds of all methods")
    parser.add_argument("--only", default="", help="decoders whose name holds these words")
    parser.add_argument("--keep", type=Path, default=Path("fuzz-findings"))
    options = parser.parse_args()
    if not options.runs and not options.minutes:
        options.runs = 100 if options.calls else 200_000
    logging.disable()
    if options.calls:
        return _calls(options)
    scratch = Scratch()
    try:
        return _run(options, scratch)
    finally:
        scratch.close()


def _run(options: argparse.Namespace, scratch: Scratch) -> int:
    decoders = [decoder for decoder in all_decoders(scratch) if options.only in decoder.name]
    runs, seconds, found = Counter[str](), Counter[str](), Counter[str]()
    shown: set[tuple[str, str]] = set()
    began, before, seed = time.monotonic(), peak_bytes(), options.seed
    while not _over(options, runs.total(), time.monotonic() - began):
        for decoder in decoders:
            count = max(1, round(ROUND * decoder.share))
            started = time.perf_counter()
            for finding in fuzz(decoder, seed, count):
                found[decoder.name] += 1
                _show(finding, shown, options.keep)
            seconds[decoder.name] += time.perf_counter() - started
            runs[decoder.name] += count
        seed += 1
    for decoder in decoders:
        name = decoder.name
        rate = runs[name] / seconds[name]
        print(f"{name:24} {runs[name]:>10,} runs {rate:>9,.0f} a second {found[name]:>7,} findings")
    grown = peak_bytes() - before
    total = runs.total()
    print(f"{total:,} runs from seed {options.seed} to {seed - 1} in {time.monotonic() - began:.0f} s; "
          f"{found.total()} findings; the process grew by {grown >> 20} MB")  # fmt: skip
    return 1 if found or grown > MEMORY_BYTES else 0


def _calls(options: argparse.Namespace) -> int:
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        seen = asyncio.run(
            storm(Path(folder), options.seed, lambda rounds: not _over(options, rounds, time.monotonic() - began))
        )
    print(f"{seen}; {time.monotonic() - began:.0f} s from seed {options.seed}")
    for problem in seen.problems:
        print(problem)
    return 1 if seen.problems else 0


def _over(options: argparse.Namespace, runs: int, seconds: float) -> bool:
    if options.runs:
        return runs >= options.runs
    return seconds >= options.minutes * 60


def _show(finding: Finding, shown: set[tuple[str, str]], folder: Path) -> None:
    """Each kind once."""
    kind = (finding.decoder, finding.what[:40])
    if kind not in shown and len(shown) < 200:
        shown.add(kind)
        print(f"{finding.decoder}: {finding.what}  ->  {save(finding, folder)}", flush=True)


if __name__ == "__main__":
    raise SystemExit(main())

"""`python -m tests.faults --minutes M --seed S [--faults N]`: answers without end, while what they run on is hurt.

Every answer must have exactly the text of one undisturbed process, none may hang, and nothing may be left at the end.
Each fault is a line: what and how long, when it was noticed, the longest wait for a token, and how it went on.
"""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import os
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from tests.faults.faults import KINDS
from tests.faults.ledger import Ledger
from tests.faults.network import Network, NoNamespaces

PR_SET_CHILD_SUBREAPER = 36


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--faults", type=int, default=1_000_000, metavar="N")
    parser.add_argument("--machines", type=int, default=5)
    parser.add_argument("--streams", type=int, default=3, help="answers at once")
    parser.add_argument("--layer-delay-ms", type=float, default=1.0)
    parser.add_argument("--only", default="", help="kinds of faults, with commas: " + ", ".join(KINDS))
    parser.add_argument("--pairs", type=float, default=0.2, help="how often a second fault strikes in the middle")
    parser.add_argument("--moves", type=float, default=0.15, help="how often layers are placed anew in between")
    parser.add_argument("--no-network", action="store_true", help="as where namespaces are not allowed")
    parser.add_argument("--keep", action="store_true", help="keep the folder with the logs")
    options = parser.parse_args()
    seed = random.SystemRandom().randrange(1 << 20) if options.seed is None else options.seed
    if sys.platform == "linux":  # processes that lose their parent become ours: none is overlooked
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    network, why = None, "as asked"
    if not options.no_network:
        try:
            network = Network(options.machines)
        except NoNamespaces as error:
            why = str(error)
    how = "namespaces" if network else f"loopback, without faults of links ({why})"
    print(f"seed {seed}, {options.machines} machines, {options.streams} answers at once, {how}", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="faults-"))
    temporary = folder / "tmp"
    temporary.mkdir()
    os.environ |= {"TMPDIR": str(temporary), "HOME": str(folder), "HF_HUB_OFFLINE": "1"}
    tempfile.tempdir = None
    began = time.monotonic()
    try:
        ledger, peak_bytes = _run(options, seed, folder, network)
    finally:
        if network:
            network.close()
        if not options.keep:
            shutil.rmtree(folder, ignore_errors=True)
    summary(ledger, time.monotonic() - began, seed, peak_bytes)
    if options.keep:
        print(f"logs: {folder}")
    return 1 if ledger.failures else 0


def _run(options: argparse.Namespace, seed: int, folder: Path, network: Network | None) -> tuple[Ledger, int]:
    from tests.faults.run import Plan, Run

    only = tuple(word.strip() for word in options.only.split(",") if word.strip())
    plan = Plan(
        seed, options.minutes, options.faults, options.machines, options.streams, options.layer_delay_ms,
        options.pairs, options.moves, only,
    )  # fmt: skip
    run = Run(plan, folder, network, lambda line: print(line, flush=True))
    ledger = asyncio.run(run())
    return ledger, run.peak_bytes


def summary(ledger: Ledger, seconds: float, seed: int, peak_bytes: int) -> None:
    print()
    by_kind: dict[str, list[tuple[float | None, float]]] = {}
    for strike in ledger.strikes:
        kind = next((kind for kind in sorted(KINDS, key=len, reverse=True) if strike.words.startswith(kind)), "?")
        by_kind.setdefault(kind, []).append((strike.noticed_s, strike.longest_wait_s))
    for kind, found in sorted(by_kind.items()):
        noticed = [each for each, _ in found if each is not None]
        waits = [wait for _, wait in found]
        seen = f"noticed {len(noticed):3}, median {median(noticed):.2f} s" if noticed else "noticed   0"
        print(f"{kind:16} {len(found):4}  {seen:28}  longest wait median {median(waits):.2f}, most {max(waits):.2f} s")
    print(
        f"seed {seed}: {len(ledger.strikes)} faults in {seconds / 60:.1f} minutes; {ledger.exact} answers of "
        f"{ledger.tokens} tokens, each exact; {ledger.recovered} went on after a loss; at most {peak_bytes >> 20} MB"
    )
    for failure in ledger.failures:
        print(f"FAILED: {failure}")
    if ledger.failures:
        print("The latest:", *(line[:400] for line in ledger.story[-120:]), sep="\n  ")


if __name__ == "__main__":
    raise SystemExit(main())

"""The table of all architectures: `python -m tests.architectures.table [NAME …]` tries them and writes TABLE.md.

Each is tried in a process of its own, as many at a time as there are cores.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path

from tests.architectures.check import CANNOT, PRECISIONS, WIDE, Outcome
from tests.architectures.configurations import model_types, other_names

TABLE = Path(__file__).parent / "TABLE.md"
DEADLINE_S = 300
COLUMNS = ("architecture", "model type", "layers", "cuts", *PRECISIONS, "refused cuts, notes")
NOT_SO = {
    "quantised in another way": "its own quantisation",
    "FusedLinear": "unsplit: its fused layers cannot be quantised",
    "No Metal": "needs Metal",
}
"""Why the unsplit model does not run in a precision, by what mlx-lm says."""


def line(outcome: Outcome) -> str:
    """The architecture's line."""
    cuts = f"{len(outcome.allowed)} of {outcome.layers - 1}" if outcome.layers else "none"
    reasons: dict[str, list[int]] = {}
    for cut, reason in outcome.refused.items():
        reasons.setdefault(reason, []).append(int(cut))
    notes = [f"cut {_span(cuts)}: {reason}" for reason, cuts in reasons.items()]
    notes += [outcome.note.rstrip(".")] if outcome.note else []
    cells = [outcome.name, outcome.model_type, str(outcome.layers or "–"), cuts]
    cells += [_short(outcome.results.get(precision, "–")) for precision in PRECISIONS]
    return f"| {' | '.join([*cells, '; '.join(notes)])} |"


def write(outcomes: list[Outcome]) -> str:
    """The whole table, with what it comes to."""
    by_type: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        by_type.setdefault(outcome.model_type, []).append(outcome)
    exact = [name for name, some in by_type.items() if all(is_exact(each) for each in some)]
    refused = [name for name, some in by_type.items() if all("refused" in each.results.values() for each in some)]
    rest = sorted(by_type.keys() - set(exact) - set(refused))
    also = ", ".join(f"{name} ({model_type})" for name, model_type in sorted(other_names().items()))
    counted = [f"{len(exact)} are exact at every allowed cut", f"{len(refused)} are refused ({', '.join(refused)})"]
    counted += [f"{len(rest)} are neither ({', '.join(rest)})"] if rest else []
    head = [
        "# Every architecture of mlx-lm, split",
        "",
        "Written by `python -m tests.architectures.table`.",
        "",
        f"mlx-lm {version('mlx-lm')}, mlx {version('mlx')}: {len(by_type)} model types. {', '.join(counted)}.",
        "",
        "Exact: logits of a prefill in two chunks and of cached steps are, bit for bit, those of the unsplit model in "
        "the same process, with one stage a layer, in float32 also with each cut alone. 16-bit is bfloat16, 4-bit is "
        f"mlx-lm's own quantisation of that. {WIDE}: the experts multiply in 32 bits, whole and split, as MLX cannot "
        "do it in 16 bits on a CPU.",
        "",
        f"Other names that mlx-lm has for these model types: {also}.",
        "",
        f"| {' | '.join(COLUMNS)} |",
        f"|{'|'.join('---' for _ in COLUMNS)}|",
    ]
    return "\n".join([*head, *(line(each) for each in sorted(outcomes, key=lambda each: each.name.lower())), ""])


def is_exact(outcome: Outcome) -> bool:
    """Exact in every precision in which the unsplit model runs, and that is one at least."""
    ran = [result for result in outcome.results.values() if not result.startswith(CANNOT)]
    return bool(ran) and all(result in ("exact", f"exact{WIDE}") for result in ran)


def try_in_a_process(model_type: str, *, fused: bool = True) -> list[Outcome]:
    """All its configurations. A process that dies is an outcome, too.

    fused: with kernels that MLX makes of several operations. On a CPU it calls a compiler for each, which takes most
    of the time where none is at hand from earlier.
    """
    try:
        done = subprocess.run(
            [sys.executable, "-m", "tests.architectures.check", model_type],
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            env=os.environ | ({} if fused else {"MLX_DISABLE_COMPILE": "1"}),
        )
    except subprocess.TimeoutExpired:
        return [Outcome(model_type, model_type, "", results={"float32": f"WRONG: no end in {DEADLINE_S} s"})]
    found = [Outcome(**json.loads(text)) for text in done.stdout.splitlines() if text.startswith("{")]
    if not found or done.returncode:  # it died
        found.append(Outcome(model_type, model_type, "", results={"float32": f"WRONG: {done.stderr[-200:]}"}))
    return found


def _short(result: str) -> str:
    return next((words for key, words in NOT_SO.items() if key in result), result)


def _span(cuts: list[int]) -> str:
    whole = cuts == list(range(cuts[0], cuts[-1] + 1))
    return f"{cuts[0]} to {cuts[-1]}" if whole and len(cuts) > 1 else ", ".join(map(str, cuts))


def main() -> int:
    names = sys.argv[1:] or model_types()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        outcomes = [outcome for some in pool.map(try_in_a_process, names) for outcome in some]
    unique = {outcome.name: outcome for outcome in outcomes}
    text = write(list(unique.values()))
    if sys.argv[1:]:
        print(text)
    else:
        TABLE.write_text(text)
        print(f"{len(unique)} architectures written to {TABLE.name}.")
    return int(any("WRONG" in result for each in outcomes for result in each.results.values()))


if __name__ == "__main__":
    raise SystemExit(main())
